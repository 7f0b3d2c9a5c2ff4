"""What an observer hears of one user's events."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import draft
from greenroom.delivery.events.ids import EventId, IdSource, SessionId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Mark, Record
from greenroom.delivery.observer import Observer
from greenroom.delivery.user.outcomes import reports
from greenroom.delivery.user.outcomes.reports import Account

pytestmark = pytest.mark.requirement("R10")

IDS = IdSource()
ALICE = UserContext.new(user="alice")


class Heard(Observer):
    def __init__(self) -> None:
        self.accepts: list[int] = []
        self.arrivals: list[tuple[Kind, float, int]] = []
        self.shown: list[float] = []

    def accepted(self, records: Sequence[Record]) -> None:
        self.accepts.append(len(records))

    def received(self, kind: Kind, seconds: float, events: int = 1) -> None:
        self.arrivals.append((kind, seconds, events))

    def displayed(self, kind: Kind, seconds: float) -> None:
        self.shown.append(seconds)


def records(*offsets: int, at: int = 1000) -> list[Record]:
    made = draft(
        event=IDS.new(EventId),
        kind=Kind.AGENT_THINKING,
        thread=ALICE.thread,
        run=ALICE.run,
        parent=None,
        request=ALICE.request,
        data={"text": "hm"},
    )
    return [made.record(UserId("alice"), offset, at) for offset in offsets]


def test_a_batch_is_told_once_and_one_ack_once_for_each_time_they_were_accepted() -> None:
    heard = Heard()
    kept = Account(heard)
    kept.kept(records(1, 2, 3))
    kept.kept(records(4, at=2000))
    kept.received(0, 4, now=3500)
    thinking = Kind.AGENT_THINKING
    assert heard.accepts == [3, 1]
    assert heard.arrivals == [(thinking, 2.5, 3), (thinking, 1.5, 1)]


def test_what_a_second_session_acknowledges_was_received_already() -> None:
    heard = Heard()
    kept = Account(heard)
    kept.kept(records(1, 2))
    kept.received(0, 2, now=2000)
    kept.replayed(records(1, 2), lambda offset: offset <= 2)
    kept.received(0, 2, now=9000)
    assert [events for _, _, events in heard.arrivals] == [2]


def test_what_nobody_received_before_a_restart_counts_when_it_is_replayed_and_acknowledged() -> (
    None
):
    heard = Heard()
    kept = Account(heard)
    kept.replayed(records(1, 2), lambda offset: offset == 1)
    kept.received(0, 2, now=61_000)
    assert heard.accepts == []
    assert heard.arrivals == [(Kind.AGENT_THINKING, 60.0, 1)]


def test_a_wall_clock_set_back_gives_no_negative_time() -> None:
    heard = Heard()
    kept = Account(heard)
    kept.kept(records(1))
    kept.received(0, 1, now=10)
    assert heard.arrivals == [(Kind.AGENT_THINKING, 0.0, 1)]


def test_an_ack_far_ahead_costs_no_more_than_what_is_remembered() -> None:
    heard = Heard()
    kept = Account(heard)
    kept.kept(records(10**12))
    kept.received(0, 10**13, now=1000)
    assert heard.arrivals == [(Kind.AGENT_THINKING, 0.0, 1)]


def test_memory_is_bounded_and_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "UNRECEIVED", 2)
    heard = Heard()
    kept = Account(heard)
    kept.kept(records(1, 2, 3))
    kept.received(0, 3, now=1000)
    assert [events for _, _, events in heard.arrivals] == [2]


def test_an_event_counts_as_displayed_once_however_many_sessions_show_it() -> None:
    heard = Heard()
    kept = Account(heard)
    (record,) = records(1)
    for _ in range(2):
        mark = Mark(UserId("alice"), IDS.new(SessionId), 1, "displayed", None, None, at=1500)
        kept.marked(mark, record)
    kept.marked(mark, None)
    assert heard.shown == [0.5]
