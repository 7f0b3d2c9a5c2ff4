"""What `Usage` counts in one pass is what a naive count of the whole journal finds."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.errors import JournalCorrupt
from greenroom.delivery.events.kinds import TERMINAL, Kind
from greenroom.delivery.events.stages import ReceiptStage, furthest
from greenroom.delivery.events.standings import standings
from greenroom.delivery.history import usage_reader
from greenroom.delivery.history.durations import Durations
from greenroom.delivery.history.usage import MOST_VERDICTS, OTHERS, By, Tally, Usage, UsageEvent
from greenroom.delivery.history.usage_reader import usage_events
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.journal.sqlite.reader import JournalReader
from tests.delivery.history.run_story import NOON, Afternoon, write
from tests.delivery.journal.journal_conformance import records
from tests.delivery.journal.journal_story import execute

pytestmark = pytest.mark.requirement("R38")

DAY = 86_400_000
ACCEPTED, _, RECEIVED, _, CONFIRMED = ReceiptStage


# -- percentiles in bounded memory


durations = st.lists(st.integers(0, 10**9) | st.floats(0, 1e12), min_size=1, max_size=60)


@given(durations, st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_a_percentile_is_right_within_one_per_cent(given: list[float], share: float) -> None:
    counted = Durations()
    for each in given:
        counted.add(each)
    exact = sorted(given)[max(0, math.ceil(share * len(given)) - 1)]
    found = counted.percentile(share)
    assert found is not None
    assert abs(found - exact) <= exact / 100 + 1
    assert counted.count == len(given)


def test_there_is_no_percentile_of_nothing_and_none_below_nothing() -> None:
    counted = Durations()
    assert counted.percentile(0.5) is None
    counted.add(-5_000)  # a clock was set back
    assert counted.percentile(0.5) == 0


def test_a_million_durations_take_no_more_room_than_their_range() -> None:
    counted = Durations()
    for ms in range(1_000_000):
        counted.add(ms)
    assert len(counted._buckets) < 700
    assert counted.percentile(0.95) == pytest.approx(950_000, rel=0.01)


# -- counting


@attrs.define
class Life:
    """A run as it is drawn: what it may still do is what a real one might."""

    name: str
    user: str
    parent: str | None
    began: bool = False
    agent: str | None = None
    ended: bool = False


stages = st.sampled_from([s for s in ReceiptStage if s is not ReceiptStage.SENT])
verdicts = st.sampled_from([None, "good", {"stars": 5}, 3])


@st.composite
def journals(draw: st.DrawFn) -> list[UsageEvent]:
    """Runs of a few users, mixed, over a few days; some began before the first event."""
    lives = [
        Life(f"run{n}", draw(st.sampled_from("ab")), f"run{n - 1}" if n % 3 == 2 else None)
        for n in range(draw(st.integers(1, 5)))
    ]
    for life in lives:
        life.began = draw(st.booleans()) and draw(st.booleans())
    at, events = 0, []
    for _ in range(draw(st.integers(0, 40))):
        at += draw(st.sampled_from([0, 700, DAY // 3]))
        events.append(draw(next_event(draw(st.sampled_from(lives)), at)))
    return events


@st.composite
def next_event(draw: st.DrawFn, life: Life, at: int) -> UsageEvent:
    kinds = [Kind.AGENT_THINKING, Kind.TOOL_EXECUTING, Kind.TOOL_COMPLETED]
    if not life.began and not life.ended:
        kinds = [Kind.USER_SAID, Kind.AGENT_STARTED]
    elif life.agent is None and not life.ended:
        kinds += [Kind.AGENT_STARTED, *TERMINAL]
    elif not life.ended:
        kinds += TERMINAL
    kind = draw(st.sampled_from(sorted(kinds)))
    tool = {"tool_name": draw(st.sampled_from(["x", "y"]))}
    data = {
        Kind.AGENT_STARTED: {"agent": draw(st.sampled_from(["one", "two"]))},
        Kind.TOOL_EXECUTING: tool,
        Kind.TOOL_COMPLETED: tool
        | draw(st.sampled_from([{"error": "E"}, {"result": 1}]))
        | {"duration_ms": draw(st.integers(0, 9_000))},
        Kind.AGENT_COMPLETED: {"outcome": draw(st.sampled_from(["ok", "cancelled"]))},
        Kind.AGENT_FAILED: {"reason": draw(st.sampled_from(["crash", "timeout", "lost"]))},
    }.get(kind, {})
    life.began = True
    life.ended = life.ended or kind in TERMINAL
    life.agent = str(data["agent"]) if kind is Kind.AGENT_STARTED else life.agent
    stage = draw(stages)
    said = draw(st.lists(verdicts, min_size=1, max_size=2)) if stage is CONFIRMED else []
    return UsageEvent(life.user, life.name, life.parent, kind, at, stage, data, said)


def agent_of(event: UsageEvent, journal: list[UsageEvent]) -> str | None:
    """The agent whose run emitted it, if that run's beginning is there."""
    own = [e for e in journal if e.run == event.run]
    place = next(n for n, e in enumerate(own) if e is event)
    end = next((n for n, e in enumerate(own) if e.kind in TERMINAL), len(own))
    if place > end:
        return None
    return next(
        (str(e.data["agent"]) for e in own[: place + 1] if e.kind is Kind.AGENT_STARTED), None
    )


def key_of(event: UsageEvent, by: By | None, journal: list[UsageEvent]) -> str | None:
    match by:
        case By.DAY:
            return datetime.fromtimestamp(event.at / 1000, UTC).date().isoformat()
        case By.USER:
            return event.user
        case By.AGENT:
            return agent_of(event, journal)
    return "all"


def naively(journal: list[UsageEvent], by: By | None) -> dict[str, Tally]:
    """Everything counted by looking at the whole journal again and again."""
    groups: defaultdict[str, Tally] = defaultdict(Tally)
    for event in journal:
        if (key := key_of(event, by, journal)) is not None:
            count_event(groups[key], event)
    for name in {event.run for event in journal}:
        count_run([event for event in journal if event.run == name], by, groups, journal)
    return dict(groups)


def count_event(tally: Tally, event: UsageEvent) -> None:
    tally.kinds[event.kind] += 1
    tally.reached += Counter(s for s in ReceiptStage if RECEIVED <= s <= event.stage)
    tally.users |= {event.user} if event.stage or event.kind is Kind.USER_SAID else set()
    tally.tool_calls += event.kind is Kind.TOOL_EXECUTING
    tally.tool_errors += event.kind is Kind.TOOL_COMPLETED and "error" in event.data
    tally.verdicts += Counter(
        verdict if isinstance(verdict, str) else orjson.dumps(verdict).decode()
        for verdict in event.verdicts
        if verdict is not None
    )


def count_run(
    own: list[UsageEvent],
    by: By | None,
    groups: defaultdict[str, Tally],
    journal: list[UsageEvent],
) -> None:
    openings = [e for e in own if e.kind in (Kind.USER_SAID, Kind.AGENT_STARTED)]
    if by is By.AGENT:
        opening = next((e for e in openings if e.kind is Kind.AGENT_STARTED), None)
    else:
        opening = next(iter(openings), None)
    if opening is None:
        return
    key = key_of(opening, by, journal)
    assert key is not None
    tally = groups[key]
    tally.runs += 1
    tally.sub_runs += opening.parent is not None
    for end in own:
        if end.kind in TERMINAL:
            tally.endings[str(end.data.get("outcome") or end.data.get("reason"))] += 1
            tally.took.add(end.at - openings[0].at)


def numbers(tally: Tally) -> dict[str, object]:
    told = attrs.asdict(tally, recurse=False)
    return told | {"took": tally.took._buckets, "count": tally.took.count}


@given(journals(), st.sampled_from([None, By.DAY, By.USER, By.AGENT]))
def test_one_pass_counts_what_a_naive_count_finds(journal: list[UsageEvent], by: By | None) -> None:
    usage = Usage(by)
    for event in journal:
        usage.add(event)
    total = naively(journal, None).get("all", Tally())
    assert numbers(usage.total) == numbers(total)
    if by is not None:
        expected = {name: numbers(tally) for name, tally in naively(journal, by).items()}
        assert {name: numbers(tally) for name, tally in usage.groups.items()} == expected


@given(journals())
def test_what_was_counted_adds_up(journal: list[UsageEvent]) -> None:
    usage = Usage(By.DAY)
    for event in journal:
        usage.add(event)
    total, groups = usage.total, usage.groups.values()
    assert total.going_on >= 0
    assert sum(group.runs for group in groups) == total.runs
    assert sum(group.events for group in groups) == total.events == len(journal)
    assert sum(tool.calls for tool in usage.tools.values()) == total.tool_calls
    assert sum(tool.errors for tool in usage.tools.values()) == total.tool_errors
    counts = [total.events, *(total.reached[s] for s in range(RECEIVED, CONFIRMED + 1))]
    assert counts == sorted(counts, reverse=True)


def test_runs_that_end_leave_nothing_behind() -> None:
    usage = Usage()
    for n in range(1_000):
        for kind, data in ((Kind.AGENT_STARTED, {"agent": "a"}), (Kind.AGENT_COMPLETED, {})):
            usage.add(UsageEvent("u", f"run{n}", None, kind, n, ACCEPTED, data))
    assert usage.total.runs == 1_000
    assert usage._open == {}


def test_clients_cannot_make_it_remember_ever_more_verdicts() -> None:
    usage = Usage()
    for n in range(2 * MOST_VERDICTS):
        usage.add(UsageEvent("u", "r", None, Kind.FINAL_REPORT, 0, CONFIRMED, {}, [f"v{n}" * 999]))
    assert len(usage.total.verdicts) == MOST_VERDICTS + 1
    assert usage.total.verdicts[OTHERS] == MOST_VERDICTS


# -- reading


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def test_each_event_is_read_with_the_stage_its_emitter_is_told(path: Path) -> None:
    afternoon = Afternoon()
    write(path, *afternoon.entries)
    found = list(usage_events(JournalReader(path)))
    for event, record in zip(found, afternoon.records, strict=True):
        known = furthest(standings(record.offset, afternoon.cursors, afternoon.marks))
        assert event.stage is (ACCEPTED if known is ReceiptStage.SENT else known)
        assert (event.user, event.run, event.kind, event.at) == (
            record.user,
            record.run,
            record.kind,
            record.at,
        )
    assert [event.verdicts for event in found if event.verdicts] == [["good"]]
    assert [event.data.get("agent") for event in found if event.kind is Kind.AGENT_STARTED] == [
        "greeter",
        "analyst",
        "scout",
    ]


def test_it_reads_by_the_chunk_from_a_moment_on_and_over_what_was_trimmed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_reader, "CHUNK", 3)
    write(path, *Afternoon().entries)
    execute(path, "DELETE FROM log WHERE number IN (1, 4, 5, 6)")
    seen: list[tuple[int, int]] = []
    progress = lambda _, done, total: seen.append((done, total))  # noqa: E731  # a list of calls
    found = usage_events(JournalReader(path), since=NOON + 2_800, progress=progress)
    assert [event.at - NOON for event in found] == [2_800, 3_100, 3_200, 4_000, 4_020]
    assert seen == [(3, 11), (6, 11), (9, 11), (11, 11)]


def test_of_an_empty_journal_nothing_is_read(path: Path) -> None:
    write(path)
    assert list(usage_events(JournalReader(path))) == []


def test_a_damaged_event_is_named_with_what_to_do(path: Path) -> None:
    write(path, *Afternoon().entries)
    execute(path, "UPDATE log SET body = CAST('{}' AS BLOB) WHERE number = 3")
    with pytest.raises(JournalCorrupt, match="number 3 is damaged"):
        list(usage_events(JournalReader(path)))


async def test_beside_a_writer_it_counts_what_was_there_when_it_began(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_reader, "CHUNK", 2)
    async with open_sqlite_journal(path) as journal:
        await journal.append(records(1, 5))
        reading = usage_events(JournalReader(path))
        next(reading)
        await journal.append(records(6, 9))
        assert len(list(reading)) == 4


@pytest.mark.requirement("R56")
def test_a_run_that_went_on_after_a_loss_is_one_run_of_its_agent() -> None:
    counted = Usage(By.AGENT)
    for at, (kind, data) in enumerate(
        [
            (Kind.AGENT_STARTED, {"agent": "one"}),
            (Kind.AGENT_STARTED, {"agent": "one", "attempt": 2}),
            (Kind.AGENT_COMPLETED, {"outcome": "ok"}),
        ]
    ):
        counted.add(UsageEvent("a", "run0", None, kind, at, ACCEPTED, data))
    one = counted.groups["one"]
    assert (one.runs, dict(one.endings), counted.total.runs) == (1, {"ok": 1}, 1)
