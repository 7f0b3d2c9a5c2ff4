"""The log of a real server: ids to follow things by, and nothing a user would not want there."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest
import trio

import greenroom
from greenroom.actors.guard import log_failure
from greenroom.actors.text.escaping import one_line
from greenroom.delivery.events.ids import BadId, EventId, UserId
from greenroom.delivery.log_context import bind, bound, log_context
from greenroom.delivery.user.names import child_id, outbox_name
from greenroom.logs import Pseudonyms
from greenroom.settings import Settings
from greenroom.supervisor.child_info import ChildState
from greenroom.supervisor.child_spec import ChildSpec
from greenroom.supervisor.errors import RestartIntensityExceeded
from greenroom.supervisor.restarts import Intensity
from greenroom.supervisor.supervisor import open_supervisor, supervisor_child
from greenroom.testing import STRAYS
from tests.face.commands.forged import FORGED
from tests.face.log_lines import logged
from tests.protocol.client import Client, refusal
from tests.protocol.server import SECRET, Server, serving, token_for

SAID, EVENT, NOTE = "what-alice-said", "x" * 997, "what-alice-noted"
USER = "cn=alice,ou=people"

pytestmark = pytest.mark.requirement("R02")


def wait_for_end(server: Server) -> None:
    server.wait_until(lambda: not any(user.live_runs for user in server.runtime.users.active()))


def wait_for_restart(server: Server) -> None:
    """While the user's actors restart, an upgrade is answered 503."""
    running = {ChildState.RUNNING}
    server.wait_until(
        lambda: all(
            set(user.tree.children().values()) == running for user in server.runtime.users.active()
        )
    )


def live(server: Server, token: str) -> str:
    """A life with everything in it that may end in a log; the connection's id."""
    with Client(server.port, token) as client:
        ready = client.hello()
        client.ask("say", id=SAID, body={"shout": len(EVENT), SAID: SAID})
        client.ask("refresh", id="r", token=f"{token}x")
        client.ask("say", id="2", body="crash")
        client.send("ack", offset=10**6)
        client.send("confirm", offset=10**6, note=NOTE, verdict=NOTE)
        client.send(SAID)
        client.send("say", id=3, body=SAID)
        client.events(until="agent_failed")
        wait_for_end(server)
        client.fence()  # a report still waiting when its user's actor crashes is never refused
        _crash_the_users_actor(server)
        client.closed_with()
    wait_for_restart(server)
    assert refusal(server.port, f"{token}x")[0] == 401
    with Client(server.port, token) as client:
        client.hello()
        client.text(f'{{"type": "{SAID}')
        client.closed_with()
    return str(ready["connection"])


def _crash_the_users_actor(server: Server) -> None:
    """With a message in hand that it does not know, and secrets in its local variables."""

    def tell() -> None:
        for user in server.runtime.users.active():
            user.actor.tell_owed({"token": SAID, "text": EVENT})  # type: ignore[arg-type]  # so

    server.run_sync(tell)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_neither_tokens_nor_what_is_said_nor_events_are_logged(log_format: str) -> None:
    token = token_for(USER)
    with logged(log_level="debug", log_format=log_format) as lines, serving() as server:
        live(server, token)
    text = lines.getvalue()
    assert "crashed" in text
    assert "a frame was refused" in text
    assert "closed by the" in text
    for secret in (token, token.split(".")[2], SECRET, EVENT, NOTE):
        assert secret not in text
    assert SAID not in text
    assert USER not in text
    assert "alice" not in text
    assert "people" not in text


def test_an_operator_who_needs_users_names_in_the_log_gets_them() -> None:
    with logged(log_users=True) as lines, serving() as server:
        live(server, token_for(USER))
    assert f"users/{child_id(UserId(USER))}/" in lines.getvalue()


def test_each_event_is_one_line_of_json_also_a_crash_with_its_traceback() -> None:
    with logged(log_format="json") as lines, serving() as server:
        connection = live(server, token_for(USER))
    events = [json.loads(line) for line in lines.getvalue().splitlines()]
    crashes = [event for event in events if "crashed" in event["event"]]
    assert {"RuntimeError", "KeyError"} <= {
        event["exception"]["type"].rpartition(":")[2] for event in crashes
    }
    assert all(event["level"] and event["logger"] and event["timestamp"] for event in events)
    closed = [event for event in events if event["event"].startswith("closed by")]
    assert connection in [event["connection"] for event in closed]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_password_in_the_url_of_an_error_is_not_logged(log_format: str) -> None:
    with logged(log_format=log_format) as lines:
        try:
            raise ConnectionError(f"postgres://bob:hunter2@db/x is down, {SECRET}")
        except ConnectionError as error:
            logging.getLogger("greenroom").exception("cannot connect: %s", error)
    assert "hunter2" not in lines.getvalue()
    assert SECRET not in lines.getvalue()
    assert lines.getvalue().count("postgres://(hidden)@db/x is down") >= 2


def test_the_messages_of_agents_errors_can_be_left_out_and_greenrooms_own_stay() -> None:
    def texts(**chosen: object) -> str:
        with logged(log_format="json", **chosen) as lines:
            try:
                try:
                    raise ValueError(f"cannot read {SAID}")
                except ValueError as error:
                    raise greenroom.BadEvent("text: a string is needed") from error
            except greenroom.BadEvent:
                logging.getLogger("greenroom").exception("failed")
        return lines.getvalue()

    assert SAID in texts()
    assert SAID not in texts(log_errors=False)
    assert "a string is needed" in texts(log_errors=False)


def test_what_a_connection_logs_says_whose_it_is_and_of_which_session() -> None:
    with logged(log_format="json", log_level="debug") as lines, serving() as server:
        live(server, token_for(USER))
    events = [json.loads(line) for line in lines.getvalue().splitlines()]
    theirs = [event for event in events if "connection" in event]
    (user,) = {event["user"] for event in theirs}
    assert any(f"/user:{user}/" in event["event"] for event in events)
    for words in ("a new token was", "a report was", "a frame was", "closed by"):
        sessions = {e.get("session", "none")[:5] for e in theirs if words in e["event"]}
        assert sessions == {"sess_"}, words


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_then_a_crash_tells_what_crashed_and_where_and_not_what_its_agent_was_told(
    log_format: str,
) -> None:
    async def agent(_: greenroom.Run, said: greenroom.JSON) -> None:
        try:
            raise KeyError(said)
        except KeyError as error:
            group = [RuntimeError(f"cannot read {said}"), ExceptionGroup(f"of {said}", [error])]
            raise ExceptionGroup(f"reading {said}", group) from error

    with (
        logged(log_errors=False, log_format=log_format) as lines,
        serving(agent=agent) as server,
        Client(server.port, token_for(USER)) as client,
    ):
        client.hello()
        client.send("say", id="1", body=SAID)
        client.events(until="agent_failed")
        wait_for_end(server)
    assert "crashed: ExceptionGroup" in lines.getvalue()
    assert "KeyError: (message not logged)" in lines.getvalue() or log_format == "json"
    assert SAID not in lines.getvalue()


def test_a_supervisor_that_gives_up_tells_what_ended_and_not_what_it_said() -> None:
    async def crash(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        raise RuntimeError(SAID)

    async def main() -> None:
        children = [ChildSpec("reader", crash)]
        inner = supervisor_child("inner", children, intensity=Intensity(1, 5.0))
        async with open_supervisor("shop", [inner], intensity=Intensity(0, 5.0)) as shop:
            await shop.wait_stopped()

    with logged(log_errors=False) as lines, pytest.raises(RestartIntensityExceeded):
        trio.run(main)
    assert "'shop/inner' gave up after more than 1 restarts in 5 s: reader: crashed: Runt" in (
        lines.getvalue()
    )
    assert SAID not in lines.getvalue()


def test_an_agents_lines_carry_its_run_and_nobody_elses() -> None:
    seen: dict[str, str] = {}

    async def agent(run: greenroom.Run, _: greenroom.JSON) -> None:
        seen.update(log_context())
        async with runtime.run(user="bob", agent="other"):
            assert log_context()["run"] != run.context.run
            life = runtime.users.active()[-1].tree._find("outbox").life
            resting = life._resting  # type: ignore[union-attr]  # its context is the point
            assert resting.context.run(log_context) == {}  # type: ignore[union-attr]
        assert log_context()["run"] == run.context.run
        done.set()

    async def main() -> None:
        nonlocal runtime, done
        done = trio.Event()
        settings = Settings(journal=":memory:", port=0, secret=SECRET)  # type: ignore[arg-type]
        async with greenroom.open_runtime(settings, agent) as runtime:
            port = await runtime.listen(page=False)
            url = f"ws://127.0.0.1:{port}/live"
            async with greenroom.connect(url, token=token_for("alice")) as client:
                await client.say("hello")
                with trio.fail_after(30):
                    await done.wait()

    runtime: greenroom.Runtime
    done: trio.Event
    trio.run(main)
    assert set(seen) == {"run", "thread", "request"}


def test_what_is_bound_for_a_block_is_as_before_after_it() -> None:
    with bound(run="one"):
        with bound(connection="two"):
            assert log_context() == {"connection": "two"}
        assert log_context() == {"run": "one"}
        bind(run="three")
        assert log_context() == {"run": "three"}
    assert log_context() == {}


USERS = [
    *("alice", "auth0|123", "ä@example.com", "a/b", "urn:x:1", "50%", "%41", "a…b"),
    *("cn=Ann,ou=people,dc=ex", "a;b", "a)b", "(a)", "a:", "[a]", "{a}", "a\\b", "—"),
    *("O'Brien", 'say"x"', "'a' \"b\"".replace(" ", ""), "a'b,c", 'a"b:c'),
]


@pytest.mark.parametrize(
    "line",
    [
        "user '{}' was not stopped",
        "<Run run_1 of 'agent' for '{}'> could not say",
        "UserId('{}')",
        "expected an event id, got other text, perhaps a user: '{}'",
    ],
)
@pytest.mark.parametrize("user", USERS)
def test_a_users_name_is_replaced_wherever_our_sentences_have_it(line: str, user: str) -> None:
    names, literal = Pseudonyms(b"key"), line.replace("'{}'", "{!r}").format(user)
    masked = names(None, "", {"event": literal, "n": 1, "list": [literal]})
    quote = repr(user)[0]
    expected = line.replace("'{}'", f"{quote}{names.of(user)}{quote}")
    assert masked == {"event": expected, "n": 1, "list": [expected]}


@pytest.mark.parametrize(
    "line",
    [
        "greenroom/users/{} crashed",
        "greenroom/users/{}/runs/run_1 crashed: ValueError",
        "{} could not write",
        "{}: user_said evt_1 is a dead letter",
        "no page for {}, it is gone",
    ],
)
@pytest.mark.parametrize("user", USERS)
def test_a_users_name_is_replaced_in_the_names_of_its_part_of_the_tree(
    line: str, user: str
) -> None:
    names = Pseudonyms(b"key")
    for name, kind in ((child_id(UserId(user)), "user"), (outbox_name(UserId(user)), "outbox")):
        masked = names(None, "", {"event": line.format(name)})
        assert masked == {"event": line.format(f"{kind}:{names.of(user)}")}


def test_what_is_left_of_a_long_name_is_not_shown_either() -> None:
    with pytest.raises(BadId) as refused:
        EventId.parse("cn=Ann,ou=people," + "x" * 100)
    masked = Pseudonyms(b"key")(None, "", {"event": str(refused.value)})
    assert "Ann" not in str(masked)


@pytest.mark.fault("S3")
@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("kind", STRAYS)
def test_an_error_that_cannot_be_shown_is_logged_all_the_same(kind: str, log_format: str) -> None:
    with logged(log_format=log_format, log_errors=True) as lines:
        try:
            raise STRAYS[kind]()
        except BaseException as error:  # noqa: BLE001  # that is the question
            log_failure(logging.getLogger("greenroom"), error, "something failed")
    assert "something failed" in lines.getvalue()
    assert type(STRAYS[kind]()).__name__ in lines.getvalue()
    assert len(lines.getvalue()) < 20_000


LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\S+ \[\w+ *\] .+|  .*")


@contextmanager
def an_error_of(words: str) -> Iterator[None]:
    """An agent's error of every shape that a log shows, with a user's text wherever it can be."""

    async def agent(_: greenroom.Run, said: greenroom.JSON) -> None:
        try:
            raise type(words, (Exception,), {})(words)
        except Exception as error:
            raise ExceptionGroup(words, [KeyError(said), ValueError(words)]) from error

    with serving(agent=agent) as server, Client(server.port, token_for(USER)) as client:
        client.hello()
        client.send("say", id="1", body=words.replace("\ud800", ""))
        client.events(until="agent_failed")
        logging.getLogger("greenroom").error("%s", words)
        wait_for_end(server)
        yield


@pytest.mark.fault("P4")
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_text_of_a_user_forges_a_line_or_commands_a_terminal(log_format: str) -> None:
    with logged(log_format=log_format) as lines, an_error_of(f"{FORGED}\ud800"):
        pass
    text = lines.getvalue()
    assert "is an admin" in text
    assert set(text) - {"\n"} == {each for each in text if each.isprintable()}
    for line in text.split("\n")[:-1]:
        if log_format == "console":
            assert LOG_LINE.fullmatch(line), line
            assert not line.startswith("1999-01-01T00:00:00Z")
        else:
            assert orjson.loads(line)["event"] == one_line(orjson.loads(line)["event"])


@pytest.mark.fault("P2")
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_error_however_large_makes_a_large_line(log_format: str) -> None:
    def grown(depth: int) -> Exception:
        if depth == 0:
            return ValueError("x" * 100_000)
        return ExceptionGroup("y" * 100_000, [grown(depth - 1) for _ in range(8)])

    with logged(log_format=log_format) as lines:
        log = logging.getLogger("greenroom")
        log.error("failed", exc_info=grown(4))
        log.error("z" * 1_000_000)
    assert "cut" in lines.getvalue()
    assert len(lines.getvalue()) < 200_000
