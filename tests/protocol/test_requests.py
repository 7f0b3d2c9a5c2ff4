"""PROTOCOL.md, "Client → server": what a client may ask, and what it is answered."""

import threading

import pytest
import trio

from greenroom.actors.reply import Reply
from greenroom.delivery.errors import JournalCorrupt, JournalFull
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.readers import Readers
from greenroom.delivery.journal.reads import ReadHistory
from greenroom.transport.auth.tokens import Identity
from tests.protocol.client import Client
from tests.protocol.server import serving, token_for

pytestmark = pytest.mark.every_server

FILE = "/srv/greenroom.db"
NOT_KEPT = {"code": 4105, "message": "the server could not keep it", "temporary": True}
TEMPORARILY = {"code": 4105, "message": "the server cannot do this now", "temporary": True}
FOR_GOOD = {"code": 4105, "message": "the server failed", "temporary": False}

# say


def test_say_is_answered_with_its_run_and_thread(client):
    reply = client.ask("say", id="mine", body="hello")
    first = client.events()[0]
    assert reply == {
        "type": "reply",
        "id": "mine",
        "ok": True,
        "run": first["run"],
        "thread": first["thread"],
    }


def test_the_same_id_never_starts_two_runs(client, connect):
    first = client.ask("say", id="once", body="hello")
    client.events()
    assert client.ask("say", id="once", body="hello") == first
    tab = connect()
    tab.hello()
    assert tab.ask("say", id="once", body="hello") == first
    assert client.fence() == []
    events = client.ask("history", id="h", limit=200)["events"]
    assert [event["kind"] for event in events].count("user_said") == 1


def test_two_says_with_one_id_at_once_start_one_run(client):
    client.send("say", id="once", body="hello")
    client.send("say", id="once", body="hello")
    assert client.take("reply") == client.take("reply")
    client.events()
    assert client.fence() == []


@pytest.mark.fault("D8")
@pytest.mark.parametrize(
    ("said", "other"), [("hello", "something else"), (1, True), ({"a": 1}, {"a": 1.5}), ("1", 1)]
)
def test_the_id_of_another_message_is_refused_for_good(client, connect, said, other):
    first = client.ask("say", id="once", body=said)
    client.events()
    tab = connect()
    tab.hello()
    error = tab.ask("say", id="once", body=other)["error"]
    assert (error["code"], error["temporary"]) == (4502, False)
    assert "'once'" in error["message"]
    assert client.fence() == []
    assert tab.ask("say", id="once", body=said) == first


@pytest.mark.fault("D8")
def test_the_id_of_a_message_to_another_thread_is_refused(client):
    threads = [client.ask("say", id=each, body="hello")["thread"] for each in "12"]
    assert client.ask("say", id="3", body="hello", thread=threads[0])["ok"] is True
    assert client.ask("say", id="3", body="hello", thread=threads[0])["ok"] is True
    assert client.ask("say", id="3", body="hello")["thread"] == threads[0]
    assert client.ask("say", id="3", body="hello", thread=threads[1])["error"]["code"] == 4502


@pytest.mark.fault("D8")
def test_the_same_object_with_its_keys_in_another_order_is_the_same_message(client):
    first = client.ask("say", id="once", body={"a": 1, "b": [2]})
    assert client.ask("say", id="once", body={"b": [2], "a": 1}) == first


@pytest.mark.fault("D8")
def test_of_two_messages_with_one_id_at_once_one_is_refused(client):
    client.send("say", id="once", body="hello")
    client.send("say", id="once", body="something else")
    replies = [client.take("reply"), client.take("reply")]
    assert sorted(reply["ok"] for reply in replies) == [False, True]
    client.events()
    assert client.fence() == []


def test_an_id_is_the_clients_own_so_two_users_may_choose_the_same(client, connect):
    other = connect(bearing=token_for("eve"))
    other.hello()
    assert client.ask("say", id="1", body=1)["run"] != other.ask("say", id="1", body=1)["run"]


def test_a_thread_is_gone_on_with(client):
    thread = client.ask("say", id="1", body="hello")["thread"]
    reply = client.ask("say", id="2", body="hello", thread=thread)
    assert reply["thread"] == thread
    assert client.ask("say", id="3", body="hello")["thread"] != thread


def test_a_body_is_any_json_value(client):
    for number, body in enumerate([None, 0, [1, {"a": "ü\u2028"}], "x" * 60_000]):
        assert client.story(body, id=str(number))[0]["data"]["body"] == body


# cancel


def test_cancel_stops_the_run_with_outcome_cancelled(client):
    run = client.ask("say", id="1", body="wait")["run"]
    client.events(until="agent_thinking")
    reply = client.ask("cancel", id="2", run=run)
    assert reply == {"type": "reply", "id": "2", "ok": True, "run": run}
    assert client.events()[-1]["data"] == {"outcome": "cancelled"}


def test_closing_the_socket_never_cancels_a_run(client, connect):
    run = client.ask("say", id="1", body="wait")["run"]
    client.events(until="agent_thinking")
    client.connection.close()
    again = connect()
    again.hello()
    assert again.ask("cancel", id="2", run=run)["ok"] is True
    assert again.events()[-1]["data"] == {"outcome": "cancelled"}


def test_a_run_that_is_not_going_on_cannot_be_cancelled(client):
    run = client.ask("say", id="1", body="hello")["run"]
    client.events()
    reply = client.ask("cancel", id="2", run=run)
    assert (reply["ok"], reply["error"]["code"]) == (False, 4502)
    assert run in reply["error"]["message"]


@pytest.mark.requirement("R23")
def test_a_run_of_somebody_else_cannot_be_cancelled(client, connect):
    run = client.ask("say", id="1", body="wait")["run"]
    client.events(until="agent_thinking")
    stranger = connect(bearing=token_for("eve"))
    stranger.hello()
    assert stranger.ask("cancel", id="2", run=run)["ok"] is False
    assert client.fence() == []
    assert client.ask("cancel", id="2", run=run)["ok"] is True


# history


@pytest.mark.requirement("R20")
def test_history_pages_back_through_everything(client):
    events = client.story({"think": 5})
    pages, before = [], None
    while not pages or pages[-1]["more"]:
        place = {} if before is None else {"before": before}
        pages.append(client.ask("history", id=str(before), limit=3, **place))
        before = pages[-1]["events"][0]["offset"]
    assert [len(page["events"]) for page in pages] == [3, 3, 2]
    assert [event for page in reversed(pages) for event in page["events"]] == events
    assert set(pages[0]) == {"type", "id", "ok", "events", "more"}


@pytest.mark.requirement("R20")
def test_history_of_a_thread_holds_that_thread_alone(client):
    first = client.story(id="1")[0]["thread"]
    client.story(id="2")
    client.story(id="3", thread=first)
    page = client.ask("history", id="h", thread=first, limit=200)
    assert [event["offset"] for event in page["events"]] == [1, 2, 3, 7, 8, 9]
    assert page["more"] is False
    older = client.ask("history", id="h2", thread=first, limit=2, before=7)
    assert ([event["offset"] for event in older["events"]], older["more"]) == ([2, 3], True)


@pytest.mark.requirement("R20")
def test_history_survives_reconnect_and_restart(connect, tmp_path):
    with serving(journal=tmp_path / "journal.db") as server, connect(server) as client:
        client.hello()
        events = client.story("everything", id="1") + client.events()
    with serving(journal=tmp_path / "journal.db") as server, connect(server) as client:
        client.hello()
        assert client.ask("history", id="h", limit=200)["events"] == events


@pytest.mark.requirement("R23")
def test_the_history_of_somebody_elses_thread_is_empty(client, connect):
    thread = client.story()[0]["thread"]
    stranger = connect(bearing=token_for("eve"))
    stranger.hello()
    reply = stranger.ask("history", id="h", thread=thread, limit=200)
    assert (reply["events"], reply["more"]) == ([], False)


@pytest.mark.fault("S11")
def test_a_page_of_history_is_bounded_by_bytes(client):
    for number in range(6):
        client.story({"shout": 100_000}, id=str(number))
    page = client.ask("history", id="h", limit=200)
    assert page["more"] is True
    assert sum(len(str(event)) for event in page["events"]) < 300_000
    before = page["events"][0]["offset"]
    assert client.ask("history", id="h2", limit=200, before=before)["events"][-1]["offset"] == (
        before - 1
    )


@pytest.mark.fault("S11")
def test_histories_asked_for_at_once_are_answered_in_their_order(client):
    client.story({"think": 5})
    for number in range(30):
        client.send("history", id=str(number), limit=1 + number % 3)
    replies = [client.take("reply") for _ in range(30)]
    assert [reply["id"] for reply in replies] == [str(number) for number in range(30)]
    assert [len(reply["events"]) for reply in replies] == [1 + number % 3 for number in range(30)]


class Counting(MemoryJournal):
    """Counts pages of history, and how many are read at a time at most."""

    def __init__(self):
        super().__init__()
        self.pages, self.held, self.readers = [], threading.Event(), None
        self.held.set()

    def ask(self, question, **options):
        if not isinstance(question, ReadHistory):
            return super().ask(question, **options)
        self.readers = self.readers or Readers([self.read])
        return self.readers.ask(question, **options)

    def read(self, question):
        self.pages.append(question.user)
        self.held.wait()
        return question.answer(self._store)


def conns(server):
    return [node.path for node in server.runtime.tree().walk() if "conn_" in node.path]


@pytest.mark.fault("S11")
def test_what_a_socket_asked_for_and_left_is_not_read(connect, token):
    journal = Counting()
    with serving(on=journal) as server:
        client = connect(server)
        client.hello()
        client.story()
        server.run_sync(setattr, journal, "held", threading.Event())
        for number in range(50):
            client.send("history", id=str(number), limit=200)
        server.wait_until(lambda: len(journal.pages) == 1)
        client.fence()
        client.cut()
        server.wait_until(lambda: not conns(server))
        server.run_sync(journal.held.set)
        other = connect(server)
        other.hello()
        assert other.ask("history", id="h", limit=1)["ok"] is True
        assert len(journal.pages) == 2


def greeted(connect, server, *users):
    """A client of each, past what a connection itself asks the journal."""
    clients = [connect(server, bearing=token_for(user)) for user in users]
    for client in clients:
        client.hello()
    return clients


def ask_in_order(server, journal, clients):
    """One page for each: the first is being read until `journal.held` is set, the others wait."""
    server.run_sync(setattr, journal, "held", threading.Event())
    for client in clients:
        client.send("history", id="h", limit=1)
        client.fence()
    server.wait_until(lambda: len(journal.pages) == 1)


@pytest.mark.fault("S11")
def test_a_page_whose_turn_comes_when_its_socket_is_gone_is_not_read(connect):
    journal = Counting()
    with serving(on=journal) as server:
        first, gone, last = greeted(connect, server, "alice", "bob", "eve")
        ask_in_order(server, journal, [first, gone, last])
        gone.cut()
        server.wait_until(lambda: len(conns(server)) == 2)
        server.run_sync(journal.held.set)
        assert last.take("reply")["ok"] is True
        assert journal.pages == ["alice", "eve"]


@pytest.mark.fault("S11")
def test_the_pages_of_a_user_with_many_sockets_come_in_turn_with_those_of_others(connect):
    journal = Counting()
    with serving(on=journal) as server:
        clients = greeted(connect, server, "alice", *["bob"] * 4, "eve")
        ask_in_order(server, journal, clients)
        server.run_sync(journal.held.set)
        for client in clients:
            assert client.take("reply")["ok"] is True
        assert journal.pages == ["alice", "bob", "eve", "bob", "bob", "bob"]


@pytest.mark.fault("S11")
def test_a_client_that_asks_and_does_not_read_is_read_one_page(connect, token):
    """The page that does not fit its socket holds up the next, and nobody else."""
    journal = Counting()
    with serving(on=journal) as server:
        silent = connect(server, max_size=None, max_queue=1)
        silent.hello()
        shout = max(silent.story({"shout": 900_000}), key=lambda event: len(str(event)))
        server.run_sync(setattr, journal, "held", threading.Event())
        for number in range(90):
            silent.send("history", id=str(number), before=shout["offset"] + 1, limit=1)
        silent.fence()  # all are asked for, and none is answered
        server.run_sync(journal.held.set)
        other = connect(server, bearing=token_for("eve"))
        other.hello()
        for number in range(90):
            assert other.ask("history", id=str(number), limit=1)["ok"] is True
        assert 0 < len(journal.pages) - journal.pages.count("eve") < 60


# refresh


def test_refresh_answers_with_the_new_expiry(client, user):
    reply = client.ask("refresh", id="r", token=token_for(user, seconds=7200))
    assert (reply["ok"], reply["expires"] > client.ready["expires"] + 3_500_000) == (True, True)


def test_a_bad_token_is_refused_with_4500_and_the_socket_stays(client, user):
    bad = token_for(user, secret="another secret of thirty-two bytes")
    reply = client.ask("refresh", id="r", token=bad)
    assert (reply["ok"], reply["error"]["code"]) == (False, 4500)
    assert bad not in reply["error"]["message"]
    assert client.fence() == []


class Renewing:
    """An authenticator that answers None for every token but the first one."""

    async def authenticate(self, token):
        return Identity(UserId(token)) if token == "alice" else None


def test_an_authenticator_that_answers_no_identity_refuses_for_now_and_the_socket_stays(crashes):
    crashes.append("a new token could not be checked")
    with serving(authenticator=Renewing()) as server, Client(server.port, "alice") as client:
        client.hello()
        reply = client.ask("refresh", id="r", token="another")
        assert (reply["ok"], reply["error"]["temporary"]) == (False, True)
        assert client.story()[-1]["kind"] == "agent_completed"


def test_another_users_token_is_refused_and_closes_4503(client):
    client.send("refresh", id="r", token=token_for("eve"))
    assert client.closed_with() == 4503
    closing = client.take("closing")
    assert (closing["code"], closing["reconnect"]) == (4503, None)


def test_a_token_that_is_not_refreshed_closes_4104_before_it_expires(connect, user):
    client = connect(bearing=token_for(user, seconds=3))
    client.hello()
    assert client.closed_with() == 4104
    assert client.take("closing")["reconnect"] is not None


def test_a_token_that_is_refreshed_does_not(connect, user):
    client = connect(bearing=token_for(user, seconds=3))
    until = client.hello()["expires"]
    assert client.ask("refresh", id="r", token=token_for(user))["ok"] is True
    run = client.ask("say", id="1", body="tick")["run"]
    while client.take("events")["events"][-1]["at"] < until + 50:
        pass
    assert client.ask("cancel", id="2", run=run)["ok"] is True


# what fails in the server


class BadDisk(MemoryJournal):
    """Names its file in what it says, as the one on a disk does."""

    error = None

    def keep(self, entries):
        if self.error is not None and any(getattr(each, "say", None) for each in entries):
            raise self.error
        super().keep(entries)

    def ask(self, question, **options):
        if self.error is None or not isinstance(question, ReadHistory):
            return super().ask(question, **options)
        reply = Reply()
        reply.fail(self.error)
        return reply


@pytest.mark.parametrize(
    ("error", "kept", "told"),
    [
        (JournalFull(f"no room on the disk for {FILE}"), NOT_KEPT, TEMPORARILY),
        (JournalCorrupt(f"{FILE} is damaged"), NOT_KEPT, FOR_GOOD),
    ],
)
def test_what_fails_on_the_servers_disk_is_the_logs_and_not_the_clients_to_know(
    connect, crashes, caplog, error, kept, told
):
    async def agent(run, _):
        await recalling.wait()
        await run.history()

    crashes.append(f"crashed: {type(error).__name__}")
    disk, recalling = BadDisk(), trio.Event()
    with serving(on=disk, agent=agent, show_errors="text") as server:
        client = connect(server)
        client.hello()
        client.ask("say", id="1", body="hello")
        client.events(until="agent_started")  # not in one batch with the next message, which fails
        disk.error = error
        assert client.ask("say", id="2", body="hello")["error"] == kept
        assert client.ask("history", id="3", limit=1)["error"] == told
        server.run_sync(recalling.set)
        failed = client.events(until="agent_failed")[-1]["data"]
        assert failed["error"] == type(error).__name__
        assert failed["message"] == told["message"]
        assert FILE not in str(client.kept)
    for request in ("say", "history"):
        (line,) = [text for text in caplog.messages if text.startswith(f"{request} was not done")]
        assert FILE in line


# typing


@pytest.mark.requirement("R32")
def test_typing_is_shown_on_the_users_other_sockets_only(client, connect, user):
    tab, stranger = connect(), connect(bearing=token_for("eve"))
    tab.hello()
    stranger.hello()
    thread = client.story()[0]["thread"]
    tab.events()
    client.send("typing", thread=thread)
    assert tab.take("typing") == {"type": "typing", "thread": thread, "from": user}
    assert client.fence() == stranger.fence() == []


@pytest.mark.requirement("R32")
def test_typing_is_never_journaled(client, connect):
    thread = client.story("type")[0]["thread"]
    assert client.take("typing") == {"type": "typing", "thread": thread, "from": "narrator"}
    client.send("typing", thread=thread)
    client.fence()
    again = connect()
    again.hello(epoch=client.ready["epoch"], offset=0)
    assert [event["offset"] for event in again.events()] == [1, 2, 3]
    assert again.fence() == []
