"""A model of the border, in real threads: calls and runs of several hosts, their cancellations,
deaths of either side, and loops that are closed."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import partial

import attrs
import pytest
import trio
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

import greenroom
from greenroom import aio, blocking
from tests.portal.hosts import SETTINGS
from tests.portal.loop_threads import SECONDS, LoopThread

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Tasks of closed loops end here, and not in another test."""
    yield
    gc.collect()


class Bang(BaseException):
    """Ends a trio run."""


def bang() -> None:
    raise Bang


UNANSWERED = {"cancel": asyncio.CancelledError, "cut": greenroom.RunInterrupted}
"""What the caller of an emit gets that ends otherwise than by its reply."""


def kept_texts(run: blocking.Run) -> list[object]:
    """The texts of a run's pieces, each with its number."""
    pieces = [event.data for event in run.history() if str(event.kind) == "partial_result"]
    assert [each["index"] for each in pieces] == list(range(len(pieces)))  # type: ignore[index, call-overload]
    return [each["text"] for each in pieces]  # type: ignore[index, call-overload]


@attrs.define(eq=False)
class Gate:
    """What a call waits for in the trio thread."""

    entered: threading.Event = attrs.field(factory=threading.Event)
    is_open: trio.Event = attrs.field(factory=trio.Event)
    left: threading.Event = attrs.field(factory=threading.Event)

    async def passed(self, _: greenroom.Runtime) -> str:
        """The function of a call."""
        self.entered.set()
        try:
            await self.is_open.wait()
            return "passed"
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.002)  # whoever does not wait for the end is seen
            self.left.set()


@attrs.define(eq=False)
class Waiter:
    """A task or a thread that waits at a gate."""

    gate: Gate
    host: LoopThread | None
    task: asyncio.Task[object] | None = None
    thread: threading.Thread | None = None
    error: BaseException | None = None
    value: object = None

    def wait(self) -> None:
        """Until it has ended."""
        if self.host is not None and self.task is not None:
            self.error = self.host.wait(self.task)
            self.value = None if self.error else self.task.result()
        elif self.thread is not None:
            self.thread.join(SECONDS)
            assert not self.thread.is_alive(), "the thread still waits"


class BorderMachine(RuleBasedStateMachine):
    loops = Bundle("loops")
    waiters = Bundle("waiters")
    runs = Bundle("runs")

    @initialize()
    def open(self) -> None:
        self.stack = ExitStack()
        self.portal = self.stack.enter_context(greenroom.start_portal(SETTINGS))
        self.runtime = aio.Runtime(self.portal._far, self.portal._lane)
        self.hosts: list[LoopThread] = []
        self.open_waiters: list[Waiter] = []
        self.is_dead = False

    @rule(target=loops)
    def start_loop(self) -> LoopThread:
        self.hosts.append(LoopThread())
        return self.hosts[-1]

    @rule(target=waiters, loop=loops)
    def call_on_a_loop(self, loop: LoopThread) -> Waiter:
        waiter = Waiter(Gate(), loop)
        if not loop.is_closed:
            waiter.task = loop.begin(self.runtime.call(waiter.gate.passed))
            self._begun(waiter)
        return waiter

    @rule(target=waiters)
    def call_in_a_thread(self) -> Waiter:
        waiter = Waiter(Gate(), None)
        waiter.thread = threading.Thread(target=self._call, args=(waiter,))
        waiter.thread.start()
        self._begun(waiter)
        return waiter

    @rule(waiter=consumes(waiters))
    def open_gate(self, waiter: Waiter) -> None:
        if self._waits(waiter):
            self.portal._lane.border.post(waiter.gate.is_open.set)
            self.open_waiters.remove(waiter)
            waiter.wait()
            assert (waiter.value, waiter.error) == ("passed", None)

    @rule(waiter=consumes(waiters))
    def cancel(self, waiter: Waiter) -> None:
        if self._waits(waiter) and waiter.host is not None and waiter.task is not None:
            self.open_waiters.remove(waiter)
            waiter.host.do(waiter.task.cancel)
            waiter.wait()
            assert isinstance(waiter.error, asyncio.CancelledError)
            assert waiter.gate.left.is_set(), "the trio side ended first"

    @rule(loop=loops, cut=st.booleans())
    def be_in_a_run_that_ends_early(self, loop: LoopThread, cut: bool) -> None:
        if loop.is_closed or self.is_dead:
            return
        runs: list[aio.Run] = []
        inside = threading.Event()
        task = loop.begin(self._run(runs, inside))
        assert inside.wait(SECONDS)
        if cut:
            runs[0].cancel()
        else:
            loop.do(task.cancel)
        error = loop.wait(task)
        assert (error is None) if cut else isinstance(error, asyncio.CancelledError)
        assert runs[0].ended
        assert blocking.Run(runs[0]._far, runs[0]._lane).history()[-1].data == {
            "outcome": "cancelled"
        }

    @rule(loop=loops, count=st.integers(1, 4), end=st.sampled_from(["reply", "cancel", "cut"]))
    def emit_until(self, loop: LoopThread, count: int, end: str) -> None:
        if loop.is_closed or self.is_dead:
            return
        with self.portal.run(user="bob") as run:
            goes_on = self._stand_still()
            texts = [str(number) for number in range(count)]
            tasks = [self._emit(loop, run, text) for text in texts]
            if end == "cancel":
                loop.do(tasks[-1].cancel)
            elif end == "cut":
                self.portal._lane.border.post(run._far.cancel)
            goes_on.set()
            errors = [loop.wait(task) for task in tasks]
        kept = kept_texts(run)
        assert kept == texts or end == "cut", "they are kept in the order of their calls"
        assert {text for text, error in zip(texts, errors, strict=True) if not error} <= set(kept)
        assert {type(error) for error in errors if error} <= {UNANSWERED.get(end)}
        assert (end == "cancel") <= isinstance(errors[-1], asyncio.CancelledError)

    @rule(loop=loops, orderly=st.booleans())
    def close_loop(self, loop: LoopThread, orderly: bool) -> None:
        loop.close(orderly=orderly)
        if not self.is_dead:  # it would look within a second
            border = self.portal._lane.border
            border.post(border.look_for_hosts)
        for waiter in [each for each in self.open_waiters if each.host is loop]:
            self.open_waiters.remove(waiter)
            assert waiter.gate.left.wait(SECONDS), "the call goes on without its loop"

    @rule(loop=loops, orderly=st.booleans())
    def close_loop_amid_an_emit(self, loop: LoopThread, orderly: bool) -> None:
        if loop.is_closed or self.is_dead:
            return
        with self.portal.run(user="bob") as run:
            goes_on = self._stand_still()
            self._emit(loop, run, "0")
            if orderly:
                goes_on.set()
            loop.close(orderly=orderly)
            goes_on.set()
            self.close_loop(loop=loop, orderly=orderly)  # what else waits there
            run.partial_result(text="1")
        assert kept_texts(run) == ["0", "1"], "the event may be kept, and the run goes on"

    @rule(dies=st.booleans())
    def end_the_runtime(self, dies: bool) -> None:
        if self.is_dead:
            return
        self.is_dead = True
        emits = self._die_amid_emits() if dies else []
        self._close_portal(dies=dies)
        for loop, task in emits:
            error = loop.wait(task)
            assert error is None or isinstance(error, greenroom.PortalClosed)
        for waiter in self.open_waiters:
            waiter.wait()
            assert isinstance(waiter.error, greenroom.PortalClosed)
            assert (waiter.error.__cause__ is not None) is dies
        self.open_waiters.clear()

    def teardown(self) -> None:
        if not hasattr(self, "hosts"):
            return
        self.end_the_runtime(dies=False)
        for each in self.hosts:
            each.close(orderly=True)
        border = self.portal._lane.border
        assert not border.calls
        assert not border._waiting
        self.hosts.clear()

    def _begun(self, waiter: Waiter) -> None:
        if self.is_dead:
            waiter.wait()
            assert isinstance(waiter.error, greenroom.PortalClosed)
        else:
            assert waiter.gate.entered.wait(SECONDS)
            self.open_waiters.append(waiter)

    def _stand_still(self) -> threading.Event:
        """The trio thread stands still until this is set."""
        goes_on = threading.Event()
        self.portal._lane.border.post(partial(goes_on.wait, SECONDS))
        return goes_on

    def _emit(self, loop: LoopThread, run: blocking.Run, text: str) -> asyncio.Task[object]:
        task = loop.begin(aio.Run(run._far, run._lane).partial_result(text=text))
        loop.do(int)  # after its first step: it waits for the trio thread
        return task

    def _die_amid_emits(self) -> list[tuple[LoopThread, asyncio.Task[object]]]:
        border = self.portal._lane.border
        block = self.portal.run(user="carol")
        run = block.__enter__()
        goes_on = self._stand_still()
        loops = [loop for loop in self.hosts if not loop.is_closed]
        emits = [(loop, self._emit(loop, run, "x")) for loop in loops]
        assert border._token is not None
        border.post(partial(border._token.run_sync_soon, bang))
        goes_on.set()
        with suppress(greenroom.PortalClosed):  # it may have been left before
            block.__exit__(None, None, None)
        return emits

    def _waits(self, waiter: Waiter) -> bool:
        return waiter in self.open_waiters

    def _call(self, waiter: Waiter) -> None:
        try:
            waiter.value = self.portal.call(waiter.gate.passed)
        except greenroom.PortalClosed as error:
            waiter.error = error

    def _close_portal(self, *, dies: bool) -> None:
        if dies:
            with pytest.raises(greenroom.PortalClosed, match="has died"):
                self.portal.call(Gate().passed)
            with pytest.raises(greenroom.PortalClosed, match="has died"):
                self.stack.close()
        else:
            self.stack.close()

    async def _run(self, runs: list[aio.Run], inside: threading.Event) -> None:
        async with self.runtime.run(user="alice") as run:
            runs.append(run)
            inside.set()
            await asyncio.sleep(3600)


TestBorder = BorderMachine.TestCase
TestBorder.settings = settings(max_examples=12, stateful_step_count=15)
