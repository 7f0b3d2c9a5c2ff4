"""The container and the manifest that docs/deploy.md prints, as far as they go without a cluster.

No image is built: what an image would start is started here.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from greenroom import Settings
from tests.deploy.printed import AGENT, STOPPING, printed
from tests.protocol.asgi_servers import SERVERS, serving_on
from tests.protocol.server import SECRET
from tests.system.processes import free_port


def pod() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(printed("yaml"))["spec"]["template"]["spec"]
    return found


def test_the_containers_command_serves_and_sigterm_reaches_it(tmp_path: Path) -> None:
    lines = printed("dockerfile").splitlines()
    exec_form = json.loads(next(line for line in lines if line.startswith("CMD"))[4:])
    variables = dict(
        pair.split("=") for line in lines if line.startswith("ENV") for pair in line[4:].split()
    )
    assert variables.pop("GREENROOM_JOURNAL").startswith("/data/")
    assert lines.index("USER 10001") > lines.index("WORKDIR /srv/app")
    (tmp_path / "app.py").write_text(AGENT)
    program = Path(sys.executable).with_name(exec_form[0])
    here = {"GREENROOM_JOURNAL": str(tmp_path / "g.db"), "GREENROOM_PORT": str(free_port())}
    process = subprocess.Popen(
        [program, *exec_form[1:]],
        cwd=tmp_path,
        env={**os.environ, **variables, **here, "GREENROOM_SECRET": SECRET},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert here["GREENROOM_PORT"] in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_the_printed_limits_leave_a_drain_its_time() -> None:
    enough = Settings(secret=SECRET).drain_seconds + STOPPING
    assert pod()["terminationGracePeriodSeconds"] >= enough
    text = (Path(__file__).parents[2] / "docs" / "deploy.md").read_text("utf-8")
    limits = re.findall(r"(?:TimeoutStopSec=|--stop-timeout )(\d+)", text)
    assert len(limits) == 2
    assert min(map(int, limits)) >= enough


@pytest.mark.parametrize("kind", SERVERS[:2])
def test_the_printed_probes_hold_while_a_server_serves_and_drains(kind: str) -> None:
    (container,) = pod()["containers"]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("liveness", "readiness")}
    assert {each["port"] for each in probes.values()} == {container["ports"][0]["containerPort"]}
    live, ready = (probes[name]["path"].strip("/") for name in ("liveness", "readiness"))
    with serving_on(kind)() as server:
        assert [server.probe(path)[0] for path in (live, ready)] == [200, 200]
        server.run(server.runtime.drain)
        if kind == "own":  # its port is closed: the pod gets no new clients
            with pytest.raises(OSError, match="refused"):
                server.probe(ready)
        else:
            assert [server.probe(path)[0] for path in (live, ready)] == [200, 503]


def test_kubernetes_accepts_the_printed_manifest() -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="needs kubernetes-validate (pip install, 100 MB of schemas)"
    )
    validate.validate(yaml.safe_load(printed("yaml")), validate.latest_version(), strict=True)
