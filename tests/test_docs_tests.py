"""A test that the documentation prints passes in a project of its reader, as it is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import greenroom
from greenroom import actors, aio, asgi, supervisor, testing
from greenroom.testing import journal_conformance
from tests.printed_files import files_of

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TEST = re.compile(r"^(?:async )?def test_", re.MULTILINE)


ROOMS = (greenroom, actors, aio, asgi, supervisor, testing)
LOADED = [getattr(room, name) for room in ROOMS for name in room.__all__]
"""Loaded before any printed test: pytester forgets the modules that a test imports, but a room
keeps the names that it has exported."""


def printed_tests() -> Iterator[tuple[str, str]]:
    """Name of the page and source of every block with tests in it; each stands for itself, beside
    the files that its page names."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in BLOCK.findall(page.read_text("utf-8")):
            if TEST.search(block):
                yield page.stem, block


PRINTED = list(printed_tests())


@pytest.mark.requirement("R41")
@pytest.mark.parametrize(("page", "block"), PRINTED, ids=[page for page, _ in PRINTED])
def test_a_printed_test_passes(page: str, block: str, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ntrio_mode = true\naddopts = --strict-markers -p no:cacheprovider")
    pytester.makepyfile(**files_of(page), **{f"test_{page}": block})

    outcomes = pytester.runpytest("-W", "error").parseoutcomes()
    assert outcomes.keys() <= {"passed"}  # one may be run with several parameters
    assert outcomes["passed"] >= len(TEST.findall(block))


def test_the_pages_that_print_tests_are_seen() -> None:
    assert {"machines", "fastapi"} <= {page for page, _ in PRINTED}
    assert files_of("fastapi").keys() == {"chat"}


def test_every_test_that_the_failure_modes_name_exists() -> None:
    page = (ROOT / "docs" / "failure-modes.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    suite = Path(journal_conformance.__file__).parent
    paths = [*(ROOT / "tests").rglob("test_*.py"), *suite.rglob("*.py")]
    defined = set(re.findall(r"def (test_\w+)", "\n".join(p.read_text("utf-8") for p in paths)))
    assert len(named) > 30
    assert sorted(named - defined) == []
