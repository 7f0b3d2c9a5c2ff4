"""What frameworks have in common: text, thoughts, tools and a result, written into a run."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from types import TracebackType
from typing import Final, TypeAlias

from greenroom.actors.errors import GreenroomError
from greenroom.aio.run import AioRun
from greenroom.delivery.events.ids import IdSource, ToolCallId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.life import last_words
from greenroom.delivery.run.run import Run
from greenroom.delivery.run.text_stream import Writable, parts_of
from greenroom.integrations.errors import NothingSaid
from greenroom.integrations.writing.json_values import arguments_of, as_json
from greenroom.integrations.writing.one_by_one import MessagePiece, OneByOne, PieceKind

AnyRun: TypeAlias = Run | AioRun
"""A run on trio or under asyncio."""

PARAGRAPH: Final = "\n\n"
"""Between what a model says before a tool and after it."""

UNNAMED: Final = "tool"
"""Models call tools without a name now and then."""

UNFINISHED: Final = "it did not complete"


class RunWriter:
    """Writes what a framework emits into a run: `async with RunWriter(run) as out: …`. `is_silent`:
    nothing was written so far.

    Deltas of text and of thoughts become streams, which are opened by the first delta. Tools are
    known by the framework's own ids of their calls. A tool that is left open is completed with an
    error, before the report and at the end of the block.
    """

    def __init__(self, run: AnyRun, *, ids: IdSource | None = None) -> None:
        self.run = run
        self._ids = ids or IdSource()
        self._text: Writable | None = None
        self._thought: Writable | None = None
        self._blocks, self._thoughts = AsyncExitStack(), AsyncExitStack()
        self._order = OneByOne()
        self._tools: dict[str, tuple[ToolCallId, str]] = {}
        self.is_silent, self._has_paused = True, False

    async def text(self, delta: str, *, message: str = "") -> None:
        """The next piece of the answer. Of messages that are written at once, name each: what they
        say is shown one after another."""
        if delta:
            self.is_silent = False
            if self._order.may_speak(message):
                await self._write_text(delta)
            else:
                await self._wait(message, MessagePiece(PieceKind.TEXT, delta))

    async def thought(self, delta: str, *, message: str = "") -> None:
        """The next piece of a thought, until `end_thought` or other output."""
        if delta:
            self.is_silent = False
            if self._order.may_speak(message):
                await self._write_thought(delta)
            else:
                await self._wait(message, MessagePiece(PieceKind.THOUGHT, delta))

    async def end_thought(self, *, message: str = "") -> None:
        """The thought is whole; the next delta begins another."""
        if self._order.may_speak(message):
            await self._end_thought()
        else:
            await self._wait(message, MessagePiece(PieceKind.END_THOUGHT))

    async def end_message(self, message: str) -> None:
        """The message of this name is whole."""
        await self._perform(self._order.end(message))

    async def tool_called(self, call: str, tool_name: str, arguments: object = None) -> None:
        """A tool is about to execute, with complete arguments. A call that executes already is
        passed over."""
        if call not in self._tools:
            await self._end_thought()
            self._tools[call] = self._ids.new(ToolCallId), tool_name or UNNAMED
            self.is_silent, self._has_paused = False, self._text is not None
            try:
                await self._begin_tool(*self._tools[call], arguments_of(arguments))
            except Exception:
                del self._tools[call]
                raise

    async def tool_returned(self, call: str, tool_name: str, result: object) -> None:
        """A tool's result. A call that was begun elsewhere, such as before a restart, is shown
        whole."""
        await self.tool_called(call, tool_name)
        own, name = self._tools.pop(call)
        await self.run.tool_completed(tool_name=name, tool_call=own, result=as_json(result))

    async def tool_failed(self, call: str, tool_name: str, error: str | BaseException) -> None:
        """A tool ended by an error. Users read a text as it is; of an exception, what the setting
        `show_errors` says."""
        await self.tool_called(call, tool_name)
        own, name = self._tools.pop(call)
        await self.run.tool_completed(tool_name=name, tool_call=own, error=error)

    async def report(self, value: object) -> None:
        """The whole answer. After it the framework may only end."""
        await self._complete_tools()
        await self._perform(self._order.flush())
        await self._end_thought()
        await self.run.final_report(report=as_json(value))
        self.is_silent = False

    def check_said(self) -> None:
        """Raises `NothingSaid` if nothing was written: no text, no thought, no tool, no report."""
        if self.is_silent:
            raise NothingSaid(
                "the framework ended and said nothing", advice="look at its log: it gave no error"
            )

    async def __aenter__(self) -> RunWriter:
        await self._blocks.enter_async_context(self._thoughts)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            await self._perform(self._order.flush())
        await self._blocks.__aexit__(kind, error, trace)
        if error is None:
            await self._complete_tools()
        elif not isinstance(error, GeneratorExit):
            await self._give_up_tools()

    async def _wait(self, message: str, piece: MessagePiece) -> None:
        await self._perform(self._order.wait(message, piece))

    async def _perform(self, pieces: Iterable[MessagePiece]) -> None:
        for piece in pieces:
            match piece.kind:
                case PieceKind.TEXT:
                    await self._write_text(piece.text)
                case PieceKind.THOUGHT:
                    await self._write_thought(piece.text)
                case PieceKind.END_THOUGHT:
                    await self._end_thought()
                case PieceKind.PAUSE:
                    await self._end_thought()
                    self._has_paused = self._text is not None

    async def _write_text(self, delta: str) -> None:
        await self._end_thought()
        if self._has_paused:
            self._has_paused, delta = False, PARAGRAPH + delta
        await _write(self._text or await self._begin_text(), delta)

    async def _write_thought(self, delta: str) -> None:
        await _write(self._thought or await self._begin_thought(), delta)

    async def _end_thought(self) -> None:
        if self._thought is not None:
            self._thought = None
            await self._thoughts.aclose()

    async def _give_up_tools(self) -> None:
        """Whoever catches the error that ends the block may go on with the run."""
        if isinstance(self.run, Run):
            with last_words(self.run):
                await self._complete_tools()
        else:
            with suppress(GreenroomError):
                await self._complete_tools()

    async def _begin_tool(self, call: ToolCallId, name: str, arguments: JSON) -> None:
        """If this is cancelled, the event may be kept all the same."""
        await self.run.tool_executing(tool_name=name, arguments=arguments, tool_call=call)

    async def _complete_tools(self) -> None:
        for call, (_, tool_name) in list(self._tools.items()):
            await self.tool_failed(call, tool_name, UNFINISHED)

    async def _begin_text(self) -> Writable:
        block: AbstractAsyncContextManager[Writable] = self.run.text()
        stream = await self._blocks.enter_async_context(block)
        self._text = stream
        return stream

    async def _begin_thought(self) -> Writable:
        block: AbstractAsyncContextManager[Writable] = self.run.thoughts()
        stream = await self._thoughts.enter_async_context(block)
        self._thought = stream
        return stream


async def _write(stream: Writable, text: str) -> None:
    for part in parts_of(text):
        stream.write(part)
        if stream.is_ahead:
            await stream.drain()
