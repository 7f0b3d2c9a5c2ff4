"""What happens to a journal in Redis when its server refuses, stops, or has no room."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from socket import gaierror

import pytest
import trio

from greenroom.delivery.errors import (
    JournalFailed,
    JournalFull,
    JournalReadOnly,
    JournalTooNew,
    JournalUnreachable,
)
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.redis.errors import in_words
from greenroom.testing.journal_conformance.entries import ALICE, read_offsets, record, records
from tests.delivery.journal.redis_server import (
    NEEDS_REDIS,
    RedisServer,
    number_of,
    opened,
    redis_server,
    redis_url_of,
    server_of_its_own,
)

REDIS_PAGE = Path(__file__).parents[4] / "docs" / "redis.md"

pytestmark = [NEEDS_REDIS, pytest.mark.requirement("R43")]


async def test_a_wrong_password_is_named_and_not_shown() -> None:
    with server_of_its_own() as server:
        server.command("ACL", "SETUSER", "ann", "on", ">right", "~*", "+@all")
        url = server.url(0).replace("://", "://ann:secret-word@")
        with pytest.raises(JournalFailed, match="refuses this service") as refused:
            async with opened(url):
                pass
        assert "secret-word" not in str(refused.value)


async def test_a_user_without_the_rights_is_refused() -> None:
    with server_of_its_own() as server:
        server.command("ACL", "SETUSER", "ann", "on", ">right", "~other:*", "+@all")
        with pytest.raises(JournalFailed, match=r"refuses this service: .*permission"):
            async with opened(server.url(0).replace("://", "://ann:right@")):
                pass


async def test_the_rights_that_the_documentation_names_are_enough_for_nodes() -> None:
    [rights] = re.findall(r"a user of Redis needs (.*?)\.\n", REDIS_PAGE.read_text(), re.DOTALL)
    words = " ".join(re.findall(r"`([^`]+)`", rights)).split()
    with server_of_its_own() as server:
        server.command("ACL", "SETUSER", "ann", "on", ">right", *words)
        url = server.url(0).replace("://", "://ann:right@")
        async with opened(url) as here, opened(url) as there:
            await here.append([record(1)])
            assert await read_offsets(there) == [1]
            with trio.fail_after(30):
                while not (here.nodes and here.nodes.hears):  # noqa: ASYNC110  # nothing tells
                    await trio.sleep(0.02)


async def test_a_server_that_may_drop_events_is_refused() -> None:
    with (
        server_of_its_own("--maxmemory-policy", "allkeys-lru") as server,
        pytest.raises(JournalFailed, match="its maxmemory-policy is allkeys-lru"),
    ):
        async with opened(server.url(0)):
            pass


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((), "keeps no append-only file"),
        (("--appendonly", "yes"), "has appendfsync everysec"),
        (("--appendonly", "yes", "--appendfsync", "always"), ""),
    ],
)
async def test_what_accepted_means_is_said_where_it_is_not_on_the_disk(
    settings: tuple[str, ...], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with server_of_its_own(*settings) as server, caplog.at_level(logging.WARNING):
        async with opened(server.url(0)):
            pass
    assert said in caplog.text
    assert bool(said) == bool(caplog.text)


async def test_a_journal_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    url = redis_url_of(tmp_path)
    async with opened(url) as journal:
        await journal.append([record(1)])
    redis_server().command("HSET", "greenroom", "version", "99", number=number_of(tmp_path))
    with pytest.raises(JournalTooNew, match="has version 99 of a journal"):
        async with opened(url):
            pass
    found = redis_server().command("HGET", "greenroom", "version", number=number_of(tmp_path))
    assert found.split(b"\r\n")[1] == b"99"


async def test_a_replica_is_refused() -> None:
    with server_of_its_own() as server:
        server.command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(JournalReadOnly, match="is a replica"):
            async with opened(server.url(0)):
                pass


async def test_where_no_server_listens_it_is_unreachable() -> None:
    with server_of_its_own() as server:
        server.stop()
        with pytest.raises(JournalUnreachable, match=r"cannot be reached: .*: Connection refused"):
            async with opened(server.url(0)):
                pass


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (TimeoutError(), "cannot connect: no answer in time"),
        (gaierror(-2, "Name or service not known"), "cannot connect: Name or service not known"),
        (ValueError("of no use to an operator"), "cannot connect"),
        (None, "cannot connect"),
    ],
)
def test_why_no_connection_was_made_is_said(cause: Exception | None, said: str) -> None:
    error = ConnectionError("cannot connect")
    error.__cause__ = cause
    assert in_words("Redis at h", error).message == f"Redis at h cannot be reached: {said}"


async def test_without_memory_an_append_is_refused_as_a_whole_and_later_ones_are_kept() -> None:
    with server_of_its_own() as server:
        async with opened(server.url(0)) as journal:
            await journal.append(records(1, 3))
            server.command("CONFIG", "SET", "maxmemory", "1")
            with pytest.raises(JournalFull, match="has no room"):
                await journal.append([record(4)])
            server.command("CONFIG", "SET", "maxmemory", "0")
            await journal.append([record(4)])
            assert await read_offsets(journal) == [1, 2, 3, 4]
        async with opened(server.url(0)) as journal:
            assert await read_offsets(journal) == [1, 2, 3, 4]


async def append_in_the_end(journal: Journal, offset: int) -> None:
    """The journal may have noticed that the server was away, and not yet that it is back."""
    with trio.fail_after(30):
        while True:
            try:
                return await journal.append([record(offset)])
            except JournalUnreachable:
                await trio.sleep(0.02)


async def test_a_server_that_stops_and_comes_back_has_all_that_was_accepted() -> None:
    with server_of_its_own("--appendonly", "yes", "--appendfsync", "always") as server:
        async with opened(server.url(0)) as journal:
            await journal.append(records(1, 2))
            server.stop()
            await trio.to_thread.run_sync(server.start)
            await append_in_the_end(journal, 3)
            assert await read_offsets(journal) == [1, 2, 3]


def test_a_client_loses_nothing_of_itself_by_connections_that_break(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """coredis has at most 64 of them at a time."""
    from coredis.exceptions import ConnectionError as Disconnected

    from greenroom.delivery.journal.redis import client
    from greenroom.delivery.journal.redis.connections.address import RedisAddress

    monkeypatch.setattr(client, "AGAIN_SECONDS", 0)
    server, heard = redis_server(), list[bytes]()
    with closing(client.RedisClient(RedisAddress.of(f"{server.url(0)}?replicas=1"))) as redis:
        redis.listen("channel", heard.append)
        for _ in range(70):
            breaking = threading.Thread(target=_break_soon, args=(server,))
            breaking.start()
            with pytest.raises(Disconnected, match=r"(?i)lost"):
                redis.run_replicated("return {redis.call('INCR', KEYS[1])}", ["n"], [])
            breaking.join()
        assert heard.count(client.LOST) >= 70


def _break_soon(server: RedisServer) -> None:
    """Once a client waits for replicas, and one listens."""
    while b"cmd=wait" not in (clients := server.command("CLIENT", "LIST")):
        pass
    while b" sub=1 " not in clients:
        clients = server.command("CLIENT", "LIST")
    for kind in ("pubsub", "normal"):
        server.command("CLIENT", "KILL", "TYPE", kind)


async def test_numbers_of_records_go_on_after_a_trim_and_a_reopening(tmp_path: Path) -> None:
    url = redis_url_of(tmp_path)
    async with opened(url) as journal:
        await journal.append(records(1, 3))
        await journal.trim(ALICE, through=3)
    async with opened(url) as journal:
        await journal.append([record(4)])
        assert [n async for n in _numbers(tmp_path)] == ["4"]


async def _numbers(directory: Path) -> AsyncIterator[str]:
    found = redis_server().command("HGET", "greenroom", "number", number=number_of(directory))
    yield found.decode().split("\r\n")[1]
