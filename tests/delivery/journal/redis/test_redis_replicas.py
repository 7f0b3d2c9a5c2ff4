"""Redis or Valkey with replicas: what `?replicas=` promises, and a fail-over by sentinels."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from greenroom.delivery.errors import JournalUnreachable
from greenroom.testing.journal_conformance.entries import read_offsets, record
from tests.delivery.journal.redis_server import (
    NEEDS_REDIS,
    RedisServer,
    needs,
    opened,
    server_of_its_own,
)
from tests.system.processes import eventually

pytestmark = [NEEDS_REDIS, pytest.mark.requirement("R43")]
ON_DISK = ("--appendonly", "yes", "--appendfsync", "always")
BOTH = [
    pytest.param("redis-server", id="WAIT"),
    pytest.param("valkey-server", id="WAITAOF", marks=needs("valkey-server")),
]


@contextmanager
def primary_and_replica(program: str) -> Iterator[tuple[RedisServer, RedisServer]]:
    fast = ("--repl-diskless-sync-delay", "0")
    with ExitStack() as stack:
        start = partial(server_of_its_own, *ON_DISK, *fast, program=program)
        primary = stack.enter_context(start())
        replica = stack.enter_context(start("--replicaof", f"127.0.0.1 {primary.port}"))
        yield primary, replica


def is_linked(replica: RedisServer) -> bool:
    return b"master_link_status:up" in replica.command("INFO", "replication")


def commit_of(server: RedisServer) -> bytes:
    return server.command("HGET", "greenroom", "commit")


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    from greenroom.delivery.journal.redis import client, holding

    monkeypatch.setattr(client, "REPLICA_SECONDS", 0.1)
    monkeypatch.setattr(holding, "ANSWER_SECONDS", 0.1)


@pytest.mark.parametrize("program", BOTH)
async def test_an_event_is_accepted_once_the_replica_has_it(program: str) -> None:
    with primary_and_replica(program) as (primary, replica):
        await eventually(lambda: is_linked(replica))
        async with opened(f"{primary.url(0)}?replicas=1") as journal:
            await journal.append([record(1)])
            assert commit_of(replica) == commit_of(primary)
            before = commit_of(primary)
            replica.freeze()
            waiting = journal.append_soon([record(2)])
            await eventually(lambda: commit_of(primary) != before)
            assert not waiting.is_set
            replica.thaw()
            await waiting.wait()
            assert commit_of(replica) == commit_of(primary)


async def test_without_its_replica_emitters_get_a_temporary_error_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with primary_and_replica("redis-server") as (primary, replica):
        await eventually(lambda: is_linked(replica))
        async with opened(f"{primary.url(0)}?replicas=1") as journal:
            await journal.append([record(1)])
            replica.freeze()
            impatient(monkeypatch)
            with pytest.raises(JournalUnreachable, match="waits for its replicas: 0 of 1") as no:
                await journal.append([record(2)])
            assert no.value.temporary
            settled = primary.command("HGET", "greenroom", "settled")
            primary.command("CLIENT", "KILL", "TYPE", "normal")  # a new connection has no writes
            await eventually(lambda: primary.command("HGET", "greenroom", "settled") != settled)
            with pytest.raises(JournalUnreachable):
                await journal.append([record(3)])
            monkeypatch.undo()
            replica.thaw()
            while await read_offsets(journal) != [1, 2]:
                await trio.lowlevel.checkpoint()
            await journal.append([record(3)])
        async with opened(primary.url(0)) as journal:
            assert await read_offsets(journal) == [1, 2, 3]


async def test_after_a_fail_over_the_journal_goes_on_where_the_sentinels_say() -> None:
    with primary_and_replica("redis-server") as (primary, replica):
        await eventually(lambda: is_linked(replica))
        with sentinel_of(primary) as sentinel:
            await eventually(lambda: b"slaves=1" in sentinel.command("INFO", "sentinel"))
            url = f"redis+sentinel://127.0.0.1:{sentinel.port}/0?service=chat"
            async with opened(url) as journal:
                await journal.append([record(1)])
                await eventually(lambda: commit_of(replica) == commit_of(primary))
                primary.stop()
                await journal.append([record(2)])
                assert await read_offsets(journal) == [1, 2]


@contextmanager
def sentinel_of(primary: RedisServer) -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="greenroom-sentinel-") as directory:
        file = Path(directory) / "sentinel.conf"
        file.write_text(
            f"sentinel monitor chat 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds chat 200\nsentinel failover-timeout chat 2000\n"
        )
        sentinel = RedisServer(Path(directory), sentinel=file)
        try:
            yield sentinel
        finally:
            sentinel.stop()
