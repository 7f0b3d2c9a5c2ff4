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
    assert report(say("total cost"))["summary"] == "Total cost: 12, from 2 rows."


def test_a_table_pasted_under_the_question_is_read_and_remembered(client: Client) -> None:
    first = client.story("total cost?\n\nservice, cost\nCompute, 10\nEmail, 2\n")
    assert report(first)["summary"] == "Total cost: 12, from 2 rows."
    then = client.story("cost without Email", thread=first[0]["thread"])
    assert report(then)["summary"].startswith("Total cost, without Email: 10,")


def test_a_message_without_a_table_is_told_how_to_send_one(client: Client) -> None:
    found = report(client.story("Dear all,\nhow are you?"))
    assert found["title"] == "I need a table first"
    assert "under your question" in found["summary"]
