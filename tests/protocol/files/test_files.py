"""Files that go with what a user says: sent in parts, kept, read by the agent, erased."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest
import trio

import greenroom
from greenroom.delivery.files.entries import KeptFile
from greenroom.delivery.files.reading import ReadFiles
from greenroom.testing import DiskFault
from tests.protocol.client import Client
from tests.protocol.server import TAKES, serving, token_for
from tests.protocol.without_websocket.events_client import EventsClient

PART = 40_000
DATA = bytes(range(256)) * 390  # 99,840 bytes: three parts


def frame(start, data=DATA, *, name="f1", **more):
    part = b64encode(data[start : start + PART]).decode()
    fields = {"file": name, "start": start, "size": len(data), "data": part}
    return {"id": f"{name} at {start}", **fields, **more}


def named(data=DATA, *, name="f1", **more):
    return {"file": name, "name": f"{name}.txt", "media": "text/plain", "size": len(data), **more}


def upload(client, data=DATA, *, name="f1"):
    for start in range(0, len(data) or 1, PART):
        reply = client.ask("file", **frame(start, data, name=name))
        assert reply["ok"], reply
    return reply["received"]


def refusal(reply):
    assert reply["ok"] is False
    return reply["error"]["code"], reply["error"]["message"]


def told(events):
    (report,) = [each["data"]["report"] for each in events if each["kind"] == "final_report"]
    return report


@pytest.mark.every_server
def test_an_agent_reads_what_came_in_parts(connect):
    client = connect()
    assert client.hello()["files"] == TAKES.as_json()
    assert (upload(client), upload(client, b"", name="f2")) == (len(DATA), 0)
    files = [named(), named(b"", name="f2")]
    assert client.ask("say", id="s1", body="read files", files=files)["ok"]
    events = client.events()
    assert events[0]["data"]["files"] == files
    assert told(events) == [
        ["f1.txt", "text/plain", sha256(DATA).hexdigest()],
        ["f2.txt", "text/plain", sha256(b"").hexdigest()],
    ]


@pytest.mark.every_server
def test_an_agent_reads_what_was_posted(server, token):
    with EventsClient(server.port, token=token) as client:
        for start in range(0, len(DATA), PART):
            (reply,) = client.post({"type": "file", **frame(start)})
            assert reply["received"] == min(start + PART, len(DATA))
        client.post({"type": "say", "id": "s1", "body": "read files", "files": [named()]})
        events = [each.data for each in client.events(until="agent_completed")]
    assert told(events) == [["f1.txt", "text/plain", sha256(DATA).hexdigest()]]


def test_the_python_client_sends_what_a_path_held_at_first_and_is_told_what_is_too_large(
    server, token, tmp_path
):
    path, large = tmp_path / "f1.txt", tmp_path / "large"
    path.write_bytes(DATA)
    with large.open("wb") as sparse:
        sparse.truncate(2**40)  # more than memory has

    async def main():
        url = f"ws://127.0.0.1:{server.port}"
        async with greenroom.connect(url, token=token) as client:
            with pytest.raises(greenroom.RequestFailed, match="at most 200,000"):
                await client.upload("large", large)
            file = await client.upload("f1.txt", path)
            await client.say("read files", files=[file])
            events = client.events()
            while (event := await anext(events)).kind != "final_report":
                pass
        return event.data["report"]

    assert trio.run(main) == [["f1.txt", "text/plain", sha256(DATA).hexdigest()]]


def test_an_upload_goes_on_after_a_reconnect_where_it_stopped(connect):
    first = connect()
    first.hello()
    first.ask("file", **frame(0))
    first.connection.close()
    again = connect()
    again.hello()
    for start, received in [(0, PART), (2 * PART, PART), (PART, 2 * PART), (2 * PART, len(DATA))]:
        assert again.ask("file", **frame(start))["received"] == received
    assert again.ask("file", **frame(2 * PART))["received"] == len(DATA)
    again.ask("say", id="s1", body="read files", files=[named()])
    assert told(again.events()) == [["f1.txt", "text/plain", sha256(DATA).hexdigest()]]


def test_a_message_with_files_is_kept_once_and_its_files_may_be_named_again(client):
    upload(client)
    say = {"body": "read files", "files": [named()]}
    first = client.ask("say", id="s1", **say)
    assert client.ask("say", id="s1", **say)["run"] == first["run"]
    assert refusal(client.ask("say", id="s1", body="read files"))[0] == 4502
    assert client.ask("file", **frame(0))["received"] == len(DATA)
    client.events()
    assert client.ask("say", id="s2", **say)["ok"]
    assert told(client.events()) == [["f1.txt", "text/plain", sha256(DATA).hexdigest()]]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size": TAKES.max_bytes + 1}, "at most 200,000"),
        ({"size": 3}, "past `size`"),
        ({"data": b64encode(bytes(255)).decode()}, "256 bytes or more"),
        ({"data": ""}, "`data` is empty"),
        ({"data": "no base64"}, "`data` must be base64"),
        ({"data": 1}, "`data` must be base64"),
        ({"file": ""}, "`file`"),
        ({"start": -1}, "`start`"),
    ],
    ids=str,
)
def test_a_part_that_cannot_be_kept_is_refused_in_words(client, fields, words):
    code, message = refusal(client.ask("file", **{**frame(0), **fields}))
    assert code == 4502
    assert words in message
    assert client.ask("file", **frame(0))["received"] == PART


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([named(size=7)], "99,840 of 7 bytes of 'f1.txt'"),
        ([named(name="unknown")], "0 of 99,840 bytes"),
        ([named(media="image/png")], "not of 'image/png'"),
        ([named(), named()], "twice"),
        ([named(name=f"f{n}") for n in range(3)], "at most 2"),
        ([named(size=TAKES.max_bytes + 1)], "at most 200,000"),
        (["f1"], "an object"),
        ([{"file": "f1"}], "`files[].name`"),
        ("f1", "a list"),
    ],
    ids=str,
)
def test_a_message_whose_files_are_not_what_the_agent_takes_is_refused(client, files, words):
    upload(client)
    code, message = refusal(client.ask("say", id="s1", body="read files", files=files))
    assert code == 4502
    assert words in message
    assert client.ask("history", id="h1", limit=1)["events"] == []


def test_what_waits_for_its_message_is_bounded(client):
    whole = bytes(TAKES.max_bytes)
    for number in range(4):
        upload(client, whole, name=f"f{number}")
    reply = client.ask("file", **frame(0, name="one more"))
    assert refusal(reply)[0] == 4507
    assert reply["error"]["temporary"] is True
    client.ask("say", id="s1", body="read files", files=[named(whole, name="f1")])
    assert client.ask("file", **frame(0, name="one more"))["received"] == PART


def test_a_discarded_upload_begins_anew_and_one_of_a_message_stays(client, connect):
    client.ask("file", **frame(0))
    stranger = connect(bearing=token_for("bob"))
    stranger.hello()
    assert stranger.ask("discard", id="d0", file="f1")["ok"]
    assert client.ask("file", **frame(0))["received"] == PART
    assert client.ask("discard", id="d1", file="f1")["ok"]
    assert client.ask("file", **frame(PART))["received"] == 0
    upload(client)
    assert client.ask("say", id="s1", body="read files", files=[named()])["ok"]
    assert client.ask("discard", id="d2", file="f1")["ok"]
    assert told(client.events()) == [["f1.txt", "text/plain", sha256(DATA).hexdigest()]]


def test_an_upload_goes_on_once_a_full_disk_has_room(tmp_path, faulty_disk, crashes):
    crashes.append("no room on the disk")
    with (
        serving(journal=tmp_path / "journal.db") as server,
        Client(server.port, token_for("alice")) as client,
    ):
        client.hello()
        client.ask("file", **frame(0))
        faulty_disk.fault = DiskFault.FULL
        reply = client.ask("file", **frame(PART))
        assert (refusal(reply)[0], reply["error"]["temporary"]) == (4105, True)
        faulty_disk.fault = None
        assert client.ask("file", **frame(2 * PART))["received"] == PART
        assert client.ask("file", **frame(PART))["received"] == 2 * PART


def test_the_files_of_an_erased_thread_are_gone(client):
    upload(client)
    thread = client.ask("say", id="s1", body="read files", files=[named()])["thread"]
    client.events()
    assert client.ask("erase", id="e1", thread=thread)["ok"]
    assert client.ask("file", **frame(PART))["received"] == 0


def test_a_file_that_another_tab_discarded_in_the_moment_of_the_message_is_gone(
    client, monkeypatch, crashes
):
    """The message is looked at before the other tab's request is kept, and kept after it."""
    crashes.append("FileGone")
    found = [KeptFile(len(DATA), None)]
    with monkeypatch.context() as moment:
        moment.setattr(ReadFiles, "answer", lambda *_: found)
        assert client.ask("say", id="s1", body="read files", files=[named()])["ok"]
    assert client.events(until="agent_failed")[-1]["data"]["reason"] == "crash"
    reply = client.ask("say", id="s2", body="read files", files=[named()])
    assert refusal(reply) == (
        4502,
        "say: the server has 0 of 99,840 bytes of 'f1.txt': send the file again",
    )


def test_a_file_goes_with_the_first_message_that_named_it(crashes):
    """Also while a run in another thread of the user is about to read it."""
    crashes.append("FileGone")

    @greenroom.agent(takes=("text", TAKES))
    async def reader(run, said):
        if said == "later":
            await run.ask("Now?")
        for file in await run.files():
            await run.read_file(file)

    with serving(agent=reader) as server, Client(server.port, token_for("alice")) as client:
        client.hello()
        upload(client)
        first = client.ask("say", id="s1", body="now", files=[named()])
        client.events()
        client.ask("say", id="s2", body="later", files=[named()])
        (asked,) = [
            each for each in client.events(until="input_requested") if "ask" in each["data"]
        ]
        assert client.ask("erase", id="e1", thread=first["thread"])["ok"]
        assert client.ask("answer", id="a1", ask=asked["data"]["ask"], value="yes")["ok"]
        assert client.events(until="agent_failed")[-1]["data"]["reason"] == "crash"


def test_an_agent_that_takes_no_files_gets_none():
    async def silent(run, said):
        """It takes text."""

    with serving(agent=silent) as server, Client(server.port, token_for("alice")) as client:
        assert "files" not in client.hello()
        words = "takes no files"
        assert words in refusal(client.ask("file", **frame(0)))[1]
        assert words in refusal(client.ask("say", id="s", body="", files=[named()]))[1]
