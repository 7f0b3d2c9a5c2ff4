"""Several nodes as docs/scaling.md prints them: by two commands, composed, and in Kubernetes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml
from plan import CONNECTIONS

import greenroom
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, database_of
from tests.deploy.printed import AGENT, STOPPING, changed, printed
from tests.protocol.client import Client
from tests.protocol.server import SECRET, token_for
from tests.system.processes import free_port

SETTINGS = {f"GREENROOM_{field.name.upper()}" for field in attrs.fields(greenroom.Settings)}


@contextmanager
def started(command: str, folder: Path) -> Iterator[None]:
    words = command.split()
    program = Path(sys.executable).with_name(words[0])
    environment = {**os.environ, "GREENROOM_SECRET": SECRET}
    with subprocess.Popen(
        [program, *words[1:]], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield
        finally:
            process.terminate()


def commands(url: str, ports: list[int]) -> list[str]:
    names = {"8701": str(ports[0]), "8702": str(ports[1])}
    names["postgresql://greenroom@localhost/greenroom"] = url
    block = changed(printed("console", "--port 8701", page="scaling"), names)
    return re.findall(r"^\$ (.*)$", block, re.MULTILINE)


def connections(url: str) -> int:
    """Those to the database, but for this one."""
    import psycopg  # where it is missing, this test is skipped

    with psycopg.connect(url) as looking:
        (number,) = looking.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend'"
        ).fetchone() or (0,)
    return int(number) - 1


@NEEDS_POSTGRES
def test_what_is_said_to_one_node_shows_on_the_other(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    (tmp_path / "app.py").write_text(AGENT)
    url = database_of(tmp_path)
    first, second = commands(url, ports)
    with (
        started(first, tmp_path),
        started(second, tmp_path),
        Client(ports[0], token_for("alice")) as here,
        Client(ports[1], token_for("alice")) as there,
    ):
        here.hello()
        there.hello()
        here.ask("say", id="1", body="hello")
        (report,) = [e for e in there.events() if e["kind"] == "final_report"]
        assert report["data"]["report"] == "hello"
        assert connections(url) == 2 * CONNECTIONS, "of two nodes, as the plan counts them"


def test_the_composed_nodes_have_settings_that_exist_and_a_journal_they_share() -> None:
    compose: dict[str, Any] = yaml.safe_load(printed("yaml", "compose.yaml", page="scaling"))
    services = compose["services"]
    chat = services["chat"]
    names = {name for name in chat["environment"] if name.startswith("GREENROOM_")}
    assert names <= SETTINGS
    assert f"@{next(iter(chat['depends_on']))}/" in chat["environment"]["GREENROOM_JOURNAL"]
    assert set(chat["depends_on"]) | set(services["proxy"]["depends_on"]) <= services.keys()
    assert "ports" not in chat, "several cannot have one port of the machine"
    greenroom.Settings(
        journal=chat["environment"]["GREENROOM_JOURNAL"],
        secret=chat["environment"]["GREENROOM_SECRET"],
    )
    drain = greenroom.Settings(secret=SECRET).drain_seconds
    assert float(chat["stop_grace_period"].rstrip("s")) >= drain + STOPPING


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(printed("yaml", "PodDisruptionBudget", page="scaling")))


def test_the_printed_pods_share_what_one_process_has() -> None:
    """But for the volume, of which a node needs none."""
    deployment, service, budget = manifests()
    pod = deployment["spec"]["template"]["spec"]
    alone = yaml.safe_load(printed("yaml"))["spec"]["template"]["spec"]
    (node,), (server,) = pod["containers"], alone["containers"]
    probes = ("startupProbe", "livenessProbe", "readinessProbe", "ports")
    assert [node[name] for name in probes] == [server[name] for name in probes]
    assert pod["terminationGracePeriodSeconds"] == alone["terminationGracePeriodSeconds"]
    assert "volumes" not in pod
    assert {each["name"] for each in node["env"]} <= SETTINGS
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == budget["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["ports"][0]["targetPort"] == node["ports"][0]["containerPort"]


def test_the_printed_workers_have_the_probes_of_servers_at_their_own_port() -> None:
    worker = yaml.safe_load(printed("yaml", "chat-worker", page="scaling"))["spec"]["template"]
    server = manifests()[0]["spec"]["template"]["spec"]["containers"][0]
    pod, (container,) = worker["spec"], worker["spec"]["containers"]
    given = {each["name"]: each["value"] for each in container["env"]}
    assert given.keys() <= SETTINGS
    assert int(given["GREENROOM_WORKER_PORT"]) == container["ports"][0]["containerPort"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        of_server = {**server[probe]["httpGet"], "port": container["ports"][0]["containerPort"]}
        assert container[probe] == {**server[probe], "httpGet": of_server}
    drain = float(given["GREENROOM_DRAIN_SECONDS"])
    assert pod["terminationGracePeriodSeconds"] >= drain + STOPPING


def test_kubernetes_accepts_the_printed_manifests() -> None:
    validate = pytest.importorskip(
        "kubernetes_validate", reason="needs kubernetes-validate (pip install, 100 MB of schemas)"
    )
    workers = yaml.safe_load(printed("yaml", "chat-worker", page="scaling"))
    for manifest in [*manifests(), workers]:
        validate.validate(manifest, validate.latest_version(), strict=True)
