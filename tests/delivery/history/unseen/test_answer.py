"""Why an event is not seen, for evidence of every make."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.events.ids import ConnectionId, IdSource, SessionId, UserId
from greenroom.delivery.events.kinds import Event, Kind
from greenroom.delivery.events.record import Attempt, Cursor, DeadLetter, Mark, Record
from greenroom.delivery.history.timeline import EventReports, timeline
from greenroom.delivery.history.unseen.answer import WhyUnseen, finding_of
from greenroom.delivery.history.unseen.cause import UnseenCause
from greenroom.delivery.history.unseen.evidence import EventEvidence, LiveUser, UserCrash
from greenroom.delivery.outbox.feed import ConnectionStanding
from greenroom.delivery.outbox.redelivery import Circuit
from greenroom.delivery.user.bans import LATEST
from greenroom.delivery.user.past_connections import PastConnection, PastConnections
from tests.delivery.outbox.three_runs import ALICE, record

pytestmark = [pytest.mark.requirement("R42")]

IDS = IdSource()
SESSION, CONNECTION = IDS.new(SessionId), IDS.new(ConnectionId)
OFFSET, NOW = 5, 1_000_000
CODES = (1000, 1006, 4101, 4104, 4105, 4500, 4504, 4509)
TOOL = record(OFFSET, Kind.TOOL_EXECUTING, tool_name="get_costs", tool_call="call_1")


NOTHING = EventReports()


def evidence(
    about: Record = TOOL, reports: EventReports = NOTHING, **known: object
) -> EventEvidence:
    """Of an event that was accepted, and of which nothing more is known."""
    moment = timeline(about.run, [about], reports).moments[0]
    plain = EventEvidence(
        subject=about.id,
        user=about.user,
        moment=moment,
        chosen="the event that was asked about",
        last=Event.decode(about.body),
        is_open=False,
        is_erased=False,
        was_received=False,
        now=NOW,
    )
    return attrs.evolve(plain, **known)


def standing(**known: object) -> ConnectionStanding:
    plain = ConnectionStanding(CONNECTION, SESSION, 0, 0, False, Circuit.CLOSED, 0)
    return attrs.evolve(plain, **known)


offsets = st.integers(0, 2 * OFFSET)
connections = st.builds(
    ConnectionStanding,
    connection=st.just(CONNECTION),
    session=st.just(SESSION),
    sent=offsets,
    received=offsets,
    is_moving=st.booleans(),
    circuit=st.sampled_from(Circuit),
    failures=st.integers(0, 3),
)
pasts = st.builds(
    PastConnection,
    at=st.floats(0, 2e9),
    code=st.sampled_from(CODES),
    by_server=st.booleans(),
    connection=st.sampled_from([None, CONNECTION]),
    session=st.sampled_from([None, SESSION]),
)
crashes = st.builds(
    UserCrash,
    id=st.just("6nyr6nyr"),
    at=st.floats(0, 2e9),
    path=st.just("greenroom/users/user:alice/outbox"),
    summary=st.text(max_size=20),
)
servers = st.builds(
    LiveUser,
    connections=st.lists(connections, max_size=3).map(tuple),
    unready=st.integers(0, 2),
    past=st.lists(pasts, max_size=3).map(tuple),
    banned_until=st.none() | st.floats(0, 2e9),
    crashes=st.lists(crashes, max_size=3).map(tuple),
    trouble=st.sampled_from(["", "the journal's disk is full"]),
)
reports = st.builds(
    EventReports,
    cursors=st.lists(
        st.builds(Cursor, st.just(ALICE), st.just(SESSION), offsets, offsets, offsets, offsets),
        max_size=2,
    ),
    marks=st.lists(
        st.builds(
            Mark,
            st.just(ALICE),
            st.just(SESSION),
            st.just(OFFSET),
            st.sampled_from(["displayed", "confirmed"]),
            st.none(),
            st.none(),
            st.integers(0, NOW),
        ),
        max_size=2,
    ),
)
known = st.builds(
    evidence,
    reports=reports,
    subject=st.sampled_from([TOOL.id, TOOL.run, ALICE]),
    is_open=st.booleans(),
    is_erased=st.booleans(),
    was_received=st.booleans(),
    now=st.integers(0, 2 * NOW),
    live=st.none() | servers,
)


@given(known)
def test_there_is_one_answer_for_whatever_is_known_and_it_reads_back(known: EventEvidence) -> None:
    found = WhyUnseen.of(known)
    assert found.sentence.endswith((".", "!")) or found.cause is UnseenCause.CRASH_LOOP
    again = WhyUnseen.from_json(found.as_json())
    assert attrs.evolve(again, evidence=tuple(again.evidence)) == found


@given(known)
def test_what_a_tab_displayed_is_never_called_unseen(known: EventEvidence) -> None:
    seen = [sight for sight in known.moment.sights if sight.displayed_at is not None]
    at_work = {UnseenCause.SILENT_AGENT, UnseenCause.AGENT_AT_WORK}
    first = {UnseenCause.ERASED, UnseenCause.JOURNAL_TROUBLE, *at_work}
    assert not seen or finding_of(known).cause in {UnseenCause.SEEN, *first}


def test_an_agent_that_emits_nothing_is_silent_after_half_a_minute() -> None:
    quiet = evidence(subject=ALICE, is_open=True, was_received=True, now=TOOL.at + 30_000)
    found = finding_of(quiet)
    assert found.cause is UnseenCause.SILENT_AGENT
    assert "30 s, since tool_executing get_costs" in found.sentence
    early = finding_of(attrs.evolve(quiet, now=TOOL.at + 3_000))
    assert early.cause is UnseenCause.AGENT_AT_WORK
    assert "tool_executing get_costs 3 s ago" in early.sentence
    for not_yet in ({"now": TOOL.at + 29_999}, {"is_open": False}, {"was_received": False}):
        assert finding_of(attrs.evolve(quiet, **not_yet)).cause is not UnseenCause.SILENT_AGENT


def test_a_run_that_failed_is_why_there_is_no_more_of_it() -> None:
    failed = record(OFFSET, Kind.AGENT_FAILED, reason="timeout")
    found = finding_of(evidence(failed, subject=ALICE, was_received=True))
    assert (found.cause, "(timeout)" in found.sentence) == (UnseenCause.RUN_FAILED, True)
    for other in ({"subject": failed.id}, {"was_received": False}):
        known = attrs.evolve(evidence(failed, subject=ALICE, was_received=True), **other)
        assert finding_of(known).cause is not UnseenCause.RUN_FAILED


def test_a_dead_letter_is_said_to_be_given_up_after_its_attempts() -> None:
    tries = [Attempt(ALICE, SESSION, CONNECTION, 4, 5, number, NOW) for number in (1, 2, 3)]
    letter = DeadLetter(ALICE, OFFSET, TOOL.id, TOOL.kind, "dead_lettered", tries, NOW)
    found = finding_of(evidence(reports=EventReports(letters=[letter])))
    assert (found.cause, "sent 3 times" in found.sentence) == (UnseenCause.GIVEN_UP, True)
    assert str(TOOL.id) in found.advice


@pytest.mark.parametrize(
    ("late", "cause"),
    [
        (standing(circuit=Circuit.OPEN, sent=5, failures=2), UnseenCause.BREAKER_OPEN),
        (standing(circuit=Circuit.HALF_OPEN, sent=5, failures=2), UnseenCause.BREAKER_OPEN),
        (standing(is_moving=True, sent=5), UnseenCause.SLOW_LINK),
        (standing(sent=5), UnseenCause.DEAF_TAB),
        (standing(sent=4), UnseenCause.ON_ITS_WAY),
        (standing(sent=5, received=5), UnseenCause.NOT_CONNECTED),
    ],
)
def test_what_a_live_connection_lacks_is_the_cause(
    late: ConnectionStanding, cause: UnseenCause
) -> None:
    assert finding_of(evidence(live=LiveUser(connections=(late,)))).cause is cause


def test_what_a_connection_was_sent_is_sent_though_the_journal_does_not_know_yet() -> None:
    for sent, stage in [(4, "accepted"), (5, "sent")]:
        live = LiveUser(connections=(standing(sent=sent),))
        assert WhyUnseen.of(evidence(live=live)).stage == stage


def test_a_user_who_is_refused_for_ever_is_told_of_in_words() -> None:
    banned = evidence(live=LiveUser(banned_until=LATEST))
    assert finding_of(banned).cause is UnseenCause.BANNED


def test_a_tab_that_was_cut_off_as_silent_is_said_to_be_so() -> None:
    cut_off = PastConnection(0.0, 4101, by_server=True)
    found = finding_of(evidence(live=LiveUser(past=(cut_off,))))
    assert found.cause is UnseenCause.DEAF_TAB
    assert found.sentence.endswith("since it answered no ping.")
    assert "reload it" in found.advice
    left = finding_of(evidence(live=LiveUser(past=(attrs.evolve(cut_off, by_server=False),))))
    assert left.cause is UnseenCause.CLOSED


def test_a_tab_that_was_given_up_is_said_to_have_had_its_breaker_open() -> None:
    for code in (4101, 4103):
        past = PastConnection(0.0, code, True, CONNECTION, SESSION, given_up=True)
        found = finding_of(evidence(live=LiveUser(past=(past,))))
        assert found.cause is UnseenCause.BREAKER_OPEN
        assert f"code {code}" in found.sentence


def test_crashes_long_ago_and_a_single_one_are_no_loop() -> None:
    crash = UserCrash("6nyr6nyr", NOW / 1000, "outbox", "KeyError")
    before = attrs.evolve(crash, at=NOW / 1000 - 601)
    for few in [(crash,), (before, crash)]:
        assert finding_of(evidence(live=LiveUser(crashes=few))).cause is UnseenCause.NOT_CONNECTED
    assert (
        finding_of(evidence(live=LiveUser(crashes=(crash, crash)))).cause is UnseenCause.CRASH_LOOP
    )


def test_the_newest_connections_of_the_newest_users_are_kept() -> None:
    kept = PastConnections(users=2, each=2)
    ends = [PastConnection(float(at), 1000, by_server=False) for at in range(5)]
    for user in ("ann", "bea", "ann", "cid"):
        for end in ends:
            kept.note(UserId(user), end)
    assert [kept.of(UserId(user)) for user in ("ann", "bea", "cid")] == [
        tuple(ends[3:]),
        (),
        tuple(ends[3:]),
    ]
    kept.forget(UserId("ann"))
    assert kept.of(UserId("ann")) == ()
