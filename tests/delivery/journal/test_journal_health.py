"""What the log says of a journal that cannot be written."""

from __future__ import annotations

import logging

import pytest

from greenroom.delivery.errors import JournalUnreachable
from greenroom.delivery.journal.health import JournalHealth

AWAY = JournalUnreachable("Redis at a,b/chat cannot be reached", advice="start it")
BEHIND = [
    JournalUnreachable(f"Redis at a,b/chat has {number} of 2 replicas", advice="start replicas")
    for number in (0, 1)
]


def test_a_trouble_is_logged_once_for_each_thing_that_an_operator_must_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "greenroom")
    health = JournalHealth()
    for error in (AWAY, AWAY, *BEHIND, AWAY):
        health.note(error)
    health.passed()
    health.note(BEHIND[1])
    later = ". New connections are accepted again when the journal can be written"
    assert [record.getMessage() for record in caplog.records] == [
        f"{AWAY}{later}",
        f"{BEHIND[0]}{later}",
        "the journal can be written again, after: the journal cannot be reached",
        f"{BEHIND[1]}{later}",
    ]
