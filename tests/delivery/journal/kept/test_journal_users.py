"""What every journal knows of its users: their ids in order, and their sessions."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import Cursor
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import Question, Reads
from tests.delivery.journal.journal_conformance import ALICE, BOB, IDS, SESSIONS, cursor, record

pytestmark = pytest.mark.requirement("R42")

ALAN, ALI, ZOE = map(UserId, ("alan", "ali", "zoë"))


@attrs.frozen
class _Users(Question[Sequence[UserId]]):
    begins: str = ""
    after: UserId | None = None
    limit: int = 9

    def answer(self, reads: Reads) -> Sequence[UserId]:
        return list(reads.user_list.page(self.begins, self.after, self.limit))


@attrs.frozen
class _Sessions(Question[Sequence[Cursor]]):
    limit: int = 9

    def answer(self, reads: Reads) -> Sequence[Cursor]:
        return list(reads.user_list.sessions(ALICE, self.limit))


async def test_users_are_listed_in_order_by_how_their_ids_begin(journal: Journal) -> None:
    await journal.append([record(1, user=each) for each in (ZOE, BOB, ALICE, ALI, ALAN)])
    await journal.append([record(2), record(3)])
    expected = [ALAN, ALI, ALICE, BOB, ZOE]
    assert await journal.ask(_Users()).wait() == expected
    assert await journal.ask(_Users(limit=2)).wait() == expected[:2]
    assert await journal.ask(_Users(after=ALI)).wait() == expected[2:]
    assert await journal.ask(_Users("al")).wait() == expected[:3]
    assert await journal.ask(_Users("ali", after=ALI)).wait() == [ALICE]
    assert await journal.ask(_Users("b", after=ALAN)).wait() == [BOB]
    assert await journal.ask(_Users("zoë")).wait() == [ZOE]
    assert await journal.ask(_Users("x")).wait() == []


async def test_a_user_whose_events_are_trimmed_or_who_only_came_is_listed(journal: Journal) -> None:
    await journal.append([record(1), cursor(0, user=BOB)])
    await journal.trim(ALICE, through=1)
    assert await journal.ask(_Users()).wait() == [ALICE, BOB]


async def test_an_erased_user_is_not_listed(journal: Journal) -> None:
    await journal.append([record(1), cursor(1)])
    while await journal.erase_user_soon(ALICE).wait():
        pass
    assert await journal.ask(_Users()).wait() == []


async def test_sessions_come_with_the_one_heard_of_last_first(journal: Journal) -> None:
    await journal.append([record(1), record(2), record(1, user=BOB)])
    older, newer = cursor(1), cursor(2, session=SESSIONS[1])
    await journal.append([newer, older, cursor(1, user=BOB, session=IDS.new(type(SESSIONS[0])))])
    assert await journal.ask(_Sessions()).wait() == [newer, older]
    assert await journal.ask(_Sessions(1)).wait() == [newer]
