"""What frameworks have in common: text, thoughts, tools and a result, written into a run."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Final, TypeAlias

from greenroom.aio.run import AioRun
from greenroom.delivery.events.ids import IdSource, ToolCallId
from greenroom.delivery.run.run import Run
from greenroom.delivery.run.text_stream import Writable, parts_of
from greenroom.integrations.errors import NothingSaid
from greenroom.integrations.writing.json_values import arguments_of, as_json

AnyRun: TypeAlias = Run | AioRun
"""A run on trio or under asyncio."""

PARAGRAPH: Final = "\n\n"
"""Between what a model says before a tool and after it."""

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
        self._tools: dict[str, tuple[ToolCallId, str]] = {}
        self.is_silent, self._has_paused = True, False

    async def text(self, delta: str) -> None:
        """The next piece of the answer."""
        if delta:
            await self.end_thought()
            if self._has_paused:
                self._has_paused, delta = False, PARAGRAPH + delta
            await _write(self._text or await self._begin_text(), delta)

    async def thought(self, delta: str) -> None:
        """The next piece of a thought, until `end_thought` or other output."""
        if delta:
            await _write(self._thought or await self._begin_thought(), delta)

    async def end_thought(self) -> None:
        """The thought is whole; the next delta begins another."""
        if self._thought is not None:
            self._thought = None
            await self._thoughts.aclose()

    async def tool_called(self, call: str, tool_name: str, arguments: object = None) -> None:
        """A tool is about to execute, with complete arguments. A call that executes already is
        passed over."""
        if call not in self._tools:
            await self.end_thought()
            own = self._ids.new(ToolCallId)
            await self.run.tool_executing(
                tool_name=tool_name, arguments=arguments_of(arguments), tool_call=own
            )
            self._tools[call] = own, tool_name
            self.is_silent, self._has_paused = False, self._text is not None

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
        await self.end_thought()
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
        await self._blocks.__aexit__(kind, error, trace)
        if error is None:
            await self._complete_tools()

    async def _complete_tools(self) -> None:
        for call, (_, tool_name) in list(self._tools.items()):
            await self.tool_failed(call, tool_name, UNFINISHED)

    async def _begin_text(self) -> Writable:
        self.is_silent = False
        block: AbstractAsyncContextManager[Writable] = self.run.text()
        stream = await self._blocks.enter_async_context(block)
        self._text = stream
        return stream

    async def _begin_thought(self) -> Writable:
        self.is_silent = False
        block: AbstractAsyncContextManager[Writable] = self.run.thoughts()
        stream = await self._thoughts.enter_async_context(block)
        self._thought = stream
        return stream


async def _write(stream: Writable, text: str) -> None:
    for part in parts_of(text):
        stream.write(part)
        if stream.is_ahead:
            await stream.drain()
