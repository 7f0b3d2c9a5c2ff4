"""The bugs that the delivery model is tried on fit today's code."""

from __future__ import annotations

import pytest

from tests.delivery.planted_bugs import BUGS, PACKAGE, Bug, place_of, planted


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_code_of_a_planted_bug_is_in_its_file_once_and_what_it_becomes_can_be_parsed(
    bug: Bug,
) -> None:
    _, right = place_of(bug, PACKAGE)
    assert planted(bug, right) != right


def test_each_planted_bug_has_a_name_of_its_own() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)
