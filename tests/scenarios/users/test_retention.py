"""A server that runs for long forgets what is due, and tells clients that come too late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom.delivery.events.ids import SessionId, UserId
from greenroom.delivery.retention import PASS_SECONDS
from tests.face.metrics.scrape import Scrape
from tests.protocol.client import Client
from tests.protocol.hours import Hours, hours
from tests.protocol.server import token_for
from tests.scenarios.stage import JUMPS, offsets

pytestmark = [pytest.mark.requirement("R48"), JUMPS]
SOON = {"critical_seconds": 1.0, "progress_seconds": 1.0, "heartbeat": 150.0}
ALICE = UserId("alice")


@contextmanager
def long_runner(**chosen: object) -> Iterator[Hours]:
    """Outcomes are decided soon, and a socket outlives the time between two passes."""
    with hours(**SOON, **chosen) as later:
        yield later


def forget(later: Hours, through: int) -> None:
    """What was received through this offset gets its outcome, and then a pass begins."""
    journal = later.server.runtime.journal
    while min(later.server.run(journal.settled, ALICE).values()) < through:
        later.jump(2)
    later.jump(PASS_SECONDS)


def first_kept(later: Hours) -> int:
    return later.server.run(later.server.runtime.journal.bounds, ALICE).first


@pytest.mark.parametrize("on_disk", [True, False], ids=["on disk", "in memory"])
def test_a_client_that_comes_too_late_is_told_and_gets_what_is_left(
    tmp_path: Path, on_disk: bool
) -> None:
    journal = str(tmp_path / "g.db") if on_disk else ":memory:"
    with (
        long_runner(journal=journal, keep_events=3) as later,
        Client(later.server.port, token_for("alice")) as client,
    ):
        ready = client.hello()
        told = client.story({"think": 10}, id="think")
        last = told[-1]["offset"]
        client.send("ack", offset=last)
        client.fence()
        scrape = Scrape(later.server)
        forget(later, last)
        scrape.wait("journal_events_forgotten_total", at_least=last - 3, at_most=last - 3)
        assert first_kept(later) == last - 2
        with Client(later.server.port, token_for("alice")) as late:
            again = late.hello(session=ready["session"], epoch=ready["epoch"], offset=2)
            assert again["recovered"] is False
            assert again["from"] == last - 3
            assert again["session"] != ready["session"]
            assert offsets(late.events(until=last)) == [last - 2, last - 1, last]
            page = late.ask("history", id="all", limit=50)
            assert (offsets(page["events"]), page["more"]) == ([last - 2, last - 1, last], False)
        more = client.story("hello")
        assert offsets(more) == list(range(last + 1, last + 1 + len(more))), "the live tab goes on"


@pytest.mark.parametrize("on_disk", [True, False], ids=["on disk", "in memory"])
def test_forgotten_progress_leaves_its_places_and_a_client_resumes_at_them(
    tmp_path: Path, on_disk: bool
) -> None:
    journal = str(tmp_path / "g.db") if on_disk else ":memory:"
    with long_runner(journal=journal, progress_events=1, idle_seconds=5.0) as later:
        with Client(later.server.port, token_for("alice")) as client:
            ready = client.hello()
            told = client.story({"think": 10}, id="think")
            last = told[-1]["offset"]
            client.send("ack", offset=last)
            client.fence()
        forget(later, last)  # meanwhile the user's newest events go from memory
        progress = [each for each in told if each["class"] == "progress"]
        critical = [each["offset"] for each in told if each["class"] == "critical"]
        gone = len(progress)
        Scrape(later.server).wait("journal_events_forgotten_total", at_least=gone, at_most=gone)
        with Client(later.server.port, token_for("alice")) as late:
            seen = progress[0]
            place = {"offset": seen["offset"], "event": seen["id"]}
            again = late.hello(session=ready["session"], epoch=ready["epoch"], **place)
            assert (again["recovered"], again["from"]) == (True, seen["offset"])
            replayed = late.events(until=last)
            assert offsets(replayed) == list(range(seen["offset"] + 1, last + 1))
            places = [each for each in replayed if each["kind"] == "superseded"]
            assert offsets(places) == offsets(progress[1:])
            assert [each["data"]["through"] for each in places] == offsets(places)
            assert [each["id"] for each in places] == [each["id"] for each in progress[1:]]
            page = late.ask("history", id="all", limit=50)
            assert offsets(page["events"]) == critical


def test_what_no_client_received_yet_is_kept_however_old_it_is(tmp_path: Path) -> None:
    with hours(journal=tmp_path / "g.db", keep_events=1, keep_days=1e-9) as later:

        async def speak() -> None:
            async with later.server.runtime.run(user="alice", agent="analyst") as run:
                await run.agent_thinking(text="hm")

        later.server.run(speak)
        for _ in range(3):
            later.jump(PASS_SECONDS)
        assert first_kept(later) == 1
        with Client(later.server.port, token_for("alice")) as client:
            client.hello(epoch=later.server.runtime.journal.epoch, offset=0)
            assert offsets(client.events()) == [1, 2, 3]


def test_the_events_of_a_run_that_goes_on_are_kept(tmp_path: Path) -> None:
    with (
        long_runner(journal=tmp_path / "g.db", keep_events=1) as later,
        Client(later.server.port, token_for("alice")) as client,
    ):
        client.hello()
        done = client.story("hello")[-1]["offset"]
        client.ask("say", id="goes on", body="wait")
        events = client.events(until="agent_thinking")
        last = events[-1]["offset"]
        client.send("ack", offset=last)
        client.fence()
        forget(later, last)
        Scrape(later.server).wait("journal_events_forgotten_total")
        assert first_kept(later) == done + 1


def test_a_session_that_does_not_come_back_is_forgotten_and_its_client_goes_on_where_it_was(
    tmp_path: Path,
) -> None:
    with long_runner(journal=tmp_path / "g.db", session_days=1e-9, idle_seconds=5.0) as later:
        with Client(later.server.port, token_for("alice")) as client:
            ready = client.hello()
            last = client.story("hello")[-1]["offset"]
            client.send("ack", offset=last)
            client.fence()
        journal, session = later.server.runtime.journal, SessionId(ready["session"])
        forget(later, last)
        Scrape(later.server).wait("journal_sessions_forgotten_total")
        assert later.server.run(journal.cursor, ALICE, session) is None
        with Client(later.server.port, token_for("alice")) as client:
            place = {"session": ready["session"], "epoch": ready["epoch"], "offset": last}
            again = client.hello(**place)
            assert again["recovered"] is True
            assert offsets(client.story("more"))[0] == last + 1
        receipts = later.server.run(lambda: later.server.runtime.receipts(user="alice", limit=1))
        assert receipts


def test_metrics_show_how_much_the_journal_has_and_how_old_it_is(tmp_path: Path) -> None:
    with (
        hours(journal=tmp_path / "g.db") as later,
        Client(later.server.port, token_for("alice")) as client,
    ):
        client.hello()
        client.story({"think": 10}, id="think")
        scrape = Scrape(later.server)
        scrape.wait("journal_oldest_event_seconds", at_least=0.001, at_most=3600)
        assert scrape.value("journal_bytes") > 0
        assert scrape.value("journal_free_bytes") >= 0
