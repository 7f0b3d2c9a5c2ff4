"""Without what the extra `testing` brings, it says so, and how to get it."""

from __future__ import annotations

import subprocess
import sys

import pytest

BLOCKED = """
import sys
sys.modules["hypothesis"] = None  # as if it were not installed

import greenroom.testing

assert greenroom.testing.InjectedFault  # what needs nothing more is there
from greenroom.testing import machine_test
"""


@pytest.mark.requirement("R41")
def test_without_the_extra_it_is_said_what_to_install() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "greenroom.testing.MissingExtra: greenroom.testing.machine_test needs hypothesis, which is "
        "not installed (pip install 'greenroom[testing]')"
    )
