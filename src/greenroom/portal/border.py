"""The border between the runtime's thread and the threads of its host.

Whatever crosses waits in one deque. The first thing in it wakes the trio thread, which takes all
that waits in one go. No exception of a callback leaves it there: it would end the trio run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident
from typing import Final, Protocol

import trio

from greenroom.actors.forks.children import in_child
from greenroom.actors.guard import call_guarded
from greenroom.actors.text.safe import safe_repr
from greenroom.portal.errors import PortalClosed, PortalForked, PortalFull
from greenroom.portal.workers import Work, Workers, run_alone

MOST_WAITING: Final = 100_000
"""Calls that may wait while the trio thread is busy."""

PULL_SECONDS: Final = 0.01
"""Seconds between two looks for text: a token waits that long at most, then in its stream."""

LOOK_SECONDS: Final = 1.0
"""Seconds between two looks for hosts that are gone."""


class Crossing(Work, Protocol):
    """A call, as the border knows it (`Call`)."""

    @property
    def host(self) -> Host | None:
        """The loop that its caller waits on, if it is one."""
        ...

    def interrupt(self) -> None:
        """End it, before it begins or while it runs."""

    def enter(self) -> None:
        """It is about to run."""

    def ran_by_hand(self) -> bool:
        """Run it without a task, if it can be run so. Raises nothing."""
        ...

    def refuse(self, error: BaseException) -> None:
        """Answer with this error, unless it was answered."""


class Pulled(Protocol):
    """Text that waits on the host's side."""

    def pull(self) -> bool:
        """In the trio thread: take it. False if none came for a while."""
        ...


class Host(Protocol):
    """An event loop that has calls under way."""

    @property
    def is_gone(self) -> bool:
        """Whether the loop was closed."""
        ...

    def gone(self) -> None:
        """In the trio thread: fail what it runs."""

    def wake(self) -> None:
        """Have it take what has crossed to it."""


class Border:
    """What crosses to the trio thread. `calls`: those under way there."""

    def __init__(self) -> None:
        self.calls: set[Crossing] = set()
        self.hosts: dict[object, Host] = {}
        self.stopping: trio.Event = trio.Event()
        self._waiting: deque[Callable[[], object] | tuple[Crossing, bool]] = deque()
        self._kicked = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._workers: Workers | None = None
        self._blocks: trio.Nursery | None = None
        self._thread = 0
        self._is_open = self._closed = False
        self._to_wake: list[Host] = []
        self._waker: trio.lowlevel.Task | None = None
        self._pulled: dict[Pulled, None] = {}
        self._puller: trio.Event | None = None
        self._died: BaseException | None = None
        self.is_forked: bool = False
        self._stop_wanted = False
        in_child(self, Border._fork)

    # In any thread

    def call(self, call: Crossing, *, lasts: bool = False) -> None:
        """Run a call in the trio thread. `lasts`: as long as a block of the host, which is cut when
        the runtime stops. Raises `PortalClosed` and `PortalFull`."""
        self.append_call(call, lasts=lasts)
        self.kick()

    def append_call(self, call: Crossing, *, lasts: bool = False) -> None:
        """The same, once somebody kicks."""
        if not self._is_open:
            raise self.reason()
        if len(self._waiting) >= MOST_WAITING:
            raise PortalFull(f"{MOST_WAITING:,} calls wait for the runtime's thread")
        self._waiting.append((call, lasts))

    def post(self, callback: Callable[[], object]) -> None:
        """Call this in the trio thread, after all that was posted before. Raises `PortalClosed`."""
        self.append(callback)
        self.kick()

    def append(self, callback: Callable[[], object]) -> None:
        """The same, once somebody kicks. Raises `PortalClosed`."""
        if not self._is_open:
            raise self.reason()
        self._waiting.append(callback)

    def kick(self) -> None:
        """Have the trio thread take what was appended, unless it is about to."""
        if not self._kicked and self._token is not None:
            self._kicked = True
            try:
                self._token.run_sync_soon(self._arrived, idempotent=True)
            except trio.RunFinishedError:
                if self._closed:  # otherwise `close` takes it
                    self._drain()

    def post_if_open(self, callback: Callable[[], object]) -> None:
        """The same, if there is still a thread to call it in."""
        with suppress(PortalClosed):
            self.post(callback)

    def stop(self) -> None:
        """Begin to stop the runtime; returns at once."""
        self._stop_wanted = True
        self.post_if_open(self.stopping.set)

    def reason(self) -> PortalClosed:
        """Why nothing crosses (any more)."""
        if self.is_forked:
            return PortalForked(
                "this process was forked from the one whose runtime this is",
                advice="open a runtime in each worker, after the fork, with a journal of its own",
            )
        if self._died is not None:
            died = PortalClosed(
                f"the runtime has died: {safe_repr(self._died, 500)}",
                advice="open another one",
            )
            died.__cause__ = self._died
            return died
        return PortalClosed(
            "the runtime has stopped: the block that opened it has ended",
            advice="use it inside of that block",
        )

    @property
    def is_own_thread(self) -> bool:
        """Whether this is the trio thread, which must never wait for itself."""
        return get_ident() == self._thread

    # In the trio thread

    def open(self, calls: trio.Nursery) -> None:
        """From now on things may cross."""
        self._workers = Workers(calls)
        self._thread = get_ident()
        self._token = trio.lowlevel.current_trio_token()
        self._is_open = not self.is_forked
        if self._stop_wanted:  # before there was a token
            self.stopping.set()
        calls.start_soon(self._look_for_hosts)
        calls.start_soon(self._wake_hosts)
        calls.start_soon(self._pull_texts)

    def open_blocks(self, blocks: trio.Nursery) -> None:
        """The calls that last as long as a block run here, and are cancelled first of all."""
        self._blocks = blocks

    def close(self, died: BaseException | None) -> None:
        """The trio run has ended: answer all that wait."""
        self._died, self._closed, self._is_open = died, True, False
        self._thread = 0  # another thread may get its number
        self._drain()
        for call in list(self.calls):
            call.refuse(self.reason())

    def start_call(self, call: Crossing, *, lasts: bool) -> None:
        """Run a call by hand or in a task, in the context of its caller."""
        if self._workers is None or self._closed or (lasts and self.stopping.is_set()):
            call.refuse(self.reason())
            return
        self.calls.add(call)
        call.enter()
        if self._waker is not None and call.ran_by_hand():  # the tasks of `calls` run
            return
        try:
            if lasts and self._blocks is not None:
                call.context.run(self._blocks.start_soon, run_alone, call)
            else:
                self._workers.start(call)
        except RuntimeError:  # the nursery is closed
            if self.stopping.is_set():  # otherwise `close` will know of what it died
                call.refuse(self.reason())

    def wake_soon(self, host: Host) -> None:
        """Wake a host after the tasks that can run now: what they answer crosses with this."""
        if self._waker is None:
            host.wake()
            return
        self._to_wake.append(host)
        if len(self._to_wake) == 1:
            trio.lowlevel.reschedule(self._waker)

    def pull(self, text: Pulled) -> None:
        """Take the text of a host at intervals, for as long as some comes."""
        self._pulled[text] = None
        if len(self._pulled) == 1 and self._puller is not None:
            self._puller.set()

    def look_for_hosts(self) -> None:
        """Let go of the loops that were closed, which nothing announces."""
        for key, host in list(self.hosts.items()):
            if host.is_gone:
                self.hosts.pop(key, None)
                self._let_go(host)

    def spawn(self, call: Crossing) -> None:
        """In the trio thread, start a call now."""
        self.start_call(call, lasts=False)

    # Inside

    def _arrived(self) -> None:
        """In the trio thread. What is posted from now on kicks again."""
        self._kicked = False
        self._drain()

    def _drain(self) -> None:
        for _ in range(len(self._waiting)):
            try:
                arrived = self._waiting.popleft()
            except IndexError:  # two threads drain after the end of the run
                return
            if isinstance(arrived, tuple):
                self.start_call(arrived[0], lasts=arrived[1])
            elif not self._closed:
                call_guarded("something that crossed to the runtime failed", arrived)

    async def _wake_hosts(self) -> None:
        self._waker = trio.lowlevel.current_task()
        try:
            while True:
                if not self._to_wake:
                    await trio.lowlevel.wait_task_rescheduled(self._end_waker)
                waking, self._to_wake = self._to_wake, []
                for host in waking:
                    call_guarded("a host was not woken", host.wake)
        finally:
            self._waker = None
            for host in self._to_wake:
                host.wake()

    def _end_waker(self, _: object) -> trio.lowlevel.Abort:
        self._waker = None
        return trio.lowlevel.Abort.SUCCEEDED

    async def _pull_texts(self) -> None:
        while True:
            self._puller = trio.Event()
            if not self._pulled:
                await self._puller.wait()
            await trio.sleep(PULL_SECONDS)
            for text in list(self._pulled):
                if not text.pull():
                    del self._pulled[text]

    async def _look_for_hosts(self) -> None:
        while True:
            await trio.sleep(LOOK_SECONDS)
            self.look_for_hosts()

    def _let_go(self, host: Host) -> None:
        """Interrupt what it waits for, with what it appended and had no time to kick for."""
        self._drain()
        for call in [each for each in self.calls if each.host is host]:
            call.interrupt()
        call_guarded("a closed loop was not let go", host.gone)

    def _fork(self) -> None:
        self.is_forked, self._is_open = True, False
