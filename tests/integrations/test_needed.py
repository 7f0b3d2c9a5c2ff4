"""A framework that is missing, too old or too new: one clear sentence."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

import greenroom
from greenroom.integrations.errors import FrameworkMissing
from greenroom.integrations.needed import needed

NEEDED = re.compile(r'^with needed\("([\w-]+)", "([\d.]+)", extra="([\w-]+)"\)', re.MULTILINE)
MODULES = Path(greenroom.__file__).parent / "integrations"
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.mark.parametrize(
    ("installed", "floor", "why"),
    [
        (None, "2.68", "which is not installed"),
        ("2.67.9", "2.68", "but 2.67.9 is installed"),
        ("1.100", "2", "but 1.100 is installed"),
    ],
)
def test_a_framework_that_is_missing_or_too_old_is_named_with_the_command_that_mends_it(
    installed: str | None, floor: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(installed, monkeypatch)
    with pytest.raises(FrameworkMissing) as caught, needed("frame", floor, extra="frame-work"):
        raise AssertionError("nothing is imported")
    assert str(caught.value) == (
        f"greenroom needs frame {floor} or newer, {why} (pip install 'greenroom[frame-work]')"
    )


@pytest.mark.parametrize("installed", ["2.68", "2.68rc1", "2.100", "3"])
def test_a_version_that_is_new_enough_is_taken(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(installed, monkeypatch)
    with needed("frame", "2.68", extra="frame"):
        pass


def test_a_version_that_has_lost_a_name_is_refused_by_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install("9.0", monkeypatch)
    with (
        pytest.raises(FrameworkMissing, match=r"and cannot use 9\.0: cannot import name 'gone'"),
        needed("frame", "2.68", extra="frame"),
    ):
        from json import gone  # type: ignore[attr-defined]  # noqa: F401


def install(version: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this version of the distribution were here."""

    def found(name: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", found)


def needs() -> list[tuple[str, str, str]]:
    """Distribution, floor and extra of each module."""
    return [
        found
        for path in sorted(MODULES.glob("*.py"))
        for found in NEEDED.findall(path.read_text("utf-8"))
    ]


def test_every_framework_is_seen() -> None:
    assert len(needs()) == 7


@pytest.mark.parametrize(("distribution", "floor", "extra"), needs())
def test_a_module_and_its_extra_have_one_floor(distribution: str, floor: str, extra: str) -> None:
    extras = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]["optional-dependencies"]
    assert [line for line in extras[extra] if line.startswith(f"{distribution}>={floor},")]
