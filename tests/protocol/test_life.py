"""PROTOCOL.md's heartbeat, limits, and how a connection ends."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import trio
from websockets.exceptions import InvalidStatus

from greenroom.actors.reply import Reply
from greenroom.delivery.journal.memory import MemoryJournal
from tests.protocol.client import opening
from tests.protocol.hours import hours
from tests.protocol.server import crash_user_actor, is_back, serving, token_for

pytestmark = pytest.mark.every_server


def test_the_server_pings_at_its_heartbeat_and_a_pong_keeps_the_socket(connect):
    with hours() as later:
        client = connect(later.server)
        assert client.hello()["heartbeat"] == 25_000
        for _ in range(3):
            later.jump(25)
            assert client.take("ping") == {"type": "ping"}
            client.send("pong")
        assert client.fence() == []


def test_any_frame_counts_as_a_pong(connect):
    with hours() as later:
        client = connect(later.server)
        client.hello()
        for number in range(3):
            later.jump(25)
            client.take("ping")
            client.ask("history", id=str(number), limit=1)


def test_no_pong_closes_4101(connect):
    with serving(heartbeat=0.1) as server:
        client = connect(server)
        client.hello()
        assert client.closed_with() == 4101
        assert [frame["type"] for frame in client.kept] == ["ping", "closing"]
        assert client.take("closing")["reconnect"] is not None


REDELIVERIES = [2.5, 5.0, 10.0, 10.0]
"""Seconds after which events are surely sent again, and at last given up."""


@pytest.mark.requirement("R04")
def test_a_client_that_falls_silent_over_what_it_was_sent_closes_4101(connect):
    with hours() as later:
        client = connect(later.server)
        client.hello()
        client.story()
        later.jump(REDELIVERIES[0])
        assert client.take("events")["replay"] is True  # it is sent them again
        for seconds in REDELIVERIES[1:]:
            later.jump(seconds)
        assert client.closed_with() == 4101
        closing = client.take("closing")
        assert closing["reason"] == "events were not acknowledged"
        assert closing["reconnect"] is not None


@pytest.mark.requirement("R04")
def test_a_client_that_talks_and_never_acknowledges_closes_4103(connect):
    with hours() as later:
        client = connect(later.server)
        client.hello()
        client.story()
        later.jump(REDELIVERIES[0])
        assert client.take("events")["replay"] is True
        client.send("pong")
        for seconds in REDELIVERIES[1:]:
            later.jump(seconds)
        assert client.closed_with() == 4103
        assert client.take("closing")["reason"] == "events were not acknowledged"


def test_a_ping_says_how_far_was_written_to_a_client_that_knows_of_it(connect):
    with hours() as later:
        client, plain = connect(later.server), connect(later.server)
        assert client.hello(features=["position", "unheard-of"])["features"] == ["position"]
        assert plain.hello()["features"] == []
        last = client.story("hello")[-1]["offset"]
        client.send("ack", offset=last)
        later.jump(25)
        assert client.take("ping") == {"type": "ping", "offset": last}
        assert plain.take("ping") == {"type": "ping"}


def test_frames_faster_than_the_limit_close_4507(connect):
    with serving(frames_per_second=0.001, frames_burst=5) as server:
        client, tab = connect(server), connect(server)
        tab.hello()
        client.hello()
        for _ in range(5):
            client.send("pong")
        assert client.closed_with() == 4507
        assert client.take("closing")["code"] == 4507
        assert tab.fence() == []


def test_a_user_gains_no_frames_by_opening_sockets_and_takes_none_from_others(connect):
    with serving(frames_per_second=0.001, frames_burst=10, frames_per_user=1) as server:
        first, second = connect(server), connect(server)
        stranger = connect(server, token_for("a-stranger"))
        for client in (first, second, stranger):
            client.hello()
        for _ in range(8):
            second.fence()
        first.send("pong")
        assert first.closed_with() == 4507
        assert stranger.fence() == []


def test_drain_says_when_to_come_back_then_closes_1001(connect, token, user):
    with serving(drain_seconds=0.5) as server:
        ready, owing = connect(server), connect(server)
        ready.hello()
        ready.story()
        server.run(server.runtime.drain)
        for client in (ready, owing):
            assert client.closed_with() == 1001
            closing = client.take("closing")
            assert closing["code"] == 1001
            assert set(closing["reconnect"]) == {"after_ms", "jitter_ms"}
        with pytest.raises(ConnectionRefusedError), opening(server.port, token):
            pass


@pytest.mark.requirement("R22")
def test_a_crashed_user_actor_closes_4105_and_reconnecting_gets_everything(connect, user, crashes):
    crashes.append("/outbox crashed: KeyError")
    with serving() as server:
        client = connect(server)
        ready = client.hello()
        client.story()
        server.run_sync(crash_user_actor, server, user)
        assert client.closed_with() == 4105
        assert client.take("closing")["reconnect"] is not None
        server.wait_until(lambda: is_back(server, user))
        again = connect(server)
        resumed = again.hello(session=ready["session"], epoch=ready["epoch"], offset=1)
        assert resumed["recovered"] is True
        assert [event["offset"] for event in again.events()] == [2, 3]


class SlowJournal(MemoryJournal):
    """Does not let a user's actor load its user while it is held."""

    held = False

    def ask(self, question, **options):
        if not self.held:
            return super().ask(question, **options)
        reply = Reply()
        trio.lowlevel.spawn_system_task(self.answer_later, question, reply)
        return reply

    async def answer_later(self, question, reply):
        while self.held:  # noqa: ASYNC110  # set from another thread
            await trio.sleep(0.01)
        reply.succeed(await super().ask(question).wait())


@pytest.fixture
def restarting(user, connect, crashes):
    """A server on which the actors of our user restart until the journal lets them."""
    crashes.append("/outbox crashed: KeyError")
    journal = SlowJournal()
    with serving(on=journal) as server:
        client = connect(server)
        client.hello()
        journal.held = True
        server.run_sync(crash_user_actor, server, user)
        assert client.closed_with() == 4105
        try:
            yield server, journal
        finally:
            journal.held = False


@pytest.mark.requirement("R22", "R35")
def test_an_upgrade_while_the_users_actors_restart_waits_for_them(restarting, connect):
    server, journal = restarting
    with ThreadPoolExecutor() as pool:
        late = pool.submit(connect, server)
        server.wait_until(lambda: server.runtime._half_open.statistics().waiting == 1)
        journal.held = False
        assert late.result(10).hello()["recovered"] is False


def test_an_upgrade_is_answered_503_when_they_do_not_come_back(restarting, token):
    server, _ = restarting
    with pytest.raises(InvalidStatus) as refused, opening(server.port, token):
        pass
    response = refused.value.response
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")


def test_stopping_without_draining_closes_1001_as_well(connect):
    with serving() as server:
        client = connect(server)
        client.hello()
    assert client.closed_with() == 1001
