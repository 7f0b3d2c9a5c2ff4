"""Text that an agent streams by the token, as it comes over sockets: whole, in order, and once."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.every_server, pytest.mark.requirement("R45")]


def text(events, kind="partial_result"):
    return "".join(event["data"]["text"] for event in events if event["kind"] == kind)


def tokens(count, before=""):
    return "".join(f"{before}{number} " for number in range(count))


def test_a_stream_comes_in_fewer_events_than_tokens_with_its_tool_where_it_stood(client):
    events = client.story({"stream": 100})
    assert text(events) == tokens(200)
    assert text(events, "agent_thinking") == tokens(100, "t")
    kinds = [event["kind"] for event in events]
    tool = kinds.index("tool_executing")
    assert text(events[:tool]) == tokens(100)
    answer = [event for event in events if event["kind"] == "partial_result"]
    assert len(answer) < 100
    assert [event["data"]["index"] for event in answer] == list(range(len(answer)))
    assert {event["class"] for event in answer} == {"progress"}
    thoughts = [event["data"] for event in events if event["kind"] == "agent_thinking"]
    assert [data["index"] for data in thoughts] == list(range(len(thoughts)))
    assert {data["thought"] for data in thoughts} == {0}


@pytest.mark.requirement("R34")
def test_a_reload_amid_a_stream_goes_on_with_the_next_word(client, connect):
    client.ask("say", id="1", body={"stream": 150})
    before = client.events(until="partial_result")
    client.cut()
    page = connect()
    place = {"session": client.ready["session"], "epoch": client.ready["epoch"]}
    assert page.hello(**place, offset=before[-1]["offset"])["recovered"] is True
    events = [*before, *page.events()]
    assert text(events) == tokens(300)
    assert [event["offset"] for event in events] == list(range(1, len(events) + 1))


def test_a_user_who_stops_a_stream_has_all_that_was_written_before_the_end(client):
    run = client.ask("say", id="1", body={"stream": 10_000})["run"]
    before = client.events(until="partial_result")
    assert client.ask("cancel", id="2", run=run)["ok"] is True
    events = [*before, *client.events()]
    assert events[-1]["data"] == {"outcome": "cancelled"}
    said = text(events)
    assert said.endswith(" ")
    assert tokens(len(said.split())) == said
