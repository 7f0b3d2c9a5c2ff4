"""Nodes whose copies of a journal in Redis follow each other's commits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from greenroom.delivery.errors import JournalError, JournalFull, JournalLost, LeaseLost
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Unsaid
from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance.entries import (
    ALICE,
    BOB,
    RUNS,
    read_offsets,
    record,
    records,
)
from tests.delivery.journal.held_journal import paused
from tests.delivery.journal.redis_server import (
    NEEDS_REDIS,
    copy_journal,
    number_of,
    redis_server,
    redis_url_of,
    replace_journal,
)

pytestmark = [NEEDS_REDIS, pytest.mark.requirement("R34")]

BRIEF = 0.4


@asynccontextmanager
async def node(place: Path, lease_seconds: float = 60) -> AsyncIterator[Journal]:
    from greenroom.delivery.journal.redis.journal import open_redis_journal

    async with open_redis_journal(redis_url_of(place), lease_seconds=lease_seconds) as journal:
        yield journal


@pytest.fixture
def only_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes learn of others' commits when they look, and not when these happen."""
    from greenroom.delivery.journal.redis.mirror import CopyProgress

    monkeypatch.setattr(CopyProgress, "is_behind", False)


def command(place: Path, *words: str) -> bytes:
    return redis_server().command(*words, number=number_of(place))


def lease(place: Path) -> bytes:
    return command(place, "HGET", "greenroom:nodes", "1")


async def until_forgotten(place: Path, commits: int) -> None:
    """Redis has so few commits left that a node which stands still cannot follow."""
    with trio.fail_after(30):
        while int(command(place, "XLEN", "greenroom:commits")[1:]) > commits:  # noqa: ASYNC110
            await trio.sleep(0.05)


async def until_appended(journal: Journal, offset: int) -> None:
    """A node that lost its lease goes on as a new one."""
    with trio.fail_after(30):
        while True:
            try:
                return await journal.append([record(offset)])
            except LeaseLost:
                await trio.sleep(0.05)


async def test_a_node_that_is_behind_what_redis_has_left_of_commits_reads_all_again(
    tmp_path: Path,
) -> None:
    async with node(tmp_path, BRIEF) as here, node(tmp_path) as there:
        await here.append(records(1, 2))
        async with paused(here):
            await there.append([record(3), record(1, user=BOB)])
            assert await there.trim(ALICE, through=1)
            await until_forgotten(tmp_path, 1)
        await until_appended(here, 4)
        for each in (here, there):
            assert await read_offsets(each) == [2, 3, 4]
            assert await read_offsets(each, BOB) == [1]


async def test_a_node_that_reads_all_again_finds_that_it_is_another_state(tmp_path: Path) -> None:
    async with node(tmp_path, BRIEF) as here:
        await here.append([record(1)])
        copy_journal(tmp_path)
        await here.append([record(2)])
        async with paused(here):
            replace_journal(tmp_path, "copy")
            async with node(tmp_path) as there:
                await there.append([record(2, kind=Kind.AGENT_STARTED, run=RUNS[1]), record(3)])
                await there.append([record(4)])
                await until_forgotten(tmp_path, 1)
        with pytest.raises(JournalLost, match="another state of the journal"):
            await here.append([record(3)])


async def test_a_run_whose_number_another_users_run_had_is_there_after_a_reopening(
    tmp_path: Path,
) -> None:
    """Both in one commit: SQLite sees one row, which changed its user."""
    async with node(tmp_path) as here, node(tmp_path) as there:
        await here.append([record(1, user=BOB, kind=Kind.AGENT_STARTED)])
        ended = record(2, user=BOB, kind=Kind.AGENT_COMPLETED)
        await here.append([ended, record(1, kind=Kind.AGENT_STARTED, run=RUNS[1])])
        async with node(tmp_path) as later:
            for each in (here, there, later):
                assert await each.open_runs(BOB) == []
                assert [run.run for run in await each.open_runs(ALICE)] == [RUNS[1]]


async def test_rows_of_a_journal_without_nodes_are_read_and_its_runs_taken_over(
    tmp_path: Path,
) -> None:
    from greenroom.delivery.journal.redis.rows import decoded, encoded

    async with node(tmp_path) as first:
        await first.append([record(1, kind=Kind.AGENT_STARTED)])
    place = "greenroom:rows:open_run:{alice}"
    row = command(tmp_path, "HGET", place, "[1]").split(b"\r\n")[1]
    short = encoded(decoded(row)[:6]).decode()
    command(tmp_path, "HSET", place, "[1]", short)
    command(tmp_path, "HSET", "greenroom", "version", "1", "fence", "7")
    async with node(tmp_path) as later:
        assert [run.run for run in await later.open_runs(ALICE)] == [RUNS[0]]
        assert command(tmp_path, "HGET", place, "[1]").split(b"\r\n")[1] != short.encode()
        assert command(tmp_path, "HGET", "greenroom", "fence") == b"$-1\r\n", "it is refused"


async def test_leases_are_renewed_where_redis_has_no_memory_left(tmp_path: Path) -> None:
    async with node(tmp_path, BRIEF) as here, node(tmp_path) as there:
        try:
            command(tmp_path, "CONFIG", "SET", "maxmemory", "1")
            with pytest.raises(JournalFull):
                await here.append([record(1)])
            before = lease(tmp_path)
            with trio.fail_after(30):
                while lease(tmp_path) == before:  # noqa: ASYNC110  # nothing announces it
                    await trio.sleep(0.02)
        finally:
            command(tmp_path, "CONFIG", "SET", "maxmemory", "0")
        await here.append([record(1)])
        assert await read_offsets(there) == [1]


async def test_commits_that_all_nodes_have_are_not_kept(tmp_path: Path) -> None:
    async with node(tmp_path, BRIEF) as here, node(tmp_path, BRIEF):
        for offset in range(1, 30):
            await here.append([record(offset)])
        await until_forgotten(tmp_path, 1)


async def test_a_node_whose_journal_is_gone_writes_nothing_into_the_next_one(
    tmp_path: Path,
) -> None:
    async with node(tmp_path) as gone:
        await gone.append([record(1)])
        replace_journal(tmp_path, "empty")
        async with node(tmp_path) as here:
            before = command(tmp_path, "HGET", "greenroom:nodes", "1").split()[1:]
            with pytest.raises(JournalError):
                await gone.append([record(2)])
            await gone.aclose()
            assert command(tmp_path, "HGET", "greenroom:nodes", "1").split()[2:] == before[1:]
            await here.append([record(1)])


async def test_a_node_that_ended_while_others_waited_for_it_is_not_waited_for_long(
    tmp_path: Path,
) -> None:
    async with node(tmp_path) as here:
        seconds, micros = command(tmp_path, "TIME").split(b"\r\n")[2:5:2]
        ends = int(seconds) * 1000 + int(micros) // 1000 + 300
        command(tmp_path, "HSET", "greenroom", "turn", "99", "turn_ends", str(ends))
        await here.append([record(1)])
        assert command(tmp_path, "HEXISTS", "greenroom", "turn") == b":0\r\n"


async def seek_turn(journal: Journal) -> bool:
    """Ask for the turn, as a node does that is about to commit beside others."""
    from greenroom.delivery.journal.redis.journal import RedisJournal
    from greenroom.delivery.journal.redis.nodes.turn import Seek

    assert isinstance(journal, RedisJournal)
    await journal._thread.call(partial(journal._holding.read_on, Seek.TURN))
    return journal._holding.turn.is_mine


def turn(place: Path) -> bytes:
    return command(place, "HGET", "greenroom", "turn").split(b"\r\n")[1]


async def test_nodes_that_wait_for_the_turn_have_it_in_the_order_in_which_they_asked(
    tmp_path: Path,
) -> None:
    async with node(tmp_path) as one, node(tmp_path) as two, node(tmp_path) as three:
        ends = str(2**53)  # no node is slow
        command(tmp_path, "HSET", "greenroom", "turn", "1", "turn_ends", ends)
        assert [await seek_turn(each) for each in (three, two, three)] == [False] * 3
        for journal, offset, following in ((one, 1, b"3"), (three, 2, b"2")):
            await journal.append([record(offset)])
            assert turn(tmp_path) == following
        await two.append([record(3)])
        assert command(tmp_path, "HEXISTS", "greenroom", "turn") == b":0\r\n"
        assert await read_offsets(one) == [1, 2, 3]


async def test_a_node_that_needs_the_turn_no_more_leaves_it_to_the_next(tmp_path: Path) -> None:
    async with node(tmp_path) as one, node(tmp_path) as two:
        assert await seek_turn(one)
        command(tmp_path, "HSET", "greenroom", "turn_ends", str(2**53))
        assert not await seek_turn(two)
        assert not await one.erase_thread_soon(ALICE, record(1).thread, through=1).wait()
        assert turn(tmp_path) == b"2"


async def test_a_connection_that_was_refused_the_database_is_not_used(tmp_path: Path) -> None:
    """Else it would read and write the journal of another database."""
    from greenroom.delivery.journal.redis.journal import open_redis_journal

    rights = ["on", ">secret", "~greenroom*", "&greenroom*", "+@all"]
    command(tmp_path, "ACL", "SETUSER", "service", *rights)
    url = redis_url_of(tmp_path).replace("://", "://service:secret@")
    try:
        async with open_redis_journal(url, lease_seconds=60) as journal:
            await journal.append([record(1)])
            command(tmp_path, "ACL", "SETUSER", "service", "-select")
            command(tmp_path, "CLIENT", "KILL", "USER", "service")
            with pytest.raises(JournalError):
                await journal.append([record(2)])
            command(tmp_path, "ACL", "SETUSER", "service", "+select")
            await journal.append([record(2)])
            assert await read_offsets(journal) == [1, 2]
    finally:
        command(tmp_path, "ACL", "DELUSER", "service")


async def test_what_a_node_cannot_read_in_its_channel_harms_nothing(tmp_path: Path) -> None:
    async with node(tmp_path) as here, node(tmp_path) as there:
        for message in ("{", "[1]", '["alice","news of a later version",[]]', "\xff"):
            channel = lease(tmp_path).split()[-1].decode()
            command(tmp_path, "PUBLISH", channel, message)
        await there.append([record(1)])
        assert await read_offsets(here) == [1]
        with trio.fail_after(30):
            while not (here.nodes and here.nodes.hears):  # noqa: ASYNC110  # nothing tells
                await trio.sleep(0.02)


@pytest.mark.usefixtures("only_looks")
async def test_an_erasure_by_a_node_that_has_not_followed_yet_erases_what_is_there(
    tmp_path: Path,
) -> None:
    """Its copy has nothing of the user, so it would write nothing, and Redis refuse nothing."""
    async with node(tmp_path) as here, node(tmp_path) as there:
        await here.append(records(1, 2))
        while await there.erase_user_soon(ALICE).wait():
            pass
        assert await read_offsets(here) == []


@pytest.mark.usefixtures("only_looks")
async def test_a_message_is_not_taken_for_said_by_a_node_that_does_not_know_of_its_erasure(
    tmp_path: Path,
) -> None:
    said = [record(1, say="hello"), Unsaid(ALICE, "hello")]
    async with node(tmp_path) as here, node(tmp_path) as there:
        await there.append(said)
        while await here.erase_user_soon(ALICE).wait():
            pass
        await there.append(said)
        assert await read_offsets(here) == [1]


async def test_a_node_that_stood_still_amid_a_commit_tries_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from greenroom.delivery.journal.redis import mirror
    from greenroom.delivery.journal.redis.journal import RedisJournal

    outcomes = iter([True, False])

    def work() -> str:
        if next(outcomes):
            raise mirror.Behind
        return "kept"

    async with node(tmp_path) as here:
        assert isinstance(here, RedisJournal)
        monkeypatch.setattr(mirror, "ANSWER_SECONDS", -1)
        assert await here._thread.call(partial(here._mirror.carry_out, work)) == "kept"
