"""Folding, whatever a lagging connection missed: what may go goes, and nothing is lost by it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.events.ids import EventId, RunId
from greenroom.delivery.events.kinds import JSON, Event, EventClass, Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.outbox.folding import fold
from tests.delivery.outbox.three_runs import ALICE, RUNS, record

THINKING, PARTIAL, REPORT = Kind.AGENT_THINKING, Kind.PARTIAL_RESULT, Kind.FINAL_REPORT
CRITICAL = [REPORT, Kind.TOOL_EXECUTING, Kind.USER_SAID, Kind.AGENT_COMPLETED]

pytestmark = pytest.mark.requirement("R12")


@st.composite
def logs(draw: st.DrawFn) -> list[Record]:
    """Runs side by side that think, in one go or streaming, and answer, with critical events in
    between."""
    start = draw(st.integers(1, 10_000))
    kinds = st.sampled_from([THINKING, PARTIAL, PARTIAL, *CRITICAL[: draw(st.integers(0, 4))]])
    thoughts = st.none() | st.integers(0, 2)
    one = st.tuples(kinds, st.integers(0, 2), st.text(max_size=5), thoughts)
    return [
        record(start + index, kind, run, text, **_numbers(kind, index, thought))
        for index, (kind, run, text, thought) in enumerate(draw(st.lists(one, max_size=40)))
    ]


def _numbers(kind: Kind, index: int, thought: int | None) -> dict[str, JSON]:
    if kind is not THINKING:
        return {"index": index}
    return {} if thought is None else {"thought": thought, "index": index}


def is_piece(record: Record) -> bool:
    return record.kind is PARTIAL or (record.kind is THINKING and "index" in data(record))


def is_whole_thought(record: Record) -> bool:
    return record.kind is THINKING and not is_piece(record)


def data(record: Record) -> dict[str, JSON]:
    fields: dict[str, JSON] = orjson.loads(record.body)["data"]
    return fields


def end(record: Record) -> int:
    return int(str(data(record).get("through", record.offset)))


def brief(records: Sequence[Record]) -> list[str]:
    """`1-3` for a superseded, else the offset, the run and the text."""
    return [
        f"{each.offset}-{end(each)}"
        if each.kind is Kind.SUPERSEDED
        else f"{each.offset}{'abc'[RUNS.index(each.run)]} {data(each)['text']}"
        for each in records
    ]


@given(logs())
def test_critical_events_are_left_as_they_are_where_they_are(log: list[Record]) -> None:
    folded = fold(log).records
    for offset in [each.offset for each in log if each.event_class is EventClass.CRITICAL]:
        (there,) = [each for each in folded if each.offset <= offset <= end(each)]
        (original,) = [each for each in log if each.offset == offset]
        assert there is original


@given(logs())
def test_superseded_events_explain_every_gap(log: list[Record]) -> None:
    folded = fold(log)
    place = log[0].offset - 1 if log else 0
    stood_for = 0
    for each in folded.records:
        assert each.offset == place + 1
        place = end(each)
        assert place >= each.offset
        if each.kind is Kind.SUPERSEDED:
            stood_for += place - each.offset + 1
    assert place == (log[-1].offset if log else 0)
    assert folded.superseded == stood_for


@given(logs())
def test_a_runs_text_is_whole_and_stands_where_it_stood_among_thoughts_and_events(
    log: list[Record],
) -> None:
    """Read run by run: text that ends at each thing that is left stays the same."""
    folded = fold(log).records
    left = {each.offset for each in folded if each.kind is not Kind.SUPERSEDED}
    for run in RUNS:
        assert _story(folded, run, left) == _story(log, run, left)


def _story(records: Sequence[Record], run: RunId, left: set[int]) -> list[str | EventId]:
    """The run's text in one piece for each stretch without anything else that is left."""
    own = [each for each in records if each.run == run and each.kind is not Kind.SUPERSEDED]
    own = [each for each in own if each.kind is PARTIAL or each.offset in left]
    story: list[str | EventId] = []
    for is_text, some in groupby(own, lambda each: each.kind is PARTIAL):
        if is_text:
            story.append("".join(str(data(each)["text"]) for each in some))
        else:
            story.extend(each.id for each in some)
    return story


@given(logs())
def test_of_each_stretch_every_runs_newest_whole_thought_is_left_and_no_other(
    log: list[Record],
) -> None:
    newest = []
    for is_progress, some in groupby(log, lambda each: each.event_class is EventClass.PROGRESS):
        if is_progress:
            thoughts = {each.run: each for each in some if is_whole_thought(each)}
            newest += thoughts.values()
    left = [each for each in fold(log).records if is_whole_thought(each)]
    assert left == sorted(newest, key=lambda each: each.offset)


@pytest.mark.requirement("R45")
@given(logs())
def test_a_streamed_thought_keeps_every_word_in_one_event_a_stretch(log: list[Record]) -> None:
    assert _thoughts(fold(log).records) == _thoughts(log)
    for _, some in groupby(fold(log).records, lambda each: each.event_class):
        pieces = [each for each in some if is_piece(each) and each.kind is THINKING]
        numbers = [(each.run, data(each)["thought"]) for each in pieces]
        assert len(numbers) == len(set(numbers))


def _thoughts(records: Sequence[Record]) -> dict[tuple[RunId, JSON], str]:
    """The text of each streamed thought."""
    texts: dict[tuple[RunId, JSON], str] = {}
    for each in records:
        if each.kind is THINKING and is_piece(each):
            key = each.run, data(each)["thought"]
            texts[key] = texts.get(key, "") + str(data(each)["text"])
    return texts


@given(logs())
def test_what_a_merged_piece_is_made_of_is_told(log: list[Record]) -> None:
    texts = {each.offset: str(data(each)["text"]) for each in log}
    told: list[int] = []
    for each in fold(log).records:
        if is_piece(each):
            merges = data(each).get("merges", [])
            assert isinstance(merges, list)
            assert merges == sorted(merges)
            offsets = [*merges, each.offset]
            assert data(each)["text"] == "".join(texts[offset] for offset in offsets)
            told += offsets
    assert sorted(told) == [each.offset for each in log if is_piece(each)]


@given(logs())
def test_what_is_left_is_the_event_it_was_but_for_the_text(log: list[Record]) -> None:
    originals = {each.offset: Event.decode(each.body) for each in log}
    for each in fold(log).records:
        event, original = Event.decode(each.body), originals[each.offset]
        assert (each.user, each.offset, each.id) == (ALICE, event.offset, event.id)
        assert (event.id, event.run, event.thread) == (original.id, original.run, original.thread)
        assert (event.parent, event.at) == (original.parent, original.at)
        assert (event.kind, event.event_class) == (each.kind, each.event_class)
        if each.kind is not Kind.SUPERSEDED:
            assert event.kind is original.kind
            numbers = ("index", "thought")
            assert [event.data.get(name) for name in numbers] == [
                original.data.get(name) for name in numbers
            ]
            continue
        assert event.event_class is EventClass.PROGRESS


@given(logs())
def test_what_is_folded_cannot_be_folded_further(log: list[Record]) -> None:
    once = fold(log).records
    assert fold(once).records == once
    assert fold(once).superseded == 0


@given(logs())
def test_what_is_left_of_a_run_is_its_thoughts_and_a_text_around_each(log: list[Record]) -> None:
    for is_progress, some in groupby(
        fold(log).records, lambda each: each.event_class is EventClass.PROGRESS
    ):
        kept = [each for each in some if each.kind is not Kind.SUPERSEDED] if is_progress else []
        thoughts = [each for each in kept if each.kind is THINKING]
        assert len(kept) <= 2 * len(thoughts) + len({each.run for each in kept})
        assert len(thoughts) <= 4 * len({each.run for each in thoughts})


def test_a_stretch_of_one_run_becomes_one_gap_and_what_it_came_to() -> None:
    log = [
        record(4, REPORT),
        record(5, PARTIAL, text="You "),
        record(6, PARTIAL, text="can "),
        record(7, PARTIAL, text="save"),
        record(8, REPORT, text="10%"),
    ]
    assert brief(fold(log).records) == ["4a ", "5-6", "7a You can save", "8a 10%"]
    assert data(fold(log).records[2])["merges"] == [5, 6]


def test_text_before_a_thought_that_is_left_stays_before_it() -> None:
    log = [
        record(1, THINKING, text="hm"),
        record(2, PARTIAL, text="a"),
        record(3, THINKING, text="ah"),
        record(4, PARTIAL, text="b"),
        record(5, THINKING, text="so"),
        record(6, PARTIAL, text="c"),
    ]
    assert brief(fold(log).records) == ["1-3", "4a ab", "5a so", "6a c"]


def test_pieces_of_a_thought_merge_where_its_last_one_stands() -> None:
    log = [
        record(1, THINKING, text="whole"),
        record(2, THINKING, text="Let ", thought=0, index=0),
        record(3, PARTIAL, text="a"),
        record(4, THINKING, text="me see", thought=0, index=1),
        record(5, THINKING, text="So: ", thought=1, index=0),
        record(6, PARTIAL, text="b"),
        record(7, PARTIAL, text="c"),
    ]
    assert brief(fold(log).records) == [
        *("1a whole", "2-2", "3a a", "4a Let me see", "5a So: ", "6-6", "7a bc"),
    ]
    merged = {"text": "Let me see", "thought": 0, "index": 1, "merges": [2]}
    assert data(fold(log).records[3]) == merged


def test_runs_side_by_side_are_folded_each_for_itself() -> None:
    log = [record(n, PARTIAL, run=n % 2, text=str(n)) for n in range(1, 7)]
    assert brief(fold(log).records) == ["1-4", "5b 135", "6a 246"]
