"""A user sees their conversations in any browser: names, archives and erases them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import greenroom
from greenroom.delivery.events.ids import BadId
from greenroom.delivery.events.threads import ERASED_THREAD, UnknownThread
from greenroom.transport.auth.tokens import sign_token
from greenroom.transport.client import RequestFailed, connect
from tests.protocol.client import Client, Json
from tests.protocol.server import Server, token_for
from tests.scenarios.stage import Serving, kinds, offsets

pytestmark = pytest.mark.requirement("R50")

Connect = Callable[..., Client]
UNKNOWN = "thread_01m8hmefvwe21bcsz4g8kj06ng"


def listed(client: Client, **fields: object) -> list[Json]:
    reply = client.ask("threads", id=f"list {fields}", limit=100, **fields)
    assert (reply["ok"], reply["more"]) == (True, False)
    threads: list[Json] = reply["threads"]
    return threads


def test_threads_are_listed_with_all_that_a_list_shows(client: Client) -> None:
    first = client.story("Plan a trip")
    second = client.story("Find a hotel")
    again = client.story("And a museum", thread=first[0]["thread"])
    one, two = listed(client)
    assert one == {
        "thread": first[0]["thread"],
        "title": "Plan a trip",
        "created": first[0]["at"],
        "updated": again[-1]["at"],
        "runs": 2,
        "last": {"kind": "agent_completed"},
        "archived": False,
    }
    assert (two["thread"], two["title"]) == (second[0]["thread"], "Find a hotel")


def test_a_list_is_paged_by_time_or_by_thread(client: Client) -> None:
    threads = [client.story(f"thread {n}")[0]["thread"] for n in range(3)][::-1]
    page = client.ask("threads", id="1", limit=2)
    assert ([each["thread"] for each in page["threads"]], page["more"]) == (threads[:2], True)
    assert [each["thread"] for each in listed(client, before=threads[1])] == threads[2:]
    assert [each["thread"] for each in listed(client, before=page["threads"][0]["updated"])] == (
        threads[1:]
    )


def test_a_name_given_in_one_browser_is_seen_in_the_other(
    client: Client, connect: Connect, user: str
) -> None:
    thread = client.story("Plan a trip")[0]["thread"]
    named = client.ask("thread", id="name", thread=thread, title="Rome")
    assert (named["ok"], named["thread"], named["title"]) == (True, thread, "Rome")
    other = connect()
    other.hello()
    assert [each["title"] for each in listed(other)] == ["Rome"]
    assert other.ask("thread", id="put away", thread=thread, archived=True)["archived"] is True
    assert listed(client) == []
    assert [each["thread"] for each in listed(client, archived=True)] == [thread]


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ""},
        {"title": "x" * 201},
        {"title": 7, "archived": True},
        {"archived": "yes"},
        {"title": "x", "thread": UNKNOWN},
        {"title": "x", "thread": "run_01m8hmefvwe21bcsz4g8kj06ng"},
    ],
    ids=["empty", "long", "number", "no boolean", "unknown", "a run"],
)
def test_what_cannot_be_a_change_is_refused(client: Client, fields: Json) -> None:
    thread = client.story("Plan a trip")[0]["thread"]
    reply = client.ask("thread", id="1", **{"thread": thread, **fields})
    assert (reply["ok"], reply["error"]["code"]) == (False, 4502)
    assert [each["title"] for each in listed(client)] == ["Plan a trip"]


@pytest.mark.parametrize("fields", [{"limit": 0}, {"limit": 101}, {}, {"limit": 9, "before": 0}])
def test_a_bad_page_is_refused(client: Client, fields: Json) -> None:
    reply = client.ask("threads", id="1", **fields)
    assert (reply["ok"], reply["error"]["code"]) == (False, 4502)


def test_another_users_thread_cannot_be_named_or_erased(
    client: Client, connect: Connect, server: Server
) -> None:
    mine = client.story("a secret")
    stranger = connect(bearing=token_for("stranger"))
    stranger.hello()
    thread = mine[0]["thread"]
    assert stranger.ask("thread", id="1", thread=thread, title="mine")["error"]["code"] == 4502
    assert stranger.ask("erase", id="2", thread=thread)["ok"]
    assert [each["title"] for each in listed(client)] == ["a secret"]
    assert client.ask("history", id="h", limit=9)["events"]


# Erasing


def test_an_erased_thread_is_gone_from_history_and_superseded_in_a_replay(
    client: Client, connect: Connect
) -> None:
    kept = client.story("keep me")
    erased = client.story("my diagnosis")
    assert client.ask("erase", id="e", thread=erased[0]["thread"])["ok"]
    assert [each["thread"] for each in listed(client)] == [kept[0]["thread"]]
    assert offsets(client.ask("history", id="h", limit=200)["events"]) == offsets(kept)
    later = connect()
    later.hello(epoch=client.ready["epoch"], offset=0)
    replayed = later.events(until=erased[-1]["offset"])
    assert offsets(replayed) == offsets(kept + erased), "the offsets stay used"
    assert replayed[: len(kept)] == kept
    assert {each["kind"] for each in replayed[len(kept) :]} == {"superseded"}
    assert all(each["data"] == {"through": each["offset"]} for each in replayed[len(kept) :])
    assert "diagnosis" not in str(replayed)


def test_a_client_that_saw_the_erased_events_resumes_after_them(
    client: Client, connect: Connect
) -> None:
    erased = client.story("my diagnosis")
    last = erased[-1]
    assert client.ask("erase", id="e", thread=last["thread"])["ok"]
    back = connect()
    place = {"epoch": client.ready["epoch"], "offset": last["offset"], "event": last["id"]}
    ready = back.hello(session=client.ready["session"], **place)
    assert (ready["recovered"], ready["from"]) == (True, last["offset"])


def test_the_users_other_tabs_are_told_if_they_know_of_threads(
    client: Client, connect: Connect
) -> None:
    tab, older = connect(), connect()
    assert tab.hello(features=["threads"])["features"] == ["threads"]
    older.hello()
    thread = client.story("my diagnosis")[0]["thread"]
    client.ask("erase", id="e", thread=thread)
    assert tab.take("erased")["thread"] == thread
    assert all(frame["type"] != "erased" for frame in older.fence())


def test_erasing_a_thread_ends_the_run_that_speaks_in_it_first(
    client: Client, connect: Connect
) -> None:
    run = client.ask("say", id="1", body="wait")
    client.events(until="agent_thinking")
    elsewhere = client.ask("say", id="2", body="wait")
    client.events(until="agent_thinking")
    assert client.ask("erase", id="e", thread=run["thread"])["ok"]
    ended = client.events()
    assert (ended[-1]["run"], ended[-1]["data"]) == (run["run"], {"outcome": "cancelled"})
    assert [each["thread"] for each in listed(client)] == [elsewhere["thread"]]
    assert client.ask("cancel", id="c", run=elsewhere["run"])["ok"], "other threads go on"


def test_erasing_again_or_what_never_was_does_nothing(client: Client) -> None:
    thread = client.story("my diagnosis")[0]["thread"]
    for number in range(3):
        assert client.ask("erase", id=str(number), thread=thread)["ok"]
    assert client.ask("erase", id="never", thread=UNKNOWN)["ok"]


@pytest.mark.parametrize(
    "asked",
    [
        {"type_": "erase"},
        {"type_": "say", "body": "hello"},
        {"type_": "thread", "title": "mine"},
        {"type_": "history", "limit": 9},
    ],
    ids=lambda asked: asked["type_"],
)
def test_nobody_names_the_thread_of_what_was_erased(client: Client, asked: Json) -> None:
    thread = client.story("my diagnosis")[0]["thread"]
    assert client.ask("erase", id="e", thread=thread)["ok"]
    reply = client.ask(**asked, id="zeros", thread=ERASED_THREAD)
    assert "something erased" in reply["error"]["message"]
    assert client.ask("erase", id="again", thread=thread)["ok"], "the user's others are answered"


def test_what_is_said_in_an_erased_thread_begins_it_again(client: Client) -> None:
    thread = client.story("my diagnosis")[0]["thread"]
    client.ask("erase", id="e", thread=thread)
    again = client.story("a new start", thread=thread)
    assert kinds(again)[0] == "user_said"
    assert [each["title"] for each in listed(client)] == ["a new start"]
    assert offsets(client.ask("history", id="h", thread=thread, limit=99)["events"]) == (
        offsets(again)
    )


def test_an_erased_thread_stays_erased_over_a_restart_and_in_the_files(
    tmp_path: Path, connect: Connect, serving: Serving
) -> None:
    journal = tmp_path / "g.db"
    with serving(journal=journal) as server:
        client = connect(server)
        client.hello()
        kept, erased = client.story("keep me"), client.story("my diagnosis")
        client.ask("thread", id="t", thread=erased[0]["thread"], title="my diagnosis")
        client.send("confirm", offset=erased[0]["offset"], note="my diagnosis")
        client.fence()
        assert client.ask("erase", id="e", thread=erased[0]["thread"])["ok"]
    assert b"diagnosis" not in journal.read_bytes()
    with serving(journal=journal) as server:
        client = connect(server)
        client.hello()
        assert [each["thread"] for each in listed(client)] == [kept[0]["thread"]]


# In Python


async def test_the_python_client_lists_names_archives_and_erases() -> None:
    settings = greenroom.Settings(port=0, journal=":memory:", secret="s" * 32)

    async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
        await run.set_title(f"about {said}")

    async with greenroom.open_runtime(settings, agent) as runtime:
        port = await runtime.listen(page=False)
        token = sign_token("s" * 32, "alice", 600)
        async with connect(f"ws://127.0.0.1:{port}/live", token=token) as client:
            started = await client.say("Rome")
            async for event in client.events():
                if event.kind == "agent_completed":
                    break
            [thread] = (await client.threads()).threads
            assert (thread.thread, thread.title) == (started.thread, "about Rome")
            assert (await client.set_title(started.thread, "Italy")).title == "Italy"
            assert (await client.archive(started.thread)).archived
            assert not (await client.threads()).threads
            mine = runtime.threads(user="alice")
            assert await mine.list(archived=True) == await client.threads(archived=True)
            await mine.archive(started.thread, archived=False)
            await client.erase(started.thread)
            assert not (await mine.list()).threads
            with pytest.raises(RequestFailed, match="no thread"):
                await client.set_title(started.thread, "gone")
            with pytest.raises(UnknownThread):
                await mine.title(started.thread, "gone")


async def test_a_run_continues_a_thread_from_code(runtime: greenroom.Runtime) -> None:
    async with runtime.run(user="alice", input="Rome") as run:
        thread = run.thread
    async with runtime.run(user="alice", thread=thread) as run:
        assert run.thread == thread
    found = await runtime.threads(user="alice").show(thread)
    assert (found.title, found.runs) == ("Rome", 2)
    with pytest.raises(BadId):
        runtime.run(user="alice", thread="alice")
