"""Under `python -OO`, without docstrings and asserts, errors say what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.requirement("R02"), pytest.mark.fault("W3")]

SCRIPT = Path(__file__).with_name("optimized_errors.py")
ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
NOT_LEASED = "the actors of user 'alice' have stopped"
STEPS = [
    *("agent_started", "agent_thinking or partial_result", "tool_executing", "tool_completed"),
    *("input_requested", "input_answered or input_closed"),
    *("final_report", "agent_completed", "agent_failed"),
]


def optimized(*arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-OO", *arguments], capture_output=True, text=True, env=ENVIRONMENT
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_every_module_can_be_imported_and_errors_and_refusals_keep_their_words() -> None:
    told = optimized(str(SCRIPT)).splitlines()

    advice = " (see the grammar in docs/runs.md)"
    assert told[: len(STEPS)] == [
        f"{step} is not allowed now: the run has ended{advice}" for step in STEPS
    ]
    assert told[len(STEPS) :] == [
        "actor 'it' can only be asked a Request, not a str (derive the class from Request; "
        "tell() sends a message that has no answer)",
        "the runtime is not open (use it inside `open_runtime(…)`)",
        *[NOT_LEASED] * 2,
    ]


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"]], ids=" ".join)
def test_the_command_line_has_its_help_and_options(arguments: list[str]) -> None:
    told = optimized("-m", "greenroom", *arguments)

    assert ("--port" if "serve" in arguments else "serve") in told
