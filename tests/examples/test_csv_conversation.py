"""The demo agent in a conversation: over a real socket, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from csv_analyst import csv_analyst

from greenroom import JSON, Run
from tests.protocol.client import Client, Json
from tests.protocol.server import serving, token_for

TABLE = {"name": "bill.csv", "csv": "service,cost\nCompute,10\nEmail,2\n"}


async def agent(run: Run, said: JSON) -> None:
    """The analyst without its pauses; “chatter” stands for many questions before."""
    if said != "chatter":
        return await csv_analyst(run, said, pace=0)
    for _ in range(450):
        await run.agent_thinking(text="hm")
    return None


@pytest.fixture
def client() -> Iterator[Client]:
    with serving(agent=agent) as server, Client(server.port, token_for("alice")) as client:
        client.hello()
        yield client


def report(events: list[Json]) -> Json:
    found: Json = next(e["data"]["report"] for e in events if e["kind"] == "final_report")
    return found


def test_a_table_is_remembered_however_much_was_said_since(client: Client) -> None:
    first = client.story({"text": "total cost", "table": TABLE})
    say = partial(client.story, thread=first[0]["thread"])
    say("chatter")
    assert report(say("total cost"))["table"]["rows"] == [["all rows", 12, 2]]


def test_a_table_without_a_question_is_described_and_its_questions_offered(client: Client) -> None:
    events = client.story({"text": "", "table": TABLE})
    found, say = report(events), partial(client.story, thread=events[0]["thread"])
    assert [row[0] for row in found["table"]["rows"]] == ["service", "cost"]
    unsure = report(say("xyzzy"))["title"]
    titles = [report(say(question))["title"] for question in found["questions"]]
    assert titles
    assert unsure not in titles


def test_a_question_that_is_not_understood_says_so_and_offers_others(client: Client) -> None:
    found = report(client.story({"text": "cost without Email", "table": TABLE}))
    assert "table" not in found
    assert "Anything unusual in cost?" in found["questions"]


def test_the_slow_question_goes_column_by_column(client: Client) -> None:
    events = client.story({"text": "Check every value", "table": TABLE})
    tools = [e["data"]["tool_name"] for e in events if e["kind"] == "tool_executing"]
    assert tools.count("check_column") == 2


@pytest.mark.parametrize(
    "body", ["How are you?", {"text": "x", "table": {"csv": "a,b\n"}}, 7, None]
)
def test_a_message_without_a_readable_table_gets_advice(body: Json, client: Client) -> None:
    found = report(client.story(body))
    assert "CSV" in found["summary"]
