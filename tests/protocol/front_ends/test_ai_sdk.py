"""The AI SDK's message stream over HTTP, on every server."""

from __future__ import annotations

import pytest

from tests.protocol.front_ends.front_end import types_of
from tests.protocol.without_websocket.events_client import Refused
from tests.transport.front_ends.grammar import AI_SDK, check

TEXT = ["text-start", "text-delta", "text-delta", "text-end"]


def message(text, name="message-1"):
    return {"id": name, "role": "user", "parts": [{"type": "text", "text": text}]}


def sent(text, name="message-1", chat="chat-1", **more):
    submitted = {"trigger": "submit-message", "messages": [message(text, name)]}
    return {"id": chat, **submitted, **more}


def answered(run, ask, **part):
    """What a page sends once its user has answered."""
    known = {"type": "dynamic-tool", "toolName": "question", "toolCallId": ask}
    last = {"id": run, "role": "assistant", "parts": [{**known, **part}]}
    return {"id": "chat-1", "trigger": "submit-message", "messages": [message("ask"), last]}


def post(page, *args, **fields):
    return page.read("POST", "ai-sdk", sent(*args, **fields))


def run_of(messages):
    return messages[0].data["messageId"]


def ask_of(messages):
    (ask,) = [each.data["toolCallId"] for each in messages if "toolName" in each.data]
    return ask


@pytest.mark.every_server
def test_a_message_is_answered_by_one_with_the_id_of_the_run(page):
    with page.reading("POST", "ai-sdk", sent("hello")) as reading:
        assert reading.answer.getheader("x-vercel-ai-ui-message-stream") == "v1"
        messages = list(reading)
    assert types_of(messages) == [
        *["start", "reset-step", "message-metadata"],
        *TEXT,
        "finish",
    ]
    assert run_of(messages).startswith("run_")


def test_a_message_that_is_sent_again_is_answered_by_the_same_run(page):
    first, second = post(page, "tools"), post(page, "tools")
    assert [each.data for each in first] == [each.data for each in second]
    check([each.data for each in first], AI_SDK)


def test_what_is_said_again_is_another_run(page):
    first = post(page, "hello")
    again = post(page, "hello", trigger="regenerate-message", messageId=run_of(first))
    edited = post(page, "hello", messageId="message-1")
    assert len({run_of(first), run_of(again), run_of(edited)}) == 3


@pytest.mark.every_server
def test_a_page_that_comes_back_has_the_answer_from_its_beginning_or_none(page):
    with pytest.raises(Refused) as refused:
        page.read("GET", "ai-sdk/chat-1/stream")
    assert refused.value.status == 204
    with page.reading("POST", "ai-sdk", sent("wait")) as reading:
        reading.until("text-delta")
    with page.reading("GET", "ai-sdk/chat-1/stream") as resumed:
        resumed.until("text-delta")
        with page.reading("POST", "ai-sdk/chat-1/stop", {}) as stopped:
            stopped.answer.read()
        assert resumed.rest()[-1]["type"] == "abort"
    with pytest.raises(Refused) as refused:
        page.read("POST", "ai-sdk/chat-1/stop", {})
    assert refused.value.status == 404


@pytest.mark.every_server
@pytest.mark.parametrize(("approved", "said"), [(True, "yes"), (False, "no")])
def test_an_approval_is_posted_and_the_run_goes_on_in_the_same_message(page, approved, said):
    asked = post(page, "ask")
    assert asked[-1].data == {"type": "finish", "finishReason": "tool-calls"}
    part = {"state": "approval-responded", "approval": {"id": "x", "approved": approved}}
    answer = answered(run_of(asked), ask_of(asked), **part)
    resumed = page.read("POST", "ai-sdk", answer)
    assert run_of(resumed) == run_of(asked)
    texts = [each.data["delta"] for each in resumed if "delta" in each.data]
    assert texts == ["One ", said, "two"]
    again = page.read("POST", "ai-sdk", answer)
    assert [each.data for each in again] == [each.data for each in resumed]


def test_a_page_that_stops_a_run_which_asks_reads_that_its_question_is_closed(page):
    asked = post(page, "ask")
    with page.reading("POST", "ai-sdk/chat-1/stop", {}) as stopped:
        stopped.answer.read()
    resumed = page.read("GET", "ai-sdk/chat-1/stream")
    assert types_of(resumed)[-3:] == ["tool-output-error", "message-metadata", "abort"]
    assert run_of(resumed) == run_of(asked)
    with pytest.raises(Refused) as refused:
        page.read("POST", "ai-sdk/chat-1/stop", {})
    assert refused.value.status == 404


def test_an_answer_in_words_is_posted(page):
    asked = post(page, "name")
    part = {"state": "output-available", "output": 7}
    with pytest.raises(Refused) as refused:
        page.read("POST", "ai-sdk", answered(run_of(asked), ask_of(asked), **part))
    assert refused.value.status == 400
    part["output"] = "Ada"
    resumed = page.read("POST", "ai-sdk", answered(run_of(asked), ask_of(asked), **part))
    assert [each.data["delta"] for each in resumed if "delta" in each.data][1] == "Ada"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        (sent("x", messages=[]), 400),
        (sent("x", messages=[{"role": "assistant", "id": "x", "parts": []}]), 400),
        (answered("run_01kbx3m9sebmv8t2v9w0c4d5e6", "x", state="output-available"), 400),
        (answered("run_01kbx3m9sebmv8t2v9w0c4d5e6", "x"), 404),
        (sent("x", messages=["x"]), 400),
    ],
)
def test_what_cannot_be_answered_has_its_status(page, body, status):
    with pytest.raises(Refused) as refused:
        page.read("POST", "ai-sdk", body)
    assert refused.value.status == status


def test_files_are_said_beside_the_text(page, connect):
    socket = connect()
    socket.hello()
    file = {"type": "file", "url": "data:,x", "mediaType": "text/plain"}
    spoken = message("look")
    spoken["parts"].append(file)
    page.read("POST", "ai-sdk", sent("x", messages=[spoken]))
    said = socket.events()[0]["data"]["body"]
    assert said == {"text": "look", "files": [{"url": "data:,x", "mediaType": "text/plain"}]}
