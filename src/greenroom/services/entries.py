"""What a program may say in a run: each kind of entry, and the method of `Run` it stands for.

| kind | data |
|---|---|
| `agent_thinking`, `partial_result` | `text` |
| `thoughts`, `text` | `text`: a delta, which leaves together with others; `stream`: the name of a stream, if there are several; `end`: true ends it; `flush`: true keeps it now |
| `tool_executing` | `tool_name`, `arguments`, `tool_call` |
| `tool_completed` | `tool_name`, `tool_call`, `duration_ms`, and `result`, `error` (a text for the user) or `failure` (`error`, `message`, `traceback`: of an exception) |
| `final_report` | `report` |
| `input_requested` | `prompt`, `options`, `schema`, `expires_in` (seconds), `counts_time`, `key` |
| `input_withdrawn` | `ask` |
| `typing` | nothing |
| `title` | `title` |
| `limit` | `seconds` |
"""  # noqa: E501  # a table

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias, cast

import attrs

from greenroom.delivery.events.ids import AskId, ToolCallId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.run.text_buffer import BUFFER_BYTES
from greenroom.delivery.run.text_stream import TextStream
from greenroom.services.fields import Fields
from greenroom.services.held_run import MOST_STREAMS, HeldRun, RemoteFailure, failure_of
from greenroom.services.problems import BadEntry

MOST_DELTA: Final = BUFFER_BYTES // 8
"""Characters of a delta that are written at once, so that the stream's buffer has room for them."""


@attrs.frozen
class Entry:
    """One thing that a program says in its run."""

    kind: str
    data: JSON

    @classmethod
    def of(cls, given: JSON) -> Entry:
        """Raises `BadEntry`."""
        fields = Fields(given, "an entry")
        entry = cls(fields.text("kind"), fields.json("data") if fields.has("data") else {})
        fields.end()
        if entry.kind not in KINDS:
            raise BadEntry(f"`kind` must be one of {', '.join(KINDS)}, not {entry.kind!r:.60}")
        return entry


Done: TypeAlias = Receipt | dict[str, JSON]


async def carry_out(remote: HeldRun, entry: Entry, key: str | None) -> dict[str, JSON]:
    """Do what an entry says; the result that answers it. With a `key` an event is kept once.

    Raises what the methods of `Run` raise.
    """
    fields = Fields(entry.data, f"`data` of {entry.kind}")
    if entry.kind not in _OF_STREAMS:
        await remote.flush()
    remote.run._emitter.key = key if entry.kind in EVENTS else None
    try:
        done = await KINDS[entry.kind](remote, fields)
    finally:
        remote.run._emitter.key = None
    return receipt_json(done) if isinstance(done, Receipt) else done


def receipt_json(receipt: Receipt) -> dict[str, JSON]:
    """A receipt, as programs read it."""
    return {
        "event": receipt.event,
        "kind": str(receipt.kind),
        "offset": receipt.offset,
        "at": receipt.at,
    }


async def _thinking(remote: HeldRun, fields: Fields) -> Done:
    text = fields.text("text")
    fields.end()
    return await remote.run.agent_thinking(text=text)


async def _partial(remote: HeldRun, fields: Fields) -> Done:
    text = fields.text("text")
    fields.end()
    return await remote.run.partial_result(text=text)


async def _text(remote: HeldRun, fields: Fields) -> Done:
    return await _delta(remote, fields, "text", remote.run.text)


async def _thoughts(remote: HeldRun, fields: Fields) -> Done:
    return await _delta(remote, fields, "thoughts", remote.run.thoughts)


async def _delta(
    remote: HeldRun, fields: Fields, kind: str, make: Callable[[], TextStream]
) -> Done:
    text, name = fields.maybe_text("text") or "", fields.maybe_text("stream") or ""
    end, flush = fields.flag("end"), fields.flag("flush")
    fields.end()
    stream = await _stream(remote, (kind, name), make)
    for start in range(0, len(text), MOST_DELTA):
        stream.write(text[start : start + MOST_DELTA])
        await stream.drain()
    if end:
        await remote.close_text((kind, name))
    elif flush:
        await stream.flush()
    kept = stream.receipt if end or flush else None
    return kept if kept is not None else {"kind": kind, "written": len(text)}


async def _stream(
    remote: HeldRun, key: tuple[str, str], make: Callable[[], TextStream]
) -> TextStream:
    known = remote.texts.get(key)
    if known is not None:
        return known
    if len(remote.texts) >= MOST_STREAMS:
        raise BadEntry(f"a run may have at most {MOST_STREAMS} open streams of text")
    stream = await make().__aenter__()
    remote.texts[key] = stream
    return stream


async def _executing(remote: HeldRun, fields: Fields) -> Done:
    name, call = fields.text("tool_name"), _call(fields)
    arguments = fields.json("arguments")
    fields.end()
    return await remote.run.tool_executing(tool_name=name, arguments=arguments, tool_call=call)


async def _completed(remote: HeldRun, fields: Fields) -> Done:
    name, call = fields.text("tool_name"), _call(fields)
    result, took = fields.json("result"), fields.whole("duration_ms")
    error: str | RemoteFailure | None = fields.maybe_text("error")
    if fields.has("failure"):
        error = failure_in(fields.json("failure"))
    fields.end()
    return await remote.run.tool_completed(
        tool_name=name, tool_call=call, result=result, error=error, duration_ms=took
    )


async def _report(remote: HeldRun, fields: Fields) -> Done:
    report = fields.json("report")
    fields.end()
    for key in list(remote.texts):
        await remote.close_text(key)
    return await remote.run.final_report(report=report)


async def _ask(remote: HeldRun, fields: Fields) -> Done:
    prompt, options = fields.text("prompt"), fields.array("options")
    schema, expires = fields.json("schema"), fields.number("expires_in")
    counts, key = fields.flag("counts_time"), fields.maybe_text("key")
    fields.end()
    ask = remote.run.ask(
        prompt, options=options, schema=schema, expires=expires, counts_time=counts, key=key
    )
    await remote.ask(ask)
    assert ask.receipt is not None, "it was asked"
    return {**receipt_json(ask.receipt), "ask": ask.id}


async def _withdraw(remote: HeldRun, fields: Fields) -> Done:
    ask = AskId.parse(fields.text("ask"))
    fields.end()
    await remote.withdraw(ask)
    return {"kind": "input_withdrawn"}


async def _typing(remote: HeldRun, fields: Fields) -> Done:
    fields.end()
    remote.run.typing()
    return {"kind": "typing"}


async def _title(remote: HeldRun, fields: Fields) -> Done:
    title = fields.text("title")
    fields.end()
    await remote.run.set_title(title)
    return {"kind": "title"}


async def _limit(remote: HeldRun, fields: Fields) -> Done:
    seconds = fields.number("seconds")
    fields.end()
    if seconds is None:
        raise BadEntry("`data` of limit: `seconds` must be a number")
    remote.run.set_limit(seconds)
    return {"kind": "limit"}


def failure_in(given: JSON) -> RemoteFailure:
    """An error of the program: its type's name, message and traceback. Raises `BadEntry`."""
    fields = Fields(given, "`failure`")
    failure = failure_of(
        fields.maybe_text("error") or "RemoteFailure",
        fields.maybe_text("message") or "",
        fields.maybe_text("traceback") or "",
    )
    fields.end()
    return failure


def usage_in(given: JSON) -> Mapping[str, int]:
    """Counts by name, which the run checks itself. Raises `BadEntry`."""
    if not isinstance(given, Mapping):
        raise BadEntry("`usage` must be an object of counts")
    return cast("Mapping[str, int]", given)


def _call(fields: Fields) -> ToolCallId | None:
    call = fields.maybe_text("tool_call")
    return None if call is None else ToolCallId.parse(call)


KINDS: Final[Mapping[str, Callable[[HeldRun, Fields], Awaitable[Done]]]] = {
    "agent_thinking": _thinking,
    "partial_result": _partial,
    "text": _text,
    "thoughts": _thoughts,
    "tool_executing": _executing,
    "tool_completed": _completed,
    "final_report": _report,
    "input_requested": _ask,
    "input_withdrawn": _withdraw,
    "typing": _typing,
    "title": _title,
    "limit": _limit,
}
"""What carries out each kind of entry."""

EVENTS: Final = frozenset(
    {"agent_thinking", "partial_result", "tool_executing", "tool_completed", "final_report"}
) | {"input_requested"}
"""The kinds that are one event each, kept once for a key."""

_OF_STREAMS: Final = frozenset({"text", "thoughts"})
