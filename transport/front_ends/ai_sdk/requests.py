"""Requests of the AI SDK's `DefaultChatTransport` (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from greenroom.delivery.events.ids import AskId, BadId, RunId, ThreadId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.transport.front_ends.ai_sdk.chunks import AiSdkRun
from greenroom.transport.front_ends.held_files import DATA_URL, HeldFile, from_data_url
from greenroom.transport.front_ends.questions import QUESTION, PageAnswer
from greenroom.transport.front_ends.wanted import (
    Fields,
    Saying,
    Wanted,
    list_in,
    object_in,
    part_of_path,
    text_in,
    thread_of,
)
from greenroom.transport.http.request_head import BadRequest, RequestHead


def wanted_by_post(_: RequestHead, user: UserId, body: bytes) -> Wanted:
    """The user's last message begins a run, or the answers in the assistant's last one go to the
    run that asked. A message has its own id, so that it begins one run however often it is sent;
    what is said again is new. Raises `BadRequest`."""
    fields = object_in(body)
    thread, messages = thread_of(user, text_in(fields, "id")), list_in(fields, "messages")
    last = messages[-1] if messages else {}
    if last.get("role") == "assistant" and fields.get("trigger") != "regenerate-message":
        return _answered(last)
    spoken = [each for each in messages if each.get("role") == "user"]
    if not spoken:
        raise BadRequest("`messages` must have a message of the user.")
    is_new = fields.get("trigger") == "submit-message" and fields.get("messageId") is None
    key = text_in(spoken[-1], "id") if is_new else None
    return Wanted(face_of=_face, said=_said(key, thread, spoken[-1]), whole=True)


def wanted_by_get(head: RequestHead, user: UserId, _: bytes) -> Wanted:
    """`/CHAT/stream`: the run that goes on in the chat, from its beginning, or that was stopped
    last: a page whose stream had ended with a question learns that it is closed."""
    thread = thread_of(user, part_of_path(head, -2))
    return Wanted(face_of=_face, thread=thread, or_stopped=True, must_exist=False, whole=True)


def wanted_by_stop(head: RequestHead, user: UserId, _: bytes) -> Wanted:
    """`/CHAT/stop`: the run that goes on in the chat."""
    return Wanted(face_of=_face, thread=thread_of(user, part_of_path(head, -2)), stops=True)


def _face(run: RunId, _: ThreadId) -> AiSdkRun:
    return AiSdkRun(run)


def _answered(message: Fields) -> Wanted:
    try:
        run = RunId.parse(text_in(message, "id"))
    except BadId as error:
        raise BadRequest(f"The id of the last message: {error.message}.") from None
    answers = tuple(_answers(list_in(message, "parts")))
    return Wanted(face_of=_face, answers=answers, run=run, whole=True)


def _answers(parts: Sequence[Fields]) -> Iterator[PageAnswer]:
    """Also old answers, whose questions are closed."""
    for part in parts:
        if part.get("type") != "dynamic-tool" or part.get("toolName") != QUESTION:
            continue
        approval = part.get("approval")
        if part.get("state") == "output-available":
            yield PageAnswer(_ask(part), part.get("output"))
        elif part.get("state") == "approval-responded" and isinstance(approval, dict):
            yield PageAnswer(_ask(part), bool(approval.get("approved")))


def _ask(part: Fields) -> AskId:
    try:
        return AskId.parse(text_in(part, "toolCallId"))
    except BadId as error:
        raise BadRequest(f"`toolCallId`: {error.message}.") from None


def _said(key: str | None, thread: ThreadId, message: Fields) -> Saying:
    parts = list_in(message, "parts")
    held = [each for each in parts if _is_held(each)]
    rest = [each for each in parts if not _is_held(each)]
    return Saying(key, thread, _body(parts), tuple(map(_held, held)), _body(rest))


def _is_held(part: Fields) -> bool:
    return part.get("type") == "file" and str(part.get("url")).startswith(DATA_URL)


def _held(part: Fields) -> HeldFile:
    return from_data_url(str(part["url"]), part.get("filename"), part.get("mediaType"))


def _body(parts: Sequence[Fields]) -> JSON:
    """The text of a message; with files `{text, files}`."""
    texts = [str(each.get("text", "")) for each in parts if each.get("type") == "text"]
    files: list[JSON] = [_file(each) for each in parts if each.get("type") == "file"]
    return {"text": "\n".join(texts), "files": files} if files else "\n".join(texts)


def _file(part: Fields) -> JSON:
    known = ("url", "mediaType", "filename")
    return {name: part[name] for name in known if part.get(name) is not None}
