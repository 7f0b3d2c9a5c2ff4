"""Runs machine tests as these tests want them, and takes the failure they end in."""

from __future__ import annotations

import unittest

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import seed as with_seed
from hypothesis.stateful import RuleBasedStateMachine

QUIET = settings(
    derandomize=False,  # which Hypothesis does by itself in CI; then there is no seed to tell
    print_blob=False,
    deadline=None,
    database=None,
    max_examples=50,
    verbosity=Verbosity.quiet,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


def turn(test: type[RuleBasedStateMachine], chosen: settings = QUIET) -> None:
    case = test.TestCase
    case.settings = chosen
    with_seed(1)(test)
    run(case)


def run(case: type[unittest.TestCase]) -> None:
    case("runTest").debug()


def failure(test: type[RuleBasedStateMachine], chosen: settings = QUIET) -> Exception:
    with pytest.raises(Exception) as failed:  # noqa: PT011  # whatever it is, it is the result
        turn(test, chosen)
    return failed.value


def story(error: Exception) -> str:
    return "\n".join(error.__notes__)
