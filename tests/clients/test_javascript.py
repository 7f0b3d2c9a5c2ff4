"""The JavaScript client passes its own tests, with this Python's greenroom as the real server."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "clients" / "js"
VITEST = PACKAGE / "node_modules" / ".bin" / "vitest"


@pytest.mark.skipif(not PACKAGE.exists(), reason="these tests run beside a built package")
@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.skipif(not VITEST.exists(), reason="needs npm packages: `npm ci` in clients/js")
def test_the_javascript_client_passes_its_tests():
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ran = subprocess.run(
        [VITEST, "run", "--no-color"],
        cwd=PACKAGE,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
