"""A journal in a Redis Cluster: its slot's server dies, or the slot moves, and nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest
import trio

from greenroom.delivery.errors import JournalFailed, JournalUnreachable
from greenroom.delivery.events.ids import EventId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.redis.nodes.nodes_at import read_nodes_at
from greenroom.delivery.upkeep.journal_export import export_journal
from greenroom.delivery.upkeep.journal_upkeep import no_progress
from greenroom.testing.journal_conformance import Feature
from greenroom.testing.journal_conformance.entries import (
    ALICE,
    BOB,
    PLENTY,
    RUNS,
    read_offsets,
    record,
)
from greenroom.testing.journal_conformance.forgetting import ForgettingClaims
from greenroom.testing.journal_conformance.writers import WriterClaims
from tests.delivery.journal.held_journal import paused
from tests.delivery.journal.journal_story import write_story
from tests.delivery.journal.redis.redis_cluster import (
    RedisCluster,
    named,
    redis_cluster,
)
from tests.delivery.journal.redis_server import (
    NEEDS_REDIS,
    opened,
    redis_server,
)

pytestmark = [NEEDS_REDIS, pytest.mark.requirement("R43")]

_names = count(1)
SOON = 0.02


@pytest.fixture
def cluster() -> RedisCluster:
    return redis_cluster()


@pytest.fixture
def name() -> str:
    """Of a journal on the first master, which has two replicas."""
    return named(next(_names), 0)


class TestOnACluster(WriterClaims, ForgettingClaims):
    """What several servers do, and what removes rows: the rest is the same as without a cluster."""

    lacks: ClassVar[Mapping[Feature, str]] = {}

    def open_journal(self, place: Path) -> AbstractAsyncContextManager[Journal]:
        return opened(redis_cluster().url(place.name))

    def open_node(
        self, place: Path, *, lease_seconds: float
    ) -> AbstractAsyncContextManager[Journal]:
        return opened(redis_cluster().url(place.name), lease_seconds)

    def pause(self, journal: Journal) -> AbstractAsyncContextManager[None]:
        return paused(journal)


class Author:
    """Appends one event after the other; `accepted` are those that were."""

    def __init__(self, journal: Journal, user: UserId) -> None:
        self.journal, self.user = journal, user
        self.accepted: list[EventId] = []
        self.refused = 0

    async def write(self) -> None:
        """Until it is cancelled."""
        offset = 1
        while True:
            event = record(offset, user=self.user)
            try:
                await self.journal.append([event])
            except JournalUnreachable:
                self.refused += 1
                offset = await self._end() + 1
            else:
                self.accepted.append(event.id)
                offset += 1

    async def until_more(self, events: int = 5) -> None:
        wanted = len(self.accepted) + events
        with trio.fail_after(60):
            while len(self.accepted) < wanted:  # noqa: ASYNC110  # nothing announces it
                await trio.sleep(SOON)

    async def _end(self) -> int:
        with trio.fail_after(60):
            while True:
                try:
                    return max(await read_offsets(self.journal, self.user), default=0)
                except JournalUnreachable:
                    await trio.sleep(SOON)


@asynccontextmanager
async def two_authors(url: str) -> AsyncIterator[tuple[Author, Author]]:
    """Two nodes, each of which has an author. In the end all that was accepted is there, once."""
    async with opened(url) as here, opened(url) as there:
        authors = Author(here, ALICE), Author(there, BOB)
        async with trio.open_nursery() as nursery:
            for each in authors:
                nursery.start_soon(each.write)
            yield authors
            nursery.cancel_scope.cancel()
        for each in authors:
            for journal in (here, there):
                await check(each, journal)


async def check(author: Author, journal: Journal) -> None:
    found = await journal.read(author.user, after=0, limit=PLENTY, max_bytes=PLENTY)
    assert [each.offset for each in found] == list(range(1, len(found) + 1))
    ids = [each.id for each in found]
    assert len(set(ids)) == len(ids)
    assert set(author.accepted) <= set(ids)


async def in_thread(work: Callable[..., object], *arguments: object) -> None:
    await trio.to_thread.run_sync(work, *arguments)


async def test_when_a_master_dies_its_replica_goes_on_and_has_all_that_was_accepted(
    cluster: RedisCluster, name: str
) -> None:
    async with two_authors(cluster.url(name, "replicas=2")) as authors:
        for each in authors:
            await each.until_more()
        master = cluster.master_of(name)
        replica = cluster.replicas_of(master)[0]
        master.stop()
        await in_thread(cluster.fail_over, master, replica)
        for each in authors:
            await each.until_more()
    assert cluster.master_of(name) is replica


async def test_a_slot_that_moves_takes_all_of_its_journal_along(
    cluster: RedisCluster, name: str
) -> None:
    async with two_authors(cluster.url(name)) as authors:
        for each in authors:
            await each.until_more()
        source, target = cluster.master_of(name), cluster.servers[1]
        with cluster.moving(name, source, target) as move:
            for each in authors:
                await each.until_more()
            move(2)
            with pytest.raises(JournalUnreachable, match="slot"):
                async with opened(cluster.url(name)):
                    pass
        for each in authors:
            await each.until_more()
    assert cluster.master_of(name) is target


async def test_a_commit_that_empties_a_hash_and_fills_it_again_is_whole_while_its_slot_moves(
    cluster: RedisCluster, name: str
) -> None:
    source, target = cluster.servers[2], cluster.servers[1]
    name = named(next(_names), 2)
    async with opened(cluster.url(name)) as journal:
        users = (ALICE, BOB)  # so that the number of the run that ends is not the next one's
        await journal.append([record(1, user=each, kind=Kind.AGENT_STARTED) for each in users])
        with cluster.moving(name, source, target):
            ended = record(2, kind=Kind.AGENT_COMPLETED)
            await journal.append([ended, record(3, kind=Kind.AGENT_STARTED, run=RUNS[1])])
    async with opened(cluster.url(name)) as journal:
        assert [run.run for run in await journal.open_runs(ALICE)] == [RUNS[1]]
        assert await read_offsets(journal) == [1, 2, 3]


def test_an_import_whose_slot_begins_to_move_changes_nothing(
    cluster: RedisCluster,
) -> None:
    from coredis.exceptions import ResponseError

    from greenroom.delivery.journal.redis.rows import Change
    from greenroom.delivery.upkeep.redis.staging import staging
    from greenroom.delivery.upkeep.redis.whole_redis import held

    name = named(next(_names), 2)
    source, target = cluster.servers[2], cluster.servers[1]
    root = f"greenroom:{{{name}}}"
    with held(cluster.url(name), "the-epoch") as mirror:
        with mirror.database as database:
            database.execute("INSERT INTO meta VALUES ('a', 'b')")
        with staging(mirror.holding) as stage:
            stage.bring([Change("meta", None, (each,), (each, "x")) for each in "cd"])
            stage.bring([Change("ban", "zoe", ("zoe",), ("zoe", 1))])
            before = [source.command("HGETALL", f"{root}{each}") for each in ("", ":rows:meta")]
            refused = pytest.raises(ResponseError, match="non local key")
            with cluster.moving(name, source, target), refused:
                stage.take()
    after = [target.command("HGETALL", f"{root}{each}") for each in ("", ":rows:meta")]
    assert after == before


async def test_nodes_hear_of_each_other_through_channels_of_the_shard(
    cluster: RedisCluster, name: str
) -> None:
    url = cluster.url(name)
    async with opened(url) as here, opened(url) as there:
        with trio.fail_after(30):
            while not all(each.nodes and each.nodes.hears for each in (here, there)):  # noqa: ASYNC110
                await trio.sleep(SOON)
        master = cluster.master_of(name)
        assert master.command("PUBSUB", "SHARDCHANNELS").count(f"{{{name}}}".encode()) == 2
        assert master.command("PUBSUB", "CHANNELS") == b"*0\r\n"


async def test_journals_of_two_names_know_nothing_of_each_other(cluster: RedisCluster) -> None:
    names = [named(next(_names), 1) for _ in range(2)]
    async with opened(cluster.url(names[0])) as one, opened(cluster.url(names[1])) as other:
        await one.append([record(1)])
        assert await read_offsets(other) == []


async def test_a_server_that_does_not_answer_is_passed_over(
    cluster: RedisCluster, name: str
) -> None:
    url = cluster.url(name).replace("127.0.0.1:", "127.0.0.1:1,127.0.0.1:", 1)
    async with opened(url) as journal:
        await journal.append([record(1)])


async def test_a_wrong_password_of_a_cluster_is_named_and_not_shown(
    cluster: RedisCluster, name: str
) -> None:
    with pytest.raises(JournalFailed, match="refuses this service") as refused:
        async with opened(cluster.url(name, login="ann:secret-word@")):
            pass
    assert "secret-word" not in str(refused.value)


def test_an_export_is_imported_into_the_slot_of_a_journal(
    cluster: RedisCluster, name: str, tmp_path: Path
) -> None:
    from greenroom.delivery.upkeep.redis.whole_redis import WholeRedis

    lines, found = list[bytes](), list[bytes]()
    write_story(tmp_path / "journal.db", "alice", "bob")
    export_journal(tmp_path / "journal.db", lines.append)
    there = WholeRedis(cluster.url(name))
    there.import_from(lines, no_progress)
    there.export_to(found.append, no_progress)
    assert found == lines


async def test_a_slot_that_no_server_has_is_waited_for(cluster: RedisCluster) -> None:
    name = named(next(_names), 2)
    with (
        cluster.without_slot(name),
        pytest.raises(JournalUnreachable, match="slot has no server now"),
    ):
        async with opened(cluster.url(name)):
            pass
    async with opened(cluster.url(name)) as journal:
        await journal.append([record(1)])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (lambda _: f"redis+cluster://127.0.0.1:{redis_server().port}", "is no server of a cluster"),
        (lambda cluster: cluster.servers[0].url(0), r"is a server of a cluster.*redis\+cluster://"),
        (lambda cluster: cluster.servers[0].url(1), r"is a server of a cluster.*redis\+cluster://"),
        (lambda cluster: cluster.servers[1].url(0), r"is a server of a cluster.*redis\+cluster://"),
    ],
)
async def test_a_cluster_and_its_scheme_need_each_other(
    url: Callable[[RedisCluster], str], said: str, cluster: RedisCluster
) -> None:
    with pytest.raises(JournalFailed, match=said) as refused:
        async with opened(url(cluster)):
            pass
    assert "\n" not in str(refused.value)
    with pytest.raises(JournalFailed, match=said):
        await trio.to_thread.run_sync(read_nodes_at, url(cluster))
    with pytest.raises(JournalFailed, match=said):
        await trio.to_thread.run_sync(read_nodes_at, url(cluster))
