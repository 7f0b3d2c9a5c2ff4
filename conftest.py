"""The documentation's Python examples are tests; `HYPOTHESIS_PROFILE=deep` looks further."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

pytest_plugins = ["pytester"]

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no timing in tests
settings.register_profile("calm", calm)
settings.register_profile("deep", calm, max_examples=20_000)
settings.register_profile("brief", calm, max_examples=10)  # it is not our code that is looked at
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "calm"))

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md"],
).pytest()
