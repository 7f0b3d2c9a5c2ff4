"""Requests of AG-UI: a `RunAgentInput`, and what reads a run along (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from greenroom.delivery.events.ids import AskId, BadId, RunId, ThreadId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.transport.front_ends.ag_ui.events import AgUiRun
from greenroom.transport.front_ends.held_files import HeldFile, from_base64
from greenroom.transport.front_ends.questions import PageAnswer
from greenroom.transport.front_ends.wanted import (
    Fields,
    Saying,
    Wanted,
    list_in,
    object_in,
    position_of,
    query_of,
    run_or_key,
    text_in,
    thread_of,
)
from greenroom.transport.http.request_head import BadRequest, RequestHead


def wanted_by_post(head: RequestHead, user: UserId, body: bytes) -> Wanted:
    """A `RunAgentInput` begins a run, or answers its questions. Its `runId` is the idempotency key:
    the same again is shown the same run. Raises `BadRequest`."""
    fields = object_in(body)
    thread_id, run_id = text_in(fields, "threadId"), text_in(fields, "runId")
    face_of = partial(_face, thread_id, run_id)
    position = position_of(head)
    if resume := list_in(fields, "resume"):
        answers = tuple(_answer(entry) for entry in resume)
        return Wanted(face_of=face_of, answers=answers, position=position)
    said = _said(run_id, thread_of(user, thread_id), list_in(fields, "messages"))
    return Wanted(face_of=face_of, said=said, position=position)


def wanted_by_get(head: RequestHead, user: UserId, _: bytes) -> Wanted:
    """`?runId=` reads a run along, `?threadId=` the one that goes on in a thread. Raises
    `BadRequest`."""
    query, position = query_of(head), position_of(head)
    thread_id, run_id = query.get("threadId"), query.get("runId")
    face_of = partial(_face, thread_id, run_id)
    if run_id is not None:
        named = run_or_key(text_in(query, "runId"))
        return Wanted(face_of=face_of, position=position, **named)  # type: ignore[arg-type]
    thread = thread_of(user, text_in(query, "threadId"))
    return Wanted(face_of=face_of, position=position, thread=thread, must_exist=False)


def wanted_by_stop(_: RequestHead, user: UserId, body: bytes) -> Wanted:
    """`{"runId"}` stops a run, `{"threadId"}` the one that goes on in a thread."""
    fields = object_in(body)
    face_of = partial(_face, None, None)
    if "runId" in fields:
        named = run_or_key(text_in(fields, "runId"))
        return Wanted(face_of=face_of, stops=True, **named)  # type: ignore[arg-type]
    thread = thread_of(user, text_in(fields, "threadId"))
    return Wanted(face_of=face_of, thread=thread, stops=True)


def _face(thread_id: str | None, run_id: str | None, run: RunId, thread: ThreadId) -> AgUiRun:
    return AgUiRun(run, thread_id=thread_id or thread, run_id=run_id or run)


def _answer(entry: Fields) -> PageAnswer:
    try:
        ask = AskId.parse(text_in(entry, "interruptId"))
    except BadId as error:
        raise BadRequest(f"`interruptId`: {error.message}.") from None
    return PageAnswer(ask, entry.get("payload"), is_refusal=entry.get("status") == "cancelled")


def _said(key: str, thread: ThreadId, messages: Sequence[Fields]) -> Saying:
    """The user's last message."""
    spoken = [each for each in messages if each.get("role") == "user"]
    if not spoken:
        raise BadRequest("`messages` must have a message of the user.")
    content = spoken[-1].get("content")
    if isinstance(content, str):
        return Saying(key, thread, content)
    parts = list_in(spoken[-1], "content")
    held = [_held(each) for each in parts]
    rest = [part for part, file in zip(parts, held, strict=True) if file is None]
    return Saying(key, thread, _body(parts), tuple(filter(None, held)), _body(rest))


def _held(part: Fields) -> HeldFile | None:
    """The file that a part holds itself: an image, sound, video or document; or a `binary` of AG-UI
    before 1."""
    named, source = part.get("metadata"), part.get("source")
    if part.get("type") == "binary" and isinstance(data := part.get("data"), str):
        return from_base64(data, part.get("filename"), part.get("mimeType"))
    if not isinstance(source, dict) or source.get("type") != "data":
        return None
    name = named.get("filename") if isinstance(named, dict) else None
    return from_base64(str(source.get("value")), name, source.get("mimeType"))


def _body(parts: Sequence[Fields]) -> JSON:
    """The text of a message; with other parts `{text, parts}`."""
    texts = [str(each.get("text", "")) for each in parts if each.get("type") == "text"]
    others = [each for each in parts if each.get("type") != "text"]
    return {"text": "\n".join(texts), "parts": others} if others else "\n".join(texts)
