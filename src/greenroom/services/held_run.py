"""A run that a program in another process speaks in: who holds it here, and until when."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import attrs
import orjson
import trio

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.asks.user_ask import AskExpired, UserAsk
from greenroom.delivery.errors import RunStopped
from greenroom.delivery.events.ids import AskId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.failures.failure import CauseDraft, RunFailure
from greenroom.delivery.run.run import Run
from greenroom.delivery.run.text_stream import TextStream
from greenroom.services.problems import RunOver

MOST_KEYS: Final = 1_024
"""The idempotency keys of a run that are remembered in memory: those of its last requests."""

MOST_STREAMS: Final = 16
MOST_ENDED_ASKS: Final = 64

LOST: Final = "the program that spoke here is gone"
GONE: Final = RunFailure("Lost", LOST, "lost", CauseDraft("greenroom:LeaseLost", LOST))

logger = logging.getLogger("greenroom")


class RemoteFailure(Exception):  # what failed is elsewhere
    """Raised in a run whose program failed; its subclasses have the name of the program's error."""


def failure_of(name: str, message: str, trace: str) -> RemoteFailure:
    """The program's error, as an error of the run."""
    kind = type(name, (RemoteFailure,), {}) if name.isidentifier() else RemoteFailure
    failure: RemoteFailure = kind(message)
    if trace:
        failure.add_note(f"The program's traceback:\n{trace}")
    return failure


@attrs.define(eq=False)
class HeldRun:
    """The task that lives in the run's block, and what requests find of it.

    `lane`: requests of a run are carried out one after the other. The lease is the outermost run's:
    any request of the family renews it.
    """

    service: str
    lease_seconds: float
    parent: HeldRun | None = None
    lane: trio.Lock = attrs.field(factory=trio.Lock)
    texts: dict[tuple[str, str], TextStream] = attrs.field(factory=dict)
    done_of_keys: OrderedDict[str, int] = attrs.field(factory=OrderedDict)
    version: int = 0
    _run: Run | None = None
    _expires: float = 0.0
    _failure: RemoteFailure | None = None
    _tasks: trio.Nursery | None = None
    _held: dict[AskId, UserAsk[JSON]] = attrs.field(factory=dict)
    _asks: OrderedDict[AskId, dict[str, JSON]] = attrs.field(factory=OrderedDict)
    _over: trio.Event = attrs.field(factory=trio.Event)
    _left: trio.Event = attrs.field(factory=trio.Event)
    _news: trio.Event = attrs.field(factory=trio.Event)

    @property
    def run(self) -> Run:
        assert self._run is not None, "it is found once it has begun"
        return self._run

    @property
    def has_begun(self) -> bool:
        return self._run is not None

    @property
    def is_over(self) -> bool:
        return self._over.is_set() or self._left.is_set() or self.run.ended or self.run.cancelled

    async def live(
        self, block: AbstractAsyncContextManager[Run], begun: Callable[[], None]
    ) -> None:
        """Live in the block of the run until the program ends it, its user stops it, or its lease
        runs out. `begun` is called once the run has begun."""
        try:
            async with block as self._run:
                self.renew()
                begun()
                await self._hold()
        except RunStopped as stopped:
            if self.run._life.lost_words is not GONE:
                logger.warning("%r was cut: %s", self._run, stopped)
        except RemoteFailure:
            logger.info("%r failed in its program", self._run)
        finally:
            self._left.set()
            self._change()

    async def _hold(self) -> None:
        async with trio.open_nursery() as self._tasks:
            await self._until_over()
            self._tasks.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _until_over(self) -> None:
        while not self._over.is_set():
            left = self._outermost._expires - trio.current_time()
            if left <= 0 and self.parent is None:
                logger.warning("%r is lost: nothing came for %g s", self.run, self.lease_seconds)
                self.run.stop(GONE)
                await trio.lowlevel.checkpoint()
            with trio.move_on_after(max(left, 0.1)):
                await self._over.wait()

    @property
    def _outermost(self) -> HeldRun:
        return self if self.parent is None else self.parent._outermost

    def renew(self) -> None:
        """The program is alive."""
        self._outermost._expires = trio.current_time() + self.lease_seconds

    def check_open(self) -> None:
        """Raises `RunOver`."""
        if self.is_over:
            state = self.state()
            raise RunOver(
                f"run {self.run.context.run} is over ({state['state']})",
                advice="begin another run",
                extra={"run": state},
            )

    async def flush(self) -> None:
        """Send the text that was written, so that the next event comes after it."""
        for stream in list(self.texts.values()):
            await stream.flush()

    async def end(self, failure: RemoteFailure | None = None) -> None:
        """Leave the run's block: the run completes, or fails. Returns once it has ended."""
        for key in list(self.texts):
            await self.close_text(key)
        self._failure = failure
        self._over.set()
        await self._left.wait()

    async def cut(self, words: RunFailure | None = None) -> None:
        """End the run as cancelled; with `words`, as lost."""
        if words is None:
            self.run.cancel()
        else:
            self.run.stop(words)
        await self._left.wait()

    async def close_text(self, key: tuple[str, str]) -> None:
        """End a stream of text."""
        stream = self.texts.pop(key, None)
        if stream is not None:
            await stream.__aexit__(None, None, None)

    # Questions

    async def ask(self, ask: UserAsk[JSON]) -> None:
        """Ask it, and note its end when it comes. Raises what asking raises."""
        await ask.__aenter__()
        self._asks[ask.id] = {"ask": ask.id, "state": "open"}
        assert self._tasks is not None, "the run has begun"
        self._tasks.start_soon(self._await_answer, ask)

    async def withdraw(self, ask: AskId) -> None:
        """Close a question that is open."""
        held = self._held.get(ask)
        if held is not None:
            await held.withdraw()

    async def _await_answer(self, ask: UserAsk[JSON]) -> None:
        self._held[ask.id] = ask
        try:
            self._asks[ask.id] = {"ask": ask.id, "state": "answered", "value": await ask}
        except AskExpired:
            self._asks[ask.id] = {"ask": ask.id, "state": "expired"}
        except trio.Cancelled:  # the run ends, and withdraws its questions
            self._asks[ask.id] = {"ask": ask.id, "state": "withdrawn"}
            raise
        except GreenroomError:
            self._asks[ask.id] = {"ask": ask.id, "state": "withdrawn"}
        finally:
            del self._held[ask.id]
        ended = [each for each in self._asks if each not in self._held]
        for each in ended[: max(0, len(ended) - MOST_ENDED_ASKS)]:
            del self._asks[each]
        self._change()

    # What answers hold

    def state(self) -> dict[str, JSON]:
        """The run as programs see it."""
        run, context = self.run, self.run.context
        state: dict[str, JSON] = {
            "run": context.run,
            "thread": context.thread,
            "user": context.user,
            "agent": run.agent,
            "request": context.request,
            "lease": self.lease_seconds,
            "parent": run.parent,
            "state": "running",
            "version": self.version,
            "pressure": run.pressure.value,
            "asks": [*self._asks.values()],
        }
        return state | self._how_it_ended()

    async def changed(self, after: int, seconds: float) -> None:
        """Wait until the state has another version, at most `seconds`."""
        with trio.move_on_after(seconds):
            while self.version <= after and not self._left.is_set():
                await self._news.wait()

    def _change(self) -> None:
        self.version += 1
        self._news.set()
        self._news = trio.Event()

    def _how_it_ended(self) -> dict[str, JSON]:
        if not (self._left.is_set() or self.run.ended):
            return {"state": "cancelled"} if self.run.cancelled else {}
        end = self.run._emitter.end
        if end is None:
            return {"state": "lost"}
        data = orjson.loads(end.rest)["data"]
        if "outcome" in data:
            state = "cancelled" if data["outcome"] == "cancelled" else "completed"
            return {"state": state, "end": end.id}
        states = {"crash": "failed", "timeout": "timed_out", "lost": "lost"}
        state = states.get(data["reason"], "failed")
        return {"state": state, "end": end.id, "failure": data}
