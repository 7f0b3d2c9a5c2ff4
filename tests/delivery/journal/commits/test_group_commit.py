"""Group commit: appends that wait are committed together, and only the culprit fails."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import outcome
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.delivery.errors import (
    JournalBusy,
    JournalClosed,
    JournalError,
    JournalLost,
    OutOfSequence,
)
from greenroom.delivery.events.ids import BadId, UserId
from greenroom.delivery.journal.commits import committer
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.testing import Neighbour
from tests.delivery.journal.held_journal import open_held
from tests.delivery.journal.journal_conformance import (
    ALICE,
    BACKENDS,
    BOB,
    OpenJournal,
    displayed,
    record,
)

CAROL = UserId("carol")
NONSENSE: Any = object()


@pytest.fixture(params=BACKENDS)
def open_journal(request: pytest.FixtureRequest) -> OpenJournal:
    return BACKENDS[request.param]


async def test_what_is_appended_soon_is_kept_when_it_is_answered(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    async with open_journal(tmp_path) as journal:
        replies = [journal.append_soon([record(n)]) for n in (1, 2, 3)]
        await replies[-1].wait()
        assert all(reply.is_set for reply in replies)
        assert (await journal.bounds(ALICE)).last == 3


async def test_an_append_without_entries_is_answered_after_the_entries_before_it(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    async with open_journal(tmp_path) as journal:
        before = journal.append_soon([record(1, body=b"x" * 100_000)])
        await journal.append_soon(()).wait()
        assert before.is_set


async def test_a_closed_journal_answers_an_append_with_an_error(
    open_journal: OpenJournal, tmp_path: Path
) -> None:
    async with open_journal(tmp_path) as journal:
        accepted = journal.append_soon([record(1)])
        await journal.aclose()
        await accepted.wait()
        with pytest.raises(JournalClosed):
            await journal.append_soon([record(2)]).wait()


async def test_appends_that_wait_are_committed_together(tmp_path: Path) -> None:
    async with open_held(tmp_path) as held:
        replies = [held.append("", record(1, user=UserId(f"user-{n}"))) for n in range(20)]
        held.release()
        for reply in replies:
            await reply.wait()
        assert held.commits.sizes == [20]


async def test_only_the_culprit_of_a_group_fails(tmp_path: Path) -> None:
    async with open_held(tmp_path) as held:
        good = held.append("good", record(1))
        gap = held.append("gap", record(7, user=BOB))
        bad = held.append("bad", attrs.evolve(record(1, user=BOB), run=NONSENSE))
        unkeepable = held.append("unkeepable", attrs.evolve(displayed(1), verdict=NONSENSE))
        late = held.append("late", record(1, user=BOB))
        held.release()
        await good.wait()
        with pytest.raises(OutOfSequence):
            await gap.wait()
        with pytest.raises(BadId):
            await bad.wait()
        with pytest.raises(TypeError, match="not JSON serializable"):
            await unkeepable.wait()
        await late.wait()
        journal = held.journal
        assert (await journal.bounds(ALICE)).last == (await journal.bounds(BOB)).last == 1
        assert sorted(held.commits.errors) == ["BadId", "OutOfSequence", "TypeError"]


async def test_what_fails_all_is_tried_once_and_each_gets_an_error_of_its_own(
    tmp_path: Path,
) -> None:
    async with open_held(tmp_path) as held:
        replies = [held.append("", record(1, user=user)) for user in (ALICE, BOB, CAROL)]
        path = held.journal._file.path
        os.rename(path, f"{path}.moved")
        held.release()
        found = [await reply.wait_outcome() for reply in replies]
        errors = [each.error for each in found if isinstance(each, outcome.Error)]
        assert all(isinstance(error, JournalError) for error in errors)
        assert len(set(map(id, errors))) == 3
        assert held.commits.errors == ["JournalLost"]
        os.rename(f"{path}.moved", path)


@pytest.mark.fault("S11")
async def test_what_one_user_has_much_of_is_committed_behind_what_the_others_have(
    tmp_path: Path,
) -> None:
    async with open_held(tmp_path) as held:
        held.append("much", record(1, body=b"x" * 100_000))
        held.append("nothing")
        held.append("more", record(2))
        held.append("little", record(1, user=BOB))
        held.release()
        await held.append("last").wait()
        assert held.landed == ["little", "much", "nothing", "more", "last"]
        assert held.commits.sizes == [1, 2]
        held.append("little", record(2, user=BOB))
        await held.append("least", record(3)).wait()
        assert held.commits.sizes == [1, 2, 2]


async def test_appends_past_the_bound_are_refused_and_the_others_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "MOST_WAITING", 3)
    async with open_held(tmp_path) as held:
        replies = [held.append("", record(1, user=UserId(f"user-{n}"))) for n in range(4)]
        assert held.journal.statistics().waiting == 4  # three, and the call that holds the thread
        with pytest.raises(JournalBusy, match="wait for the journal's disk"):
            await replies[-1].wait()
        held.release()
        await replies[0].wait()
        await held.append("", record(1)).wait()


async def test_a_callback_that_raises_fails_neither_the_journal_nor_the_others(
    tmp_path: Path,
) -> None:
    def careless(_: object) -> None:
        raise ZeroDivisionError

    async with open_held(tmp_path) as held:
        held.journal.append_soon([record(1)]).then(careless)
        late = held.append("late", record(2))
        held.release()
        await late.wait()
        await held.append("next", record(3)).wait()


@given(st.random_module(), st.data())
@settings(max_examples=40, deadline=None)
def test_appends_of_many_tasks_are_kept_once_each_in_their_users_order(
    seed: object, data: st.DataObject
) -> None:
    """Whatever the order of tasks: each user's offsets follow each other, and none is lost."""
    lengths = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    users = [UserId(f"user-{n}") for n in range(len(lengths))]
    awaits = data.draw(st.lists(st.booleans(), min_size=sum(lengths), max_size=sum(lengths)))
    heavy = data.draw(st.sets(st.integers(0, sum(lengths) - 1), max_size=3))

    async def emit(journal: Journal, user: UserId, length: int) -> None:
        replies = []
        for offset in range(1, length + 1):
            body = b"x" * (100_000 if heavy and awaits[offset - 1] else 10)
            replies.append(journal.append_soon([record(offset, user=user, body=body)]))
            if awaits[offset - 1]:
                await replies[-1].wait_outcome()
        for reply in replies:
            assert isinstance(await reply.wait_outcome(), outcome.Value)

    async def main() -> None:
        with TemporaryDirectory() as directory:
            async with open_sqlite_journal(Path(directory, "journal.db")) as journal:
                async with trio.open_nursery() as nursery:
                    for user, length in zip(users, lengths, strict=True):
                        nursery.start_soon(emit, journal, user, length)
                for user, length in zip(users, lengths, strict=True):
                    found = await journal.read(user, after=0, limit=99, max_bytes=1 << 30)
                    assert [each.offset for each in found] == list(range(1, length + 1))

    trio.run(main)


async def test_an_append_of_nothing_asks_the_disk_too(tmp_path: Path) -> None:
    async with open_sqlite_journal(tmp_path / "j.db") as journal:
        await journal.append([record(1)])
        Neighbour(tmp_path / "j.db").remove()
        with pytest.raises(JournalLost):
            await journal.append([])
