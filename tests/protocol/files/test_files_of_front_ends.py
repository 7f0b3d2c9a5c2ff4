"""Files that messages of other protocols hold themselves: the agent reads them as any other."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

import pytest

from tests.protocol.front_ends.front_end import FrontEnd, run_input
from tests.protocol.without_websocket.events_client import Refused

DATA = bytes(range(256)) * 390  # three parts
ENCODED = b64encode(DATA).decode()
TOLD = ["poem.txt", "text/plain", sha256(DATA).hexdigest()]


@pytest.fixture
def page(server, token):
    """This test's user's."""
    return FrontEnd(server.port, {"Authorization": f"Bearer {token}"})


def of_ai_sdk(url=f"data:text/plain;base64,{ENCODED}", media="text/plain", count=1, **more):
    file = {"type": "file", "url": url, "mediaType": media, "filename": "poem.txt"}
    parts = [{"type": "text", "text": "read files"}, *[file] * count]
    messages = [{"id": "m1", "role": "user", "parts": parts}]
    return {"id": "chat-1", "trigger": "submit-message", "messages": messages, **more}


def of_ag_ui(file):
    return run_input([{"type": "text", "text": "read files"}, file])


def told(messages):
    (report,) = [
        message.data["data"] if message.data["type"] == "data-report" else message.data["value"]
        for message in messages
        if "report" in message.data.get("type", "") or message.data.get("name") == "final_report"
    ]
    return report


def said(client):
    client.hello()
    events = client.ask("history", id="h1", limit=200)["events"]
    return [each["data"] for each in events if each["kind"] == "user_said"]


@pytest.mark.every_server
def test_an_agent_reads_the_files_that_a_message_of_the_ai_sdk_holds(page):
    first = page.read("POST", "ai-sdk", of_ai_sdk())
    assert told(first) == [TOLD]
    again = page.read("POST", "ai-sdk", of_ai_sdk())
    assert again[0].data == first[0].data  # of the same run


@pytest.mark.parametrize(
    "file",
    [
        {
            "type": "document",
            "source": {"type": "data", "value": ENCODED, "mimeType": "text/plain"},
            "metadata": {"filename": "poem.txt"},
        },
        {"type": "binary", "data": ENCODED, "mimeType": "text/plain", "filename": "poem.txt"},
    ],
    ids=["1", "before 1"],
)
def test_an_agent_reads_the_files_that_a_message_of_ag_ui_holds(page, file):
    assert told(page.read("POST", "ag-ui", of_ag_ui(file))) == [TOLD]


def test_what_is_said_again_has_its_files_again_and_they_are_kept_once(page, connect):
    page.read("POST", "ai-sdk", of_ai_sdk())
    page.read("POST", "ai-sdk", of_ai_sdk(trigger="regenerate-message"))
    first, second = said(connect())
    assert first["files"] == second["files"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (of_ai_sdk(media="image/png"), 400, "files of text/*, not of 'image/png'"),
        (of_ai_sdk(f"data:;base64,{'A' * 400_000}"), 400, "at most 200,000"),
        (of_ai_sdk(count=3), 400, "at most 2"),
        (of_ai_sdk("data:text/plain;base64,!"), 400, "must be base64"),
        (of_ai_sdk("data:text/plain"), 400, "a comma"),
        (of_ai_sdk(f"data:;base64,{'A' * 1_048_576}"), 413, "1,048,576 bytes"),
    ],
    ids=["type", "size", "number", "encoding", "no comma", "request"],
)
def test_files_that_the_agent_does_not_take_are_refused_in_words(page, body, status, words):
    with pytest.raises(Refused) as refused:
        page.read("POST", "ai-sdk", body)
    assert refused.value.status == status
    assert words in refused.value.body


def test_a_data_url_may_be_percent_encoded_and_a_link_stays_a_link(page, connect):
    page.read("POST", "ai-sdk", of_ai_sdk("data:text/plain,one%20two"))
    link = of_ai_sdk("https://example.org/poem.txt")
    link["messages"][0]["id"] = "m2"
    page.read("POST", "ai-sdk", link)
    first, second = said(connect())
    assert first["files"][0]["size"] == len("one two")
    assert second["body"]["files"][0]["url"] == "https://example.org/poem.txt"
