"""What nodes tell each other is read from rows: each notice once, whatever commits when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import psycopg
import pytest
import trio

from greenroom.delivery.errors import LeaseLost
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.nodes.notice import NOTICES_KEPT_SECONDS, Notice, What
from greenroom.delivery.journal.node import NoticePage
from greenroom.delivery.journal.nodes import ReadNotices
from greenroom.delivery.journal.postgres.journal import PostgresJournal, open_postgres_journal
from greenroom.delivery.journal.postgres.node_reads import NoticePlace
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, database_of

pytestmark = NEEDS_POSTGRES
ALICE = UserId("alice")


def notice(number: int) -> Notice:
    return Notice(ALICE, What.CANCEL, [str(number)])


@attrs.define
class Reader:
    """Reads a page after the other."""

    journal: PostgresJournal
    place: object

    async def read(self, limit: int = 100) -> list[Notice]:
        return list((await self.page(limit)).notices)

    async def page(self, limit: int = 100) -> NoticePage:
        page = await self.journal.ask(ReadNotices(self.place, limit)).wait()
        self.place = page.place
        return page


@asynccontextmanager
async def two_nodes(directory: Path) -> AsyncIterator[tuple[PostgresJournal, Reader]]:
    """One tells, and one reads."""
    url = database_of(directory)
    async with (
        open_postgres_journal(url, lease_seconds=60) as here,
        open_postgres_journal(url, lease_seconds=60) as there,
    ):
        yield here, Reader(there, there.nodes.place)


async def test_each_notice_is_read_once_and_in_order_and_none_of_the_readers_own(
    tmp_path: Path,
) -> None:
    async with two_nodes(tmp_path) as (here, reader):
        await here.append([notice(1), notice(2)])
        await reader.journal.append([notice(0)])
        assert await reader.read() == [notice(1), notice(2)]
        assert await reader.read() == []
        await here.append([notice(3)])
        assert await reader.read() == [notice(3)]


async def test_many_notices_are_read_page_by_page(tmp_path: Path) -> None:
    async with two_nodes(tmp_path) as (here, reader):
        await here.append([notice(number) for number in range(7)])
        found, more = [], True
        while more:
            page = await reader.page(limit=3)
            found, more = [*found, *page.notices], page.more
        assert found == [notice(number) for number in range(7)]
        assert await reader.read(limit=3) == []


async def test_a_notice_that_is_committed_after_a_later_one_was_read_is_read_once(
    tmp_path: Path,
) -> None:
    async with two_nodes(tmp_path) as (here, reader):
        other = await trio.to_thread.run_sync(psycopg.connect, database_of(tmp_path))
        with other:
            words = "INSERT INTO greenroom.notice (about, what, of) VALUES ('alice', 'cancel', %s)"
            await trio.to_thread.run_sync(other.execute, words, ('["1"]',))
            await here.append([notice(2)])
            assert await reader.read(limit=1) == [notice(2)]
            assert await reader.read() == []
            await trio.to_thread.run_sync(other.commit)
            assert await reader.read() == [notice(1)]
            assert await reader.read() == []


async def test_a_node_that_begins_reads_nothing_that_was_said_before(tmp_path: Path) -> None:
    async with two_nodes(tmp_path) as (here, _):
        await here.append([notice(1)])
        async with open_postgres_journal(database_of(tmp_path)) as later:
            reader = Reader(later, later.nodes.place)
            await here.append([notice(2)])
            assert await reader.read() == [notice(2)]


async def test_old_notices_are_forgotten_and_a_node_that_did_not_look_for_long_is_told_so(
    tmp_path: Path,
) -> None:
    async with two_nodes(tmp_path) as (here, reader):
        await here.append([notice(1)])
        assert isinstance(reader.place, NoticePlace)
        away = attrs.evolve(reader.place, at=reader.place.at - NOTICES_KEPT_SECONDS)
        late = Reader(reader.journal, away)
        assert (await late.page()).missed
        assert not (await late.page()).missed
        assert not (await reader.page()).missed
        with psycopg.connect(database_of(tmp_path)) as admin:
            admin.execute("UPDATE greenroom.notice SET at = at - interval '1 hour'")
        await here.append([notice(2)])
        here.nodes._forget_at = 0.0  # type: ignore[attr-defined]
        with trio.fail_after(60):
            while await trio.to_thread.run_sync(count, database_of(tmp_path)) != 1:  # noqa: ASYNC110
                await trio.sleep(0.05)  # a thread does it


def count(url: str) -> object:
    with psycopg.connect(url) as reader:
        return (reader.execute("SELECT count(*) FROM greenroom.notice").fetchone() or (0,))[0]


async def test_a_node_that_lost_its_lease_tells_nothing(tmp_path: Path) -> None:
    async with two_nodes(tmp_path) as (here, reader):
        with psycopg.connect(database_of(tmp_path)) as admin:
            admin.execute("DELETE FROM greenroom.node WHERE number = %s", (here._lease.number,))
        with pytest.raises(LeaseLost):
            await here.append([notice(1)])
        assert await reader.read() == []
