"""A run under asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, ClassVar, Final, TypeVar, cast, overload

from greenroom.aio.blocks import AioBlock, AioRunBlock
from greenroom.aio.crossing import crossing
from greenroom.aio.host_loop import cross, host_loop
from greenroom.aio.receipt import emitting
from greenroom.aio.text_stream import AioTextStream
from greenroom.aio.user_ask import AioUserAsk
from greenroom.delivery.asks.user_ask import NO_DEFAULT, NoDefault, UserAsk
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.files.taken import File
from greenroom.delivery.run.run import Run
from greenroom.delivery.run.tools import ToolCall
from greenroom.portal.briefly import briefly, call_there
from greenroom.portal.call import Lane
from greenroom.portal.faces.face import RunFacts
from greenroom.portal.visit import same

T = TypeVar("T")
J = TypeVar("J", bound=JSON)


class AioRun(RunFacts):
    """A `greenroom.Run` under asyncio: the same methods, awaited on any loop of the process.

    If the run is cut (its user stops it, its time is over) the task in its block is cancelled. A
    block that is left by a cancellation of the task ends the run as cancelled.
    """

    __slots__ = ()
    __greenroom_host__: ClassVar[str] = "asyncio"

    agent_started: Final = emitting(Run.agent_started)
    agent_thinking: Final = emitting(Run.agent_thinking)
    tool_executing: Final = emitting(Run.tool_executing)
    tool_completed: Final = emitting(Run.tool_completed)
    partial_result: Final = emitting(Run.partial_result)
    final_report: Final = emitting(Run.final_report)
    agent_completed: Final = emitting(Run.agent_completed)
    history: Final = crossing(Run.history)
    set_title: Final = crossing(Run.set_title)
    files: Final = crossing(Run.files)
    read_file: Final = crossing(Run.read_file)
    save_file: Final = crossing(Run.save_file)
    read_file_part: Final = crossing(Run.read_file_part)

    async def file_parts(self, file: File) -> AsyncIterator[bytes]:
        """A file as parts: see `greenroom.Run.file_parts`."""
        place = 0
        while place < file.size:
            part = await self.read_file_part(file, place)
            yield part
            place += len(part)

    cancel: Final = briefly(Run.cancel)
    stop: Final = briefly(Run.stop)
    set_limit: Final = briefly(Run.set_limit)
    add_usage: Final = briefly(Run.add_usage)

    def text(self) -> AioTextStream:
        """The answer, token by token: `async with run.text() as text: text.write(token)`."""
        return AioTextStream(self._lane, self._far.text, Kind.PARTIAL_RESULT)

    def thoughts(self) -> AioTextStream:
        """One thought, token by token: `async with run.thoughts() as text: text.write(token)`."""
        return AioTextStream(self._lane, self._far.thoughts, Kind.AGENT_THINKING)

    async def stream(self, tokens: AsyncIterable[str]) -> AioTextStream:
        """Write the answer from any async iterable of str: see `greenroom.Run.stream`."""
        async with self.text() as text:
            await text.write_all(tokens)
        return text

    def tool(self, tool_name: str, arguments: JSON = None) -> AbstractAsyncContextManager[ToolCall]:
        """A tool's work as a block: emits `tool_executing`, then `tool_completed` in any case."""
        make = partial(self._far.tool, tool_name, arguments)
        return AioBlock(self._lane, make, same, "run.tool()")

    def sub_run(
        self,
        *,
        agent: str,
        input: JSON = None,  # noqa: A002  # the wire's word
    ) -> AbstractAsyncContextManager[AioRun]:
        """A run within this one: see `greenroom.Run.sub_run`."""
        make = partial(self._far.sub_run, agent=agent, input=input)
        lane = self._lane.within()
        return AioRunBlock(lane, make, partial(_shown, lane), "run.sub_run()", lasts=False)

    async def step(self, key: str, function: Callable[[], Awaitable[J] | J]) -> J:
        """As `greenroom.Run.step`; `function` is called on the loop, and awaited if it is async."""
        host = host_loop(self._lane.border, "run.step()")
        there = cast("Callable[[], Awaitable[J]]", partial(host.run, function))
        return await cross(self._lane, partial(self._far.step, key, there), "run.step()")

    @overload
    def ask(
        self,
        prompt: str,
        *,
        options: Sequence[JSON] | None = None,
        schema: JSON = None,
        expires: float | None = None,
        default: JSON | NoDefault = NO_DEFAULT,
        counts_time: bool = False,
        key: str | None = None,
    ) -> AioUserAsk[JSON]: ...

    @overload
    def ask(
        self,
        prompt: str,
        *,
        answer_type: type[T],
        expires: float | None = None,
        default: T | NoDefault = NO_DEFAULT,
        counts_time: bool = False,
        key: str | None = None,
    ) -> AioUserAsk[T]: ...

    def ask(self, prompt: str, **wording: object) -> AioUserAsk[Any]:
        """Ask the user, and wait for the answer: see `greenroom.Run.ask`."""
        ask = cast("Callable[..., UserAsk[Any]]", self._far.ask)
        asked = call_there(self._lane.border, partial(ask, prompt, **wording))
        return AioUserAsk(asked, self._lane)


def _shown(lane: Lane, run: Run) -> AioRun:
    return AioRun(run, lane)
