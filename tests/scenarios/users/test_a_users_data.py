"""A user's data is exported and erased by the operator, beside a running server, too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.protocol.client import Client, Json
from tests.protocol.server import Server, token_for
from tests.scenarios.stage import Serving, offsets

pytestmark = pytest.mark.requirement("R55")

Connect = Callable[..., Client]


def exported(server: Server, user: str) -> list[Json]:
    async def work() -> list[bytes]:
        return [line async for line in server.runtime.export_user(user)]

    return [json.loads(line) for line in server.run(work)]


def test_an_export_has_all_that_is_kept_of_the_user_and_nothing_of_others(
    server: Server, client: Client, connect: Connect, user: str
) -> None:
    mine = client.story("my diagnosis")
    client.send("confirm", offset=1, note="thank you")
    client.send("ack", offset=mine[-1]["offset"])
    client.ask("thread", id="t", thread=mine[0]["thread"], title="Health")
    other = connect(bearing=token_for("somebody-else"))
    other.hello()
    other.story("a secret of another")
    client.cut()
    while not any("mark" in line for line in exported(server, user)):
        pass
    first, *rows, end = exported(server, user)
    assert (first["schema"], first["user"]) == ("greenroom.user/1", user)
    assert end == {"end": len(rows)}
    events = [row["log"] for row in rows if "log" in row]
    assert [event["body"] for event in events] == mine
    assert [row["thread"]["title"] for row in rows if "thread" in row] == ["Health"]
    assert [row["mark"]["note"] for row in rows if "mark" in row] == ["thank you"]
    assert {next(iter(row.values()))["user"] for row in rows} == {user}


def test_erasing_a_user_closes_the_connections_ends_the_runs_and_leaves_nothing(
    tmp_path: Path, connect: Connect, serving: Serving
) -> None:
    journal, user = tmp_path / "g.db", "user-to-forget"
    with serving(journal=journal) as server:
        stays = connect(server, bearing=token_for("who-stays"))
        stays.hello()
        story = stays.story("keep me")
        client = connect(server, bearing=token_for(user))
        ready = client.hello()
        last = client.story("my diagnosis")[-1]
        client.ask("say", id="1", body="wait")
        client.events(until="agent_thinking")
        server.run(server.runtime.erase_user, user)
        assert client.closed_with() == 4509
        for file in tmp_path.glob("g.db*"):
            assert user.encode() not in file.read_bytes()
            assert b"diagnosis" not in file.read_bytes()
        assert [line.keys() for line in exported(server, user)] == [
            {"schema", "user", "epoch"},
            {"end"},
        ]
        assert offsets(stays.ask("history", id="h", limit=99)["events"]) == offsets(story)

        back = connect(server, bearing=token_for(user))
        place = {"epoch": ready["epoch"], "offset": last["offset"], "event": last["id"]}
        told = back.hello(session=ready["session"], **place)
        assert (told["recovered"], told["from"]) == (False, 0)
        assert told["session"] != ready["session"]
        assert offsets(back.story("hello again"))[0] == 1


def test_a_client_that_comes_back_late_is_told_even_where_its_offset_exists_again(
    server: Server, client: Client, connect: Connect, user: str
) -> None:
    last = client.story("my diagnosis")[-1]
    server.run(server.runtime.erase_user, user)
    fresh = connect()
    fresh.hello()
    again = fresh.story("hello again") + fresh.story("and again")
    late = connect()
    place = {"epoch": client.ready["epoch"], "offset": last["offset"], "event": last["id"]}
    ready = late.hello(session=client.ready["session"], **place)
    assert (ready["recovered"], ready["from"]) == (False, 0)
    assert late.events(until=again[-1]["offset"]) == again


def test_erasing_a_user_who_never_was_does_nothing(server: Server) -> None:
    server.run(server.runtime.erase_user, "nobody-knows")
