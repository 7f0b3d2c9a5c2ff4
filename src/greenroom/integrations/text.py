"""Any async iterable of deltas, such as the stream of OpenAI's or Anthropic's client.

stream = await client.chat.completions.create(..., stream=True)
await write_deltas(run, stream)
"""

from __future__ import annotations

from collections.abc import AsyncIterable

from greenroom.actors.text.wording import kind_of
from greenroom.delivery.events.draft import BadEvent
from greenroom.integrations.writing.deltas import StreamUsage, delta_of
from greenroom.integrations.writing.run_writer import AnyRun, RunWriter
from greenroom.integrations.writing.streams import closing


async def write_deltas(run: AnyRun, deltas: AsyncIterable[object]) -> None:
    """Write a model's stream into a run: its text, its thoughts and its usage.

    The stream is closed at the end, so a run that its user stops ends the model's call. Raises
    `BadEvent` for what is no stream of text, `NothingSaid` if it had none, `IntegrationError` if it
    says that the model failed, and what it raises.
    """
    if not hasattr(deltas, "__aiter__"):
        raise BadEvent(f"deltas must be an async iterable, not {kind_of(deltas)}")
    usage = StreamUsage()
    async with RunWriter(run) as out:
        async with closing(deltas) as pieces:
            async for piece in pieces:
                await _write(out, piece, usage)
        out.check_said()


async def _write(out: RunWriter, piece: object, usage: StreamUsage) -> None:
    if type(piece) is str:
        await out.text(piece)
        return
    delta = delta_of(piece)
    await out.thought(delta.thought)
    await out.text(delta.text)
    if delta.usage:
        out.run.add_usage(usage.more(delta.usage))
