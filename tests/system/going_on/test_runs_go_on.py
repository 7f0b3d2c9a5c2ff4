"""Runs that go on, on real servers that are killed: at every step, again and again, and stopped."""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import Any

import pytest
import trio

from greenroom.delivery.events.going_on import GoesOn
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.kinds import TERMINAL, Event, Kind
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.user.parts import wall_clock_ms
from greenroom.transport.auth.tokens import sign_token
from tests.delivery.history.run_story import NOON, Author
from tests.delivery.history.whole_runs import flaws
from tests.system.processes import SECRET, Place, eventually, free_port
from tests.system.tab import Tab

ANN = UserId("ann")


def place_in(folder: Path, **environ: str) -> Place:
    return Place(folder, free_port(), "going_on/going_on_server.py", environ)


def tab_of(place: Place, user: str = "ann") -> Tab:
    return Tab("127.0.0.1", place.port, sign_token(SECRET, user, 600))


def ledger(place: Place) -> list[tuple[str, int]]:
    """What was done, and in which attempt."""
    path = place.folder / "ledger"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(what, int(attempt)) for what, _, attempt in (line.split() for line in lines)]


def count(place: Place, what: str) -> int:
    return sum(each == what for each, _ in ledger(place))


async def say_and_die(place: Place, body: dict[str, Any]) -> Tab:
    """The first server, which the user's message kills."""
    tab = tab_of(place)
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.ask(type="say", id="say-1", body=body)
            assert await process.ended() == -signal.SIGKILL
    return tab


async def live_and_die(place: Place) -> None:
    """A server that takes the run up without its user, and is killed by it."""
    async with place.process() as process:
        assert await process.ended() == -signal.SIGKILL


async def events_of(place: Place, user: UserId = ANN) -> list[Event]:
    async with open_sqlite_journal(place.journal) as journal:
        records = await journal.read(user, after=0, limit=100_000, max_bytes=1 << 30)
        assert await journal.open_runs(user) == []
    return [Event.decode(record.body) for record in records]


@pytest.mark.requirement("R56", "R28")
@pytest.mark.parametrize(
    ("where", "charged", "payment"),
    [
        ("before", [2], "pay_2"),
        ("called", [2], "pay_2"),
        ("acted", [1, 2], "pay_2"),  # at least once: it died before that was on record
        ("kept", [1], "pay_1"),
        ("after", [1], "pay_1"),
    ],
)
async def test_wherever_a_step_is_killed_its_run_goes_on_with_one_recorded_result(
    tmp_path: Path, where: str, charged: list[int], payment: str
) -> None:
    place = place_in(tmp_path)
    tab = await say_and_die(place, {"die": {"1": where}})
    async with place.process() as process:
        await process.until_listening()
        await eventually(lambda: count(place, "done") == 1)  # its user is away
        async with tab.connected():
            await tab.until(lambda: ended(tab) == 1)
    assert [attempt for what, attempt in ledger(place) if what == "charged"] == charged
    assert [attempt for what, attempt in ledger(place) if what == "began"] == [1, 2]
    [report] = [each for each in tab.seen if each["kind"] == Kind.FINAL_REPORT]
    assert report["data"]["report"] == {"payment": payment}
    started = [each["data"].get("attempt", 1) for each in top(tab, Kind.AGENT_STARTED)]
    assert started == [1, 2]
    assert [each["data"]["index"] for each in top(tab, Kind.PARTIAL_RESULT)] == [0, 1]
    assert len({each["run"] for each in tab.seen if "parent" not in each}) == 1
    assert list(flaws(await events_of(place))) == []


def top(tab: Tab, kind: Kind) -> list[Any]:
    return [each for each in tab.seen if each["kind"] == kind and "parent" not in each]


@pytest.mark.requirement("R56")
async def test_a_run_that_kills_every_server_ends_as_lost_after_its_attempts(
    tmp_path: Path,
) -> None:
    place = place_in(tmp_path)
    tab = await say_and_die(place, {"die": {"1": "before", "2": "acted", "3": "before"}})
    await live_and_die(place)
    await live_and_die(place)
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.until(lambda: ended(tab) == 1)
            assert tab.seen[-1]["data"]["reason"] == "lost"
            assert (await tab.ask(type="say", id="say-2", body={}))["ok"], "the next one is served"
            await tab.until(lambda: ended(tab) == 2)
    assert [attempt for what, attempt in ledger(place) if what == "began"] == [1, 2, 3, 1]
    assert list(flaws(await events_of(place))) == []


@pytest.mark.requirement("R56")
async def test_a_run_that_was_killed_after_its_report_is_completed(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    tab = await say_and_die(place, {"die": {"1": "reported"}})
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.until(lambda: ended(tab) == 1)
    assert count(place, "began") == 1


@pytest.mark.requirement("R56")
async def test_a_run_that_an_orderly_stop_cuts_goes_on_with_the_next_server(
    tmp_path: Path,
) -> None:
    place = place_in(tmp_path, GREENROOM_DRAIN_SECONDS="0.2")
    tab = tab_of(place)
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.ask(type="say", id="say-1", body={"hang": True})
            await eventually(lambda: count(place, "began") == 1)
            process.handle.send_signal(signal.SIGTERM)
            assert await process.ended() == 0
    assert not [each for each in tab.seen if each["kind"] in TERMINAL and "parent" not in each]
    async with place.process() as process:
        await process.until_listening()
        await eventually(lambda: count(place, "began") == 2)
        async with tab.connected():
            reply = await tab.ask(type="cancel", id="stop", run=tab.seen[0]["run"])
            assert reply["ok"]
            await tab.until(lambda: ended(tab) == 1)
            assert tab.seen[-1]["data"] == {"outcome": "cancelled"}
    assert list(flaws(await events_of(place))) == []


@pytest.mark.requirement("R56", "R27")
async def test_a_drain_leaves_a_run_that_backs_off_to_the_next_server(tmp_path: Path) -> None:
    place = place_in(tmp_path, ATTEMPTS="100", GREENROOM_DRAIN_SECONDS="600")
    run = await keep_run(place, attempts=10)  # the next one is a minute away
    tab = tab_of(place)
    for _ in range(2):
        async with place.process() as process:
            await process.until_listening()
            async with tab.connected():  # its user has actors, which have the run
                process.handle.send_signal(signal.SIGTERM)
                assert await process.ended() == 0
    assert (tab.seen, count(place, "began")) == ([], 0)
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            assert (await tab.ask(type="cancel", id="stop", run=run))["ok"]
            await tab.until(lambda: ended(tab) == 1)
    assert tab.seen[-1]["data"] == {"outcome": "cancelled"}


async def keep_run(place: Place, attempts: int) -> RunId:
    """What a server leaves that was killed in an attempt which had just begun."""
    author = Author(ANN)
    run, now = author.run(), wall_clock_ms() - NOON
    async with open_sqlite_journal(place.journal) as journal:
        said = author.tell(now, run, Kind.USER_SAID, body={}, say="say-1")
        await journal.append([said, GoesOn(ANN, run, "agent")])
        for _ in range(attempts):
            await journal.append([author.tell(now, run, Kind.AGENT_STARTED, agent="agent")])
    return run


@pytest.mark.requirement("R56", "R27")
async def test_what_its_user_stopped_is_cancelled_whatever_happens_to_the_server_then(
    tmp_path: Path,
) -> None:
    place, tab = place_in(tmp_path), None
    async with place.process() as process:
        await process.until_listening()
        tab = tab_of(place)
        async with tab.connected():
            said = await tab.ask(type="say", id="1", body={"hang": True, "shielded": True})
            await eventually(lambda: count(place, "began") == 1)
            assert (await tab.ask(type="cancel", id="stop", run=said["run"]))["ok"]
            process.handle.kill()
            await process.ended()
    async with place.process() as process:
        await process.until_listening()
        async with tab.connected():
            await tab.until(lambda: ended(tab) == 1)
    assert tab.seen[-1]["data"] == {"outcome": "cancelled"}
    assert count(place, "began") == 1


@pytest.mark.requirement("R56", "R35")
async def test_ten_kills_at_any_moment_and_every_run_ends_with_one_result_and_no_event_twice(
    tmp_path: Path,
) -> None:
    place = place_in(tmp_path, ATTEMPTS="100")
    chance, users = random.Random(56), ["ann", "bob", "cyd"]
    tabs = [tab_of(place, user) for user in users]
    for number in range(10):
        async with place.process() as process:
            await process.until_listening()
            for tab in tabs:
                async with tab.connected():
                    await tab.ask(type="say", id=f"say-{number}", body={})
            await trio.sleep(chance.random() / 20)  # a moment for the kill, not one to wait for
            process.handle.kill()
            await process.ended()
    async with place.process() as process:
        await process.until_listening()
        for tab in tabs:
            async with tab.connected():
                await tab.until(lambda tab=tab: ended(tab) == 10)  # type: ignore[misc]
    for user in users:
        events = await events_of(place, UserId(user))
        assert list(flaws(events)) == []
        reports = [each for each in events if each.kind is Kind.FINAL_REPORT]
        assert len({each.run for each in reports}) == len(reports) == 10
    for tab in tabs:
        assert len({each["id"] for each in tab.seen}) == len(tab.seen)


def ended(tab: Tab) -> int:
    return len([each for each in tab.seen if each["kind"] in TERMINAL and "parent" not in each])
