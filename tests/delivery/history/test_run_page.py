"""A run's timeline in pages is the whole one, whatever else the user's log has in between."""

from __future__ import annotations

import pytest

from greenroom.delivery.errors import UnknownEvent
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.history import run_page
from greenroom.delivery.history.run_page import ReadRunPage, RunPage
from greenroom.delivery.history.timeline import EventReports, Moment, timeline
from greenroom.delivery.history.user_account import ReadUserAccount
from greenroom.delivery.journal.memory import MemoryJournal
from tests.delivery.history.run_story import ALICE, NOON, Afternoon, Author

pytestmark = pytest.mark.requirement("R38")


@pytest.fixture
async def journal() -> MemoryJournal:
    return MemoryJournal()


async def pages(journal: MemoryJournal, question: ReadRunPage) -> list[RunPage]:
    found = [await journal.ask(question).wait()]
    while (after := found[-1].after) is not None:
        following = ReadRunPage(question.run, after, question.limit)
        found.append(await journal.ask(following).wait())
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_the_pages_are_the_timeline(
    journal: MemoryJournal, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_page, "LOOKED_THROUGH", 4)
    afternoon = Afternoon()
    await journal.append(afternoon.entries)
    reports = EventReports(
        afternoon.cursors, afternoon.marks, afternoon.letter.attempts, [afternoon.letter]
    )
    expected = timeline(afternoon.run, afternoon.records, reports).moments
    found = await pages(journal, ReadRunPage(afternoon.run, None, limit))
    moments: list[Moment] = [moment for page in found for moment in page.moments]
    assert [_without_took(each) for each in moments] == [_without_took(each) for each in expected]
    assert moments[-1].took == 3_020, "the run's beginning is known on every page"
    assert all(len(page.moments) <= limit for page in found)


def _without_took(moment: Moment) -> tuple[object, ...]:
    """A sub-run that began on an earlier page has no duration on a later one."""
    return moment.event, moment.since, moment.depth, moment.sights, moment.letter, moment.outcome


async def test_a_sub_run_of_a_sub_run_is_found_where_a_page_begins_amid_it(
    journal: MemoryJournal,
) -> None:
    author = Author()
    run, sub, deep, other = (author.run() for _ in range(4))
    author.tell(0, run, Kind.AGENT_STARTED, agent="a")
    author.tell(1, sub, Kind.AGENT_STARTED, run, agent="b")
    author.tell(2, deep, Kind.AGENT_STARTED, sub, agent="c")
    author.tell(3, other, Kind.AGENT_STARTED, agent="d")
    author.tell(4, deep, Kind.AGENT_THINKING, sub, text="hm")
    await journal.append(author.records)
    page = await journal.ask(ReadRunPage(run, 3, 10)).wait()
    assert [(str(m.event.kind), m.depth) for m in page.moments] == [("agent_thinking", 2)]
    assert page.after is None
    assert page.goes_on


async def test_a_run_that_is_unknown_or_erased_is_said_to_be(journal: MemoryJournal) -> None:
    afternoon = Afternoon()
    await journal.append(afternoon.entries)
    with pytest.raises(UnknownEvent, match=str(Author(salt=2).run())):
        await journal.ask(ReadRunPage(Author(salt=2).run(), None, 10)).wait()
    thread = afternoon.records[0].thread
    while await journal.erase_thread_soon(ALICE, thread, through=99).wait():
        pass
    with pytest.raises(UnknownEvent, match="no event"):
        await journal.ask(ReadRunPage(afternoon.run, None, 10)).wait()


async def test_an_account_has_a_users_runs_sessions_and_letters(journal: MemoryJournal) -> None:
    afternoon = Afternoon()
    await journal.append(afternoon.entries)
    account = await journal.ask(ReadUserAccount(ALICE)).wait()
    assert [(each.run, each.agent, each.ending) for each in account.runs] == [
        (afternoon.run, "analyst", "ok"),
        (afternoon.sub_run, "scout", "ok"),
        (afternoon.other, "greeter", "ok"),
    ]
    assert account.runs[0].began == NOON + 1_000
    assert [each.session for each in account.sessions] == [afternoon.laptop, afternoon.phone]
    assert [each.event for each in account.letters] == [afternoon.lost.id]
    assert (account.bounds.last, account.older, account.is_kept) == (12, None, True)
    earlier = await journal.ask(ReadUserAccount(ALICE, before=4)).wait()
    assert [(each.run, each.ending) for each in earlier.runs] == [
        (afternoon.run, None),
        (afternoon.other, None),
    ]


async def test_a_run_that_has_ended_has_no_page_after_its_end(
    journal: MemoryJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_page, "LOOKED_THROUGH", 4)
    author = Author()
    run, other = author.run(), author.run()
    author.tell(0, run, Kind.AGENT_STARTED, agent="a")
    author.tell(1, run, Kind.AGENT_COMPLETED, outcome="ok")
    for at in range(2, 12):
        author.tell(at, other, Kind.AGENT_THINKING, text="hm")
    await journal.append(author.records)
    page = await journal.ask(ReadRunPage(run, None, 10)).wait()
    assert (len(page.moments), page.after, page.goes_on) == (2, None, False)
