"""A run in synchronous code."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, TypeVar, cast, overload

from greenroom.blocking.blocks import BlockingBlock, BlockingRunBlock
from greenroom.blocking.crossing import crossing, emitting
from greenroom.blocking.text_stream import BlockingTextStream
from greenroom.blocking.user_ask import BlockingUserAsk
from greenroom.blocking.waiting import Errand, Inbox, cross_with
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


class BlockingRun(RunFacts):
    """A `greenroom.Run` in synchronous code: the same methods, and each waits.

    If the run is cut (its user stops it, its time is over) the call that waits, or the next one,
    raises `RunInterrupted`; the end of the run's block takes it.
    """

    __slots__ = ()

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

    def file_parts(self, file: File) -> Iterator[bytes]:
        """A file as parts: see `greenroom.Run.file_parts`."""
        place = 0
        while place < file.size:
            part = self.read_file_part(file, place)
            yield part
            place += len(part)

    cancel: Final = briefly(Run.cancel)
    stop: Final = briefly(Run.stop)
    set_limit: Final = briefly(Run.set_limit)
    add_usage: Final = briefly(Run.add_usage)

    def text(self) -> BlockingTextStream:
        """The answer, token by token: `with run.text() as text: text.write(token)`."""
        return BlockingTextStream(self._lane, self._far.text, Kind.PARTIAL_RESULT)

    def thoughts(self) -> BlockingTextStream:
        """One thought, token by token: `with run.thoughts() as text: text.write(token)`."""
        return BlockingTextStream(self._lane, self._far.thoughts, Kind.AGENT_THINKING)

    def stream(self, tokens: Iterable[str]) -> BlockingTextStream:
        """Write the answer from any iterable of str: see `greenroom.Run.stream`."""
        with self.text() as text:
            text.write_all(tokens)
        return text

    def tool(self, tool_name: str, arguments: JSON = None) -> AbstractContextManager[ToolCall]:
        """A tool's work as a block: emits `tool_executing`, then `tool_completed` in any case."""
        make = partial(self._far.tool, tool_name, arguments)
        return BlockingBlock(self._lane, make, same, "run.tool()")

    def sub_run(
        self,
        *,
        agent: str,
        input: JSON = None,  # noqa: A002  # the wire's word
    ) -> AbstractContextManager[BlockingRun]:
        """A run within this one: see `greenroom.Run.sub_run`."""
        make = partial(self._far.sub_run, agent=agent, input=input)
        lane = self._lane.within()
        return BlockingRunBlock(lane, make, partial(_shown, lane), "run.sub_run()", lasts=False)

    def step(self, key: str, function: Callable[[], J]) -> J:
        """As `greenroom.Run.step`; `function` is called in this thread."""
        inbox: Inbox[J] = SimpleQueue()
        there = cast("Callable[[], Awaitable[J]]", partial(_sent, self._lane, inbox, function))
        return cross_with(self._lane, partial(self._far.step, key, there), inbox, "run.step()")

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
    ) -> BlockingUserAsk[JSON]: ...

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
    ) -> BlockingUserAsk[T]: ...

    def ask(self, prompt: str, **wording: object) -> BlockingUserAsk[Any]:
        """Ask the user: `run.ask("Delete 14 files?").wait()` is the answer.

        See `greenroom.Run.ask`.
        """
        ask = cast("Callable[..., UserAsk[Any]]", self._far.ask)
        asked = call_there(self._lane.border, partial(ask, prompt, **wording))
        return BlockingUserAsk(asked, self._lane)


async def _sent(lane: Lane, inbox: Inbox[J], function: Callable[[], J]) -> object:
    errand = Errand(lane.border, function)
    inbox.put(errand)
    return await errand.wait()


def _shown(lane: Lane, run: Run) -> BlockingRun:
    return BlockingRun(run, lane)
