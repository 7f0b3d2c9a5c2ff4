"""A run's story tells every event of it, in order, and what each session saw of it when."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.policy import Policy
from greenroom.delivery.events.record import Cursor, Mark
from greenroom.delivery.events.stages import Outcome, ReceiptStage, furthest
from greenroom.delivery.events.standings import standings
from greenroom.delivery.history.timeline import EventReports, Moment, Timeline, timeline
from tests.delivery.history.run_story import ALICE, NOON, Afternoon, Author

pytestmark = pytest.mark.requirement("R38")


@pytest.fixture
def afternoon() -> Afternoon:
    return Afternoon()


def told(afternoon: Afternoon, run: RunId) -> Timeline:
    reports = EventReports(afternoon.cursors, afternoon.marks, (), [afternoon.letter])
    return timeline(run, afternoon.records, reports)


def moment_of(story: Timeline, kind: Kind, depth: int = 0) -> Moment:
    return next(m for m in story.moments if (m.event.kind, m.depth) == (kind, depth))


def test_it_tells_the_runs_events_and_its_sub_runs_with_the_time_since_it_began(
    afternoon: Afternoon,
) -> None:
    story = told(afternoon, afternoon.run)
    assert [(m.since, m.depth, str(m.event.kind)) for m in story.moments] == [
        (0, 0, "user_said"),
        (4, 0, "agent_started"),
        (310, 0, "agent_thinking"),
        (500, 0, "tool_executing"),
        (1_750, 0, "tool_completed"),
        (1_800, 1, "agent_started"),
        (2_100, 1, "partial_result"),
        (2_200, 1, "agent_completed"),
        (3_000, 0, "final_report"),
        (3_020, 0, "agent_completed"),
    ]
    assert (story.user, story.agent, story.ending) == (ALICE, "analyst", "ok")
    assert (story.began, story.ended) == (NOON + 1_000, NOON + 4_020)


def test_it_tells_how_long_tools_sub_runs_and_the_run_took(afternoon: Afternoon) -> None:
    story = told(afternoon, afternoon.run)
    assert moment_of(story, Kind.TOOL_COMPLETED).took == 1_249  # as it was measured
    assert moment_of(story, Kind.AGENT_COMPLETED, depth=1).took == 400
    assert moment_of(story, Kind.AGENT_COMPLETED).took == 3_020
    assert moment_of(story, Kind.FINAL_REPORT).took is None


def test_it_tells_which_session_saw_an_event_and_when(afternoon: Afternoon) -> None:
    (laptop,) = moment_of(told(afternoon, afternoon.run), Kind.FINAL_REPORT).sights
    assert (laptop.standing.session, laptop.standing.stage) == (
        afternoon.laptop,
        ReceiptStage.CONFIRMED,
    )
    assert (laptop.received_by, laptop.displayed_at, laptop.confirmed_at) == (
        NOON + 4_060,
        NOON + 4_110,
        NOON + 9_800,
    )
    assert (laptop.standing.verdict, laptop.standing.note) == ("good", "at last")


def test_what_was_displayed_was_received_by_then(afternoon: Afternoon) -> None:
    partial = moment_of(told(afternoon, afternoon.run), Kind.PARTIAL_RESULT, depth=1)
    sights = {sight.standing.session: sight for sight in partial.sights}
    phone = sights[afternoon.phone]
    assert (phone.received_by, phone.displayed_at) == (NOON + 3_180, NOON + 3_180)
    assert sights[afternoon.laptop].received_by == NOON + 4_060


def test_what_was_given_up_is_told_with_its_attempts(afternoon: Afternoon) -> None:
    lost = moment_of(told(afternoon, afternoon.run), Kind.AGENT_COMPLETED)
    assert (lost.stage, lost.outcome) == (ReceiptStage.SENT, Outcome.DEAD_LETTERED)
    assert [attempt.number for attempt in lost.attempts] == [2, 3]
    assert lost.letter == afternoon.letter


def test_an_outcome_is_by_the_policies_it_is_given(afternoon: Afternoon) -> None:
    strict = dict.fromkeys(EventClass, Policy(done=ReceiptStage.DISPLAYED))
    reports = EventReports(afternoon.cursors, afternoon.marks)
    story = timeline(afternoon.run, afternoon.records, reports, strict)
    assert moment_of(story, Kind.TOOL_COMPLETED).outcome is None
    assert moment_of(story, Kind.FINAL_REPORT).outcome is Outcome.DISPLAYED


def test_a_sub_run_is_told_by_itself_and_names_its_parent(afternoon: Afternoon) -> None:
    story = told(afternoon, afternoon.sub_run)
    assert (story.agent, story.parent, story.moments[0].since) == ("scout", afternoon.run, 0)
    assert [m.depth for m in story.moments] == [0, 0, 0]


def test_a_run_that_goes_on_has_no_end_and_a_tool_without_a_time_is_measured() -> None:
    author = Author()
    run = author.run()
    author.tell(0, run, Kind.AGENT_STARTED, agent="a")
    author.tell(10, run, Kind.TOOL_EXECUTING, tool_call="call_1", tool_name="t")
    author.tell(25, run, Kind.TOOL_COMPLETED, tool_call="call_1", tool_name="t", result=None)
    story = timeline(run, author.records, EventReports())
    assert (story.ended, story.ending) == (None, None)
    assert [m.took for m in story.moments] == [None, None, 15]
    assert {m.outcome for m in story.moments} == {None}


def test_a_clock_that_was_set_back_makes_nothing_negative() -> None:
    author = Author()
    run = author.run()
    author.tell(5_000, run, Kind.AGENT_STARTED, agent="a")
    author.tell(0, run, Kind.AGENT_FAILED, error="E", message="m", reason="lost")
    story = timeline(run, author.records, EventReports())
    assert [(m.since, m.took) for m in story.moments] == [(0, None), (0, 0)]
    assert story.ending == "lost"


def test_a_run_of_which_nothing_is_kept_is_refused(afternoon: Afternoon) -> None:
    with pytest.raises(ValueError, match="none of the records belongs to run_"):
        timeline(Author(salt=9).run(), afternoon.records, EventReports())


@st.composite
def forests(draw: st.DrawFn) -> tuple[Author, list[RunId], list[int | None]]:
    """Runs and sub-runs of a user, mixed; `parents[i]` is the place of run i's parent."""
    author = Author()
    parents: list[int | None] = [None]
    for place in range(1, draw(st.integers(1, 6))):
        parents.append(draw(st.none() | st.integers(0, place - 1)))
    runs = [author.run() for _ in parents]

    def parent_of(place: int) -> RunId | None:
        parent = parents[place]
        return None if parent is None else runs[parent]

    for place, run in enumerate(runs):
        author.tell(place, run, Kind.AGENT_STARTED, parent=parent_of(place), agent="a")
    for index, place in enumerate(draw(st.lists(st.integers(0, len(runs) - 1), max_size=20))):
        author.tell(
            10 + index,
            runs[place],
            Kind.PARTIAL_RESULT,
            parent=parent_of(place),
            text="",
            index=index,
        )
    return author, runs, parents


@given(forests(), st.data())
def test_whatever_the_mix_it_holds_a_runs_own_and_its_sub_runs_events(
    forest: tuple[Author, list[RunId], list[int | None]], data: st.DataObject
) -> None:
    author, runs, parents = forest
    chosen = data.draw(st.integers(0, len(runs) - 1))

    def depth(place: int | None, steps: int = 0) -> int | None:
        if place is None or place == chosen:
            return None if place is None else steps
        return depth(parents[place], steps + 1)

    depths = {run: depth(place) for place, run in enumerate(runs)}
    expected = [(r.offset, depths[r.run]) for r in author.records if depths[r.run] is not None]
    story = timeline(runs[chosen], author.records, EventReports())
    assert [(m.event.offset, m.depth) for m in story.moments] == expected


cursors = st.tuples(*[st.integers(0, 12)] * 3).map(sorted)
marks = st.tuples(st.integers(1, 12), st.sampled_from(["displayed", "confirmed"]), st.booleans())


@given(cursors, cursors, st.lists(marks, unique=True))
def test_an_events_stage_is_the_one_its_emitter_is_told(
    one: list[int], two: list[int], marked: list[tuple[int, str, bool]]
) -> None:
    afternoon = Afternoon()
    both = [afternoon.laptop, afternoon.phone]
    reports = EventReports(
        cursors=[
            Cursor(ALICE, session, *numbers, at=0)
            for session, numbers in zip(both, (one, two), strict=True)
        ],
        marks=[
            Mark(ALICE, both[which], offset, stage, None, None, at=0)  # type: ignore[arg-type]  # one of the two
            for offset, stage, which in marked
        ],
    )
    for moment in timeline(afternoon.run, afternoon.records, reports).moments:
        known = standings(moment.event.offset, reports.cursors, reports.marks)
        assert tuple(sight.standing for sight in moment.sights) == known
        assert moment.stage is furthest(known)


def test_a_damaged_event_is_not_told_of(afternoon: Afternoon) -> None:
    bad = attrs.evolve(afternoon.records[1], body=b"{}")
    with pytest.raises(KeyError):
        timeline(afternoon.run, [bad], EventReports())
