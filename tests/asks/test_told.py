"""Operators read a question and its end in a run's timeline."""

from __future__ import annotations

import pytest

from greenroom import JSON, Kind
from greenroom.commands.output.timeline import account
from greenroom.delivery.asks.ask_keys import ask_with_key, has_key
from greenroom.delivery.events.ids import AskId, IdSource, RunId
from greenroom.delivery.history.timeline import EventReports, timeline
from tests.delivery.outbox.three_runs import record

pytestmark = pytest.mark.requirement("R44")


@pytest.mark.parametrize(
    ("kind", "data", "told"),
    [
        (Kind.INPUT_REQUESTED, {"prompt": "Go?", "options": ["yes", "no"]}, 'Go? ["yes","no"]'),
        (Kind.INPUT_REQUESTED, {"prompt": "Where to?"}, "Where to?"),
        (Kind.INPUT_ANSWERED, {"value": {"city": "Rome"}}, '{"city":"Rome"}'),
        (Kind.INPUT_CLOSED, {"reason": "expired"}, "expired"),
    ],
)
def test_a_timeline_tells_a_question_in_its_own_words(
    kind: Kind, data: dict[str, JSON], told: str
) -> None:
    event = record(1, kind, **data)
    [moment] = timeline(event.run, [event], EventReports()).moments
    assert account(moment) == told


def test_a_key_makes_the_same_id_in_every_attempt_and_another_in_every_run() -> None:
    ids = IdSource()
    first, second = ids.new(RunId), ids.new(RunId)
    ask = ask_with_key(first, "charge")
    assert ask == ask_with_key(first, "charge") == AskId.parse(str(ask))
    assert len({ask, ask_with_key(first, "refund"), ask_with_key(second, "charge")}) == 3
    assert has_key(ask)
    assert not has_key(ids.new(AskId))
