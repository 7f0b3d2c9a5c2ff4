"""The examples beside other hosts than trio run as their first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import greenroom

EXAMPLES = Path(greenroom.__file__).parent / "demo"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("asyncio_program.py", "event 2: final_report"),
        ("sync_script.py", "'total': 99.75, 'sent': False"),
        ("thread_worker.py", "carol: final_report at 4"),
    ],
)
def test_a_program_runs_and_ends_without_a_warning(program: str, said: str) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLES / program), "once"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
