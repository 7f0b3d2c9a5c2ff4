"""A connection over a real socket: what it may send when, and who feels its crash."""

import logging
from contextlib import contextmanager

import pytest
import trio

from greenroom.actors.ref import Ref
from greenroom.delivery.events.ids import EventId, IdSource, RequestId, RunId, ThreadId, UserId
from greenroom.delivery.events.kinds import Kind, class_of
from greenroom.delivery.events.record import Record
from greenroom.delivery.user.messages import DeliverEvents, Unacknowledged
from tests.protocol.client import Client
from tests.protocol.server import serving, token_for

NEW = IdSource()
pytestmark = pytest.mark.requirement("R37")


@pytest.fixture(scope="module")
def server():
    with serving() as server:
        yield server


@contextmanager
def ready(server, user):
    with Client(server.port, token_for(user)) as client:
        client.hello()
        yield client


def record_of(user: str) -> Record:
    kind, thread, run = Kind.FINAL_REPORT, NEW.new(ThreadId), NEW.new(RunId)
    ids = NEW.new(EventId), NEW.new(RequestId)
    body = b'{"kind":"final_report","data":{"report":"a secret of another user"}}'
    return Record(
        UserId(user), 1, ids[0], kind, class_of(kind), thread, run, None, ids[1], 0, None, body
    )


def connection_of(server, client) -> Ref[object]:
    """The actor of a client's connection, found in the tree."""
    (ref,) = [
        child.value
        for user in server.runtime.users.active()
        for child in user.connections.which_children()
        if child.id == client.ready["connection"]
    ]
    return ref


def emit(server, user, *texts):
    async def speak():
        async with server.runtime.run(user=user, agent="speaker") as run:
            for text in texts:
                await run.agent_thinking(text=text)

    server.run(speak)


# R22: nothing before ready


@pytest.mark.requirement("R22")
def test_events_emitted_before_hello_wait_and_flow_in_order_once_ready(server):
    texts = [str(number) for number in range(300)]
    with ready(server, "early") as first, Client(server.port, token_for("early")) as client:
        emit(server, "early", *texts)
        assert len(first.events()) == 302
        client.send("hello", epoch=first.ready["epoch"], offset=0)
        frames = [client.next() for _ in range(4)]
    assert [frame["type"] for frame in frames] == ["ready", *["events"] * 3]
    events = [event for frame in frames[1:] for event in frame["events"]]
    assert [event["offset"] for event in events] == list(range(1, 303))
    assert [event["data"]["text"] for event in events[1:-1]] == texts


@pytest.mark.requirement("R22")
def test_a_socket_that_never_said_hello_is_sent_nothing_but_its_end():
    with serving(hello_deadline=0.2) as server, Client(server.port, token_for("a")) as silent:
        emit(server, "a", "one", "two")
        assert silent.closed_with() == 4102
        assert [frame["type"] for frame in silent.kept] == ["closing"]


@pytest.mark.requirement("R22")
def test_events_emitted_while_one_says_hello_come_once_and_in_order(server):
    async def emit_and_connect():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, hello)
            async with server.runtime.run(user="racing", agent="speaker") as run:
                for number in range(200):
                    await run.agent_thinking(text=str(number))

    with ready(server, "racing") as first, Client(server.port, token_for("racing")) as client:

        def hello():
            client.hello(epoch=first.ready["epoch"], offset=0)

        server.run(emit_and_connect)
        offsets = [event["offset"] for event in client.events()]
    assert offsets == list(range(1, 203))


# R23: supervised and isolated


@pytest.mark.requirement("R22", "R23")
def test_a_record_of_another_user_closes_4505_alerts_and_touches_nobody_else(server, caplog):
    with (
        ready(server, "alice") as client,
        ready(server, "alice") as tab,
        ready(server, "bob") as bob,
    ):
        connection = connection_of(server, client)
        server.run_sync(connection.tell_owed, DeliverEvents([record_of("bob")], False))
        assert client.closed_with() == 4505
        assert [frame["type"] for frame in client.kept] == ["closing"]
        assert client.take("closing")["reconnect"] is None
        assert tab.story()[-1]["kind"] == "agent_completed"
        assert bob.story()[-1]["kind"] == "agent_completed"
        assert client.kept == []
    (alert,) = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert "'alice'" in alert.getMessage()
    assert "'bob'" in alert.getMessage()
    assert "secret" not in caplog.text.replace("a secret of more than", "")


@pytest.mark.requirement("R22")
def test_a_crash_closes_4105_and_leaves_the_other_tab_and_the_run_alone(server, caplog):
    with ready(server, "carol") as client, ready(server, "carol") as tab:
        run = client.ask("say", id="1", body="wait")["run"]
        tab.events(until="agent_thinking")
        server.run_sync(connection_of(server, client).tell_owed, "no message of a connection's")
        assert client.closed_with() == 4105
        assert client.take("closing")["reconnect"] is not None
        assert tab.ask("cancel", id="2", run=run)["ok"] is True
        assert tab.events()[-1]["data"] == {"outcome": "cancelled"}
        server.wait_until(lambda: "crashed" in caplog.text)


@pytest.mark.requirement("R22")
def test_a_connection_lives_under_its_user_and_goes_with_its_socket(server):
    with ready(server, "dave") as client:
        connection = client.ready["connection"]
        path = f"greenroom/users/user:dave/connections/{connection}"
        assert server.run_sync(server.runtime.tree).find(path) is not None
        client.cut()
        server.wait_until(lambda: server.runtime.tree().find(path) is None)


@pytest.mark.requirement("R23")
def test_users_that_take_turns_on_quick_sockets_hear_only_themselves(server):
    for number in range(60):
        user = f"turn-{number % 3}"
        with ready(server, user) as client:
            body = f"said by {user} {number}"
            (said, *_) = client.story(body, id=str(number))
            assert said["data"]["body"] == body
    for number in range(3):
        with ready(server, f"turn-{number}") as client:
            history = client.ask("history", id="h", limit=200)["events"]
            bodies = [e["data"]["body"] for e in history if e["kind"] == "user_said"]
            assert len(bodies) == 20
            assert {body.split()[2] for body in bodies} == {f"turn-{number}"}


@pytest.mark.requirement("R04")
@pytest.mark.parametrize(("since", "code"), [(-1e9, 4103), (1e9, 4101)])
def test_a_client_that_acknowledges_nothing_is_told_whether_it_was_heard_at_all(
    server, since, code
):
    """4103: it talks, and does not acknowledge. 4101: it said nothing meanwhile."""
    with ready(server, "erin") as client:
        server.run_sync(connection_of(server, client).tell_owed, Unacknowledged(since))
        assert client.closed_with() == code
        assert client.take("closing")["reconnect"] is not None
