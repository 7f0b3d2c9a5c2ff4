"""The pytest plugin: which promise is kept by which test.

Name a Markdown file of promises in the configuration, `requirements_file = "docs/promises.md"`
(its table rows start with an id: R01), and mark tests `@pytest.mark.requirement("R01")`, with
several ids if they keep several. `pytest --requirements` then prints, in place of a run, the
promises without a test and those with theirs. Without that line in its configuration, a project
that has greenroom installed sees nothing of this.

It stands outside the package because pytest imports it in every project of an environment, and
importing `greenroom.anything` imports greenroom (Hypothesis has `_hypothesis_pytestplugin` for
the same reason).
"""

from __future__ import annotations

import pytest

pytest_plugins = ["_greenroom_fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("requirements_file", "Markdown file of promises (greenroom)", default="")
    group = parser.getgroup("greenroom")
    group.addoption(
        "--requirements",
        action="store_true",
        help="print which promises of requirements_file have no test, instead of running",
    )


def pytest_configure(config: pytest.Config) -> None:
    path = str(config.getini("requirements_file"))
    if path:
        from greenroom.testing.plugin import MARKER, Requirements

        config.addinivalue_line(
            "markers", f"{MARKER}(*ids): the promises of {path} that this test keeps"
        )
        config.pluginmanager.register(Requirements(config.rootpath / path), "greenroom-promises")
    elif config.getoption("--requirements"):
        raise pytest.UsageError("--requirements needs requirements_file in the configuration")
