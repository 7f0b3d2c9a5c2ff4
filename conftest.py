"""The documentation's Python examples are tests; `HYPOTHESIS_PROFILE=deep` looks further."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

pytest_plugins = ["pytester"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell without job control ignores Ctrl-C for what it starts in the background (POSIX sh,
    # "Asynchronous Lists"), and so would every process that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no timing in tests
settings.register_profile("calm", calm)
settings.register_profile("deep", calm, max_examples=20_000)
settings.register_profile("ci", calm, max_examples=50)  # each run draws others
settings.register_profile("brief", calm, max_examples=10)  # it is not our code that is looked at
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "calm"))


def pytest_addoption(parser: pytest.Parser) -> None:
    help_ = "run every scenario on every server"
    parser.addoption("--every-server", action="store_true", help=help_)


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md"],
).pytest()
