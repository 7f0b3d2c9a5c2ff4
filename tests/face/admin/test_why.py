"""Incidents that were planted in a real server, and what `why` says of each."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
import trio

from greenroom import Settings, connect, open_runtime
from greenroom.admin.client import UnknownReference
from greenroom.delivery.history.unseen.cause import UnseenCause
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.testing import open_slow_link
from tests.face.admin.incidents import (
    ALICE,
    FullDisk,
    admin,
    big_reporter,
    cause,
    crash_twice,
    erase_threads,
    report,
    wait_at,
    wait_for,
    why,
)
from tests.face.http_get import get
from tests.protocol.client import Client, refusal
from tests.protocol.server import (
    ADMIN,
    SECRET,
    Server,
    serving,
    token_for,
)

pytestmark = [pytest.mark.requirement("R42")]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(admin_token=ADMIN) as server:
        yield server


def test_a_user_who_was_never_there_was_sent_it_on_no_tab(server: Server) -> None:
    event = report(server)
    assert cause(server, event) is UnseenCause.NOT_CONNECTED
    assert cause(server) is UnseenCause.NOT_CONNECTED


def test_what_a_tab_has_was_received_and_what_it_showed_was_seen(server: Server) -> None:
    with Client(server.port, token_for("alice")) as tab:
        tab.hello()
        event = report(server)
        assert why(server).event != event, "it began before"
        offset = tab.events()[-1]["offset"]
        tab.send("ack", offset=offset)
        tab.fence()
        assert wait_for(server, UnseenCause.NOT_LOOKED_AT).event != event, "its run ended after it"
        tab.send("displayed", offsets=[offset])
        tab.fence()
        assert wait_for(server, UnseenCause.SEEN).stage == "displayed"


def test_a_tab_that_takes_events_and_acknowledges_none_is_deaf(server: Server) -> None:
    with Client(server.port, token_for("alice")) as tab:
        session = tab.hello()["session"]
        report(server)
        tab.events()
        found = wait_for(server, UnseenCause.DEAF_TAB)
    assert session in found.sentence


def test_a_tab_that_never_answers_has_its_breaker_open() -> None:
    with (
        serving(
            admin_token=ADMIN,
            redelivery_delay=0.1,
            redelivery_longest=5.0,
            redelivery_attempts=3,
        ) as server,
        Client(server.port, token_for("alice")) as tab,
    ):
        tab.hello()
        report(server)
        wait_for(server, UnseenCause.BREAKER_OPEN)
        assert tab.closed_with() == 4101
        wait_for(server, UnseenCause.BREAKER_OPEN)


def test_a_token_that_has_expired_is_named_though_its_user_never_came_in(server: Server) -> None:
    report(server)
    assert refusal(server.port, token_for("alice", seconds=-60))[0] == 401
    assert cause(server) is UnseenCause.BAD_TOKEN


def test_a_token_of_another_secret_says_nothing_of_the_user_it_names(server: Server) -> None:
    report(server)
    forged = token_for("alice", seconds=-60, secret="another secret, as long as it must be")
    assert refusal(server.port, forged)[0] == 401
    assert cause(server) is UnseenCause.NOT_CONNECTED


def test_a_session_that_another_tab_took_and_left_is_named(server: Server) -> None:
    with Client(server.port, token_for("alice")) as first:
        session = first.hello()["session"]
        with Client(server.port, token_for("alice")) as second:
            second.hello(session=session)
            assert first.closed_with() == 4504
    report(server)
    assert session in wait_for(server, UnseenCause.TAKEN_OVER).sentence


def test_a_user_who_was_thrown_out_and_one_who_is_refused_are_told_apart(server: Server) -> None:
    with Client(server.port, token_for("alice")) as tab:
        tab.hello()
        admin(server.port).disconnect(ALICE)
        assert tab.closed_with() == 4509
    report(server)
    wait_for(server, UnseenCause.THROWN_OUT)
    admin(server.port).disconnect(ALICE, until=str(time.time() + 3_600))
    assert cause(server) is UnseenCause.BANNED


def test_a_tab_that_was_closed_is_told_with_its_code(server: Server) -> None:
    with Client(server.port, token_for("alice")) as tab:
        tab.hello()
    report(server)
    assert "code 1000" in wait_for(server, UnseenCause.CLOSED).sentence


def test_a_connection_without_hello_is_not_ready(server: Server) -> None:
    report(server)
    with Client(server.port, token_for("alice")):
        wait_for(server, UnseenCause.NOT_READY)


def test_actors_that_crash_again_and_again_are_named_with_their_crash(server: Server) -> None:
    report(server)
    crash_twice(server)
    found = wait_for(server, UnseenCause.CRASH_LOOP)
    (*_, newest) = admin(server.port).crashes()
    assert newest.id in found.advice


def test_a_full_disk_is_why_nothing_newer_comes() -> None:
    with serving(FullDisk(), admin_token=ADMIN) as server:
        report(server)
        assert cause(server) is UnseenCause.JOURNAL_TROUBLE


def test_an_erased_thread_leaves_the_place_of_its_event(server: Server) -> None:
    event = report(server)
    erase_threads(server)
    assert cause(server, event) is UnseenCause.ERASED
    assert cause(server) is UnseenCause.ERASED


async def test_a_link_that_is_slow_is_not_taken_for_a_deaf_tab() -> None:
    settings = Settings(port=0, secret=SECRET, admin_token=ADMIN)
    async with open_runtime(settings, big_reporter, journal=MemoryJournal()) as runtime:
        port = await runtime.listen(page=False)
        async with (
            open_slow_link(port, bytes_per_second=100_000) as link,
            connect(f"ws://127.0.0.1:{link.port}", token=token_for("alice")) as client,
        ):
            await client.say("tell me")
            await trio.to_thread.run_sync(wait_at, port, UnseenCause.SLOW_LINK)


def test_ids_that_nothing_has_and_texts_that_are_none_are_refused(server: Server) -> None:
    for kind in ("evt", "run", "thread"):
        with pytest.raises(UnknownReference):
            why(server, f"{kind}_01m8hm2m8heknawvtyvaj4vv9x")
    for nobody in ("nobody", "zoë/é?"):
        with pytest.raises(UnknownReference):
            why(server, nobody)
    status, body, _ = get(server, "/admin/why/sess_01m8hm2m8heknawvtyvaj4vv9x")
    assert status == 400
    assert "session" in json.loads(body)["error"]
    assert get(server, "/admin/why/%ff")[0] == 400
