"""PROTOCOL.md, "An event": what is in it, in which order, and how its reader reports back."""

import re
import time

import pytest
import trio

from tests.protocol.server import token_for

pytestmark = pytest.mark.every_server

DATA = {
    "user_said": {"body", "say"},
    "agent_started": {"agent", "input"},
    "agent_thinking": {"text"},
    "partial_result": {"text", "index"},
    "tool_executing": {"tool_call", "tool_name", "arguments"},
    "tool_completed": {"tool_call", "tool_name", "result", "error", "reference", "duration_ms"},
    "final_report": {"report"},
    "agent_completed": {"outcome"},
    "agent_failed": {"error", "message", "reason", "reference"},
}
OPTIONAL = {"input", "arguments", "result", "error", "reference"}
PROGRESS = {"agent_thinking", "partial_result"}


def is_id(prefix: str, value: object) -> bool:
    return bool(re.fullmatch(prefix + r"_[0-7][0-9a-hjkmnp-tv-z]{25}", str(value)))


@pytest.fixture
def told(client):
    """Every kind of event, up to the end of the (outer) run."""
    client.send("say", id="all", body="everything")
    reply = client.take("reply")
    events = [*client.events(), *client.events()]
    return reply, events


def test_events_come_in_order_without_gaps(told):
    _, events = told
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))
    assert [(event["kind"], "parent" in event) for event in events] == [
        ("user_said", False),
        ("agent_started", False),
        ("agent_thinking", False),
        ("tool_executing", False),
        ("tool_completed", False),
        ("tool_executing", False),
        ("tool_completed", False),
        ("partial_result", False),
        ("partial_result", False),
        ("agent_started", True),
        ("agent_completed", True),
        ("final_report", False),
        ("agent_completed", False),
    ]


def test_an_event_has_exactly_the_documented_fields(told):
    reply, events = told
    fields = {"offset", "id", "kind", "class", "thread", "run", "request", "at", "data"}
    for event in events:
        assert set(event) - {"parent"} == fields
        assert is_id("evt", event["id"])
        assert is_id("req", event["request"])
        assert event["thread"] == reply["thread"]
        assert reply["run"] == event.get("parent", event["run"])
        assert isinstance(event["at"], int)
        assert abs(event["at"] / 1000 - time.time()) < 60
    assert len({event["id"] for event in events}) == len(events)


def test_the_kind_decides_class_and_data(told):
    for event in told[1]:
        kind, allowed = event["kind"], DATA[event["kind"]]
        assert event["class"] == ("progress" if kind in PROGRESS else "critical")
        assert allowed - OPTIONAL <= set(event["data"]) | OPTIONAL
        assert set(event["data"]) <= allowed
        assert allowed - set(event["data"]) <= (OPTIONAL if kind != "agent_failed" else set())


def test_the_data_is_what_the_agent_said(told):
    events = told[1]
    data = [event["data"] for event in events]
    assert data[0] == {"body": "everything", "say": "all"}
    assert data[1] == {"agent": "narrator"}
    assert data[2] == {"text": "hm"}
    assert (data[3]["tool_name"], data[3]["arguments"]) == ("add", {"a": 1, "b": 1})
    assert is_id("call", data[3]["tool_call"])
    assert data[4] == {
        "tool_call": data[3]["tool_call"],
        "tool_name": "add",
        "result": 2,
        "duration_ms": data[4]["duration_ms"],
    }
    assert isinstance(data[4]["duration_ms"], int)
    assert (data[6]["error"], data[6]["reference"]) == ("The tool failed.", events[6]["id"])
    assert data[7:9] == [{"text": "one ", "index": 0}, {"text": "two", "index": 1}]
    assert data[9] == {"agent": "helper", "input": "look it up"}
    assert data[11:] == [{"report": {"saving": "10%"}}, {"outcome": "ok"}]


def test_an_agent_that_crashes_ends_its_run_with_agent_failed(server, client, crashes, caplog):
    crashes.append("crashed: RuntimeError")
    client.send("say", id="1", body="crash")
    failed = client.events(until="agent_failed")[-1]
    assert failed["class"] == "critical"
    assert failed["data"] == {
        "error": "Error",
        "message": "Something went wrong, and the agent could not finish.",
        "reason": "crash",
        "reference": failed["id"],
    }
    server.wait_until(lambda: "crashed: RuntimeError" in caplog.text)  # it would be the next test's


def test_events_name_the_epoch_of_ready(client):
    client.send("say", id="1", body="hello")
    assert client.take("events")["epoch"] == client.ready["epoch"]


def test_what_waits_goes_in_frames_of_at_most_128_events(client, connect):
    client.story({"think": 300})
    again = connect()
    again.hello(epoch=client.ready["epoch"], offset=0)
    sizes = []
    while sum(sizes) < 303:
        sizes.append(len(again.take("events")["events"]))
    assert max(sizes) == 128
    assert sum(sizes) == 303


def test_both_tabs_of_a_user_hear_everything_and_nobody_else_does(client, connect):
    tab, stranger = connect(), connect(bearing=token_for("eve"))
    tab.hello()
    stranger.hello()
    assert client.story() == tab.events()
    assert stranger.fence() == []


# Reports


@pytest.mark.requirement("R12")
def test_an_ack_moves_the_cursor_of_its_session(client, server, user):
    client.story()
    client.send("ack", offset=3)
    client.send("ack", offset=2)
    client.fence()

    async def received(journal):
        cursor = await journal.cursor(user, client.ready["session"])
        return cursor and cursor.offset

    wait_for_journal(server, received, 3)


@pytest.mark.requirement("R12")
@pytest.mark.parametrize("offset", [4, 2**53, -1])
def test_an_ack_beyond_what_was_sent_is_refused_and_nothing_is_recorded(client, connect, offset):
    client.story()
    client.send("ack", offset=offset)
    (error,) = client.fence()
    assert (error["type"], error["code"], error["temporary"]) == ("error", 4502, False)
    assert str(offset) in error["message"]
    client.cut()
    again = connect()
    assert again.hello(session=client.ready["session"])["recovered"] is True
    assert [event["offset"] for event in again.events()] == [1, 2, 3]


def test_displayed_and_confirmed_are_kept_for_the_event(client, server, user):
    client.story()
    client.send("displayed", offsets=[1, 3])
    client.send("confirm", offset=3, verdict={"good": True}, note="thanks")
    assert client.fence() == []

    async def marks(journal):
        found = await journal.marks(user, after=0, limit=10)
        return [(mark.offset, mark.stage, mark.verdict, mark.note) for mark in found]

    kept = [(1, "displayed", None, None)]
    kept += [(3, "confirmed", {"good": True}, "thanks"), (3, "displayed", None, None)]
    wait_for_journal(server, marks, kept)


@pytest.mark.parametrize("frame", [("displayed", {"offsets": [3, 4]}), ("confirm", {"offset": 4})])
def test_what_was_not_sent_was_not_displayed(client, frame):
    client.story()
    client.send(frame[0], **frame[1])
    assert [(each["type"], each["code"]) for each in client.fence()] == [("error", 4502)]


def wait_for_journal(server, question, answer):
    """The answer may take a second: cursors and marks travel with events, or alone after one."""

    async def wait():
        with trio.fail_after(30):
            while await question(server.runtime.journal) != answer:  # noqa: ASYNC110  # no event
                await trio.sleep(0.02)

    server.run(wait)
