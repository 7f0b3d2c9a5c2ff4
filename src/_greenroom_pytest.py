"""The pytest plugin: which test keeps which promise, or guards against which fault.

Name a Markdown file of promises in the configuration, `requirements_file = "docs/promises.md"`
(its table rows start with an id: R01), and mark tests `@pytest.mark.requirement("R01")`, with
several ids if they keep several. `pytest --requirements` then prints, instead of running tests, the
promises without a test and those with theirs. `faults_file`, `@pytest.mark.fault("D5")` and
`pytest --faults` do the same for a table of faults that were found and mended. With `--every-row`
the exit code is 1 if a row has no test. Without these
settings a project that has greenroom installed sees nothing of this.

It stands outside the package because pytest imports it in every project of an environment, and
importing `greenroom.anything` imports greenroom (Hypothesis has `_hypothesis_pytestplugin` for
the same reason).
"""

from __future__ import annotations

import pytest

pytest_plugins = ["_greenroom_fixtures"]

OPTIONS = {"--requirements": "requirements_file", "--faults": "faults_file"}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("greenroom")
    for option, setting in OPTIONS.items():
        noun = option.removeprefix("--")
        parser.addini(setting, f"Markdown file with a table of {noun} (greenroom)", default="")
        group.addoption(
            option,
            action="store_true",
            help=f"print which {noun} of {setting} have no test, instead of running tests",
        )
    group.addoption(
        "--every-row",
        action="store_true",
        help=f"with {' or '.join(OPTIONS)}: exit code 1 if a row has no test",
    )


def pytest_configure(config: pytest.Config) -> None:
    for option, setting in OPTIONS.items():
        if config.getini(setting):
            _register(config, setting)
        elif config.getoption(option):
            raise pytest.UsageError(f"{option} needs {setting} in the configuration")


def _register(config: pytest.Config, setting: str) -> None:
    from greenroom.testing.plugin import MarkedRows
    from greenroom.testing.requirements import FAULTS, PROMISES

    kind = next(kind for kind in (PROMISES, FAULTS) if kind.setting == setting)
    path = str(config.getini(setting))
    config.addinivalue_line(
        "markers", f"{kind.marker}(*ids): the {kind.noun} of {path} that this test is about"
    )
    config.pluginmanager.register(
        MarkedRows(kind, config.rootpath / path), f"greenroom-{kind.noun}"
    )
