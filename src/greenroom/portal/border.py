"""The border between the runtime's thread and the threads of its host.

Whatever crosses waits in one deque. The first thing in it wakes the trio thread, which takes all
that waits in one go. No exception of a callback leaves it there: it would end the trio run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from threading import get_ident
from typing import Final, Protocol

import trio

from greenroom.actors.forks.children import in_child
from greenroom.actors.guard import call_guarded
from greenroom.actors.text.safe import safe_repr
from greenroom.portal.errors import PortalClosed, PortalForked, PortalFull

MOST_WAITING: Final = 100_000
"""Calls that may wait while the trio thread is busy."""

LOOK_SECONDS: Final = 1.0
"""Seconds between two looks for hosts that are gone."""


class Crossing(Protocol):
    """A call, as the border knows it (`Call`)."""

    @property
    def context(self) -> Context:
        """That of its caller."""

    def enter(self) -> None:
        """It is about to run."""

    async def run(self) -> None:
        """Its task."""

    def refuse(self, error: BaseException) -> None:
        """Answer with this error, unless it was answered."""


class Host(Protocol):
    """An event loop that has calls under way."""

    @property
    def is_gone(self) -> bool:
        """Whether the loop was closed."""

    def gone(self) -> None:
        """In the trio thread: interrupt what it waits for, and fail what it runs."""


class Border:
    """What crosses to the trio thread. `calls`: those under way there."""

    def __init__(self) -> None:
        self.calls: set[Crossing] = set()
        self.hosts: dict[object, Host] = {}
        self.stopping: trio.Event = trio.Event()
        self._waiting: deque[Callable[[], object]] = deque()
        self._kicked = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._calls: trio.Nursery | None = None
        self._blocks: trio.Nursery | None = None
        self._thread = 0
        self._closed = False
        self._died: BaseException | None = None
        self.is_forked = False
        self._stop_wanted = False
        in_child(self, Border._fork)

    # In any thread

    def call(self, call: Crossing) -> None:
        """Run a call in the trio thread. Raises `PortalClosed` and `PortalFull`."""
        if len(self._waiting) >= MOST_WAITING:
            raise PortalFull(f"{MOST_WAITING:,} calls wait for the runtime's thread")
        self.post(_Start(self, call, False))

    def hold(self, call: Crossing) -> None:
        """Run a call that lasts as long as a block of the host. Raises as `call` does."""
        if len(self._waiting) >= MOST_WAITING:
            raise PortalFull(f"{MOST_WAITING:,} calls wait for the runtime's thread")
        self.post(_Start(self, call, True))

    def post(self, callback: Callable[[], object]) -> None:
        """Call this in the trio thread, after all that was posted before. Raises `PortalClosed`."""
        if self._closed or self.is_forked or self._token is None:
            raise self.reason()
        self._waiting.append(callback)
        if not self._kicked:
            self._kicked = True
            self._kick()

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
        self._calls = calls
        self._thread = get_ident()
        self._token = trio.lowlevel.current_trio_token()
        if self._stop_wanted:  # before there was a token
            self.stopping.set()
        calls.start_soon(self._look_for_hosts)

    def open_blocks(self, blocks: trio.Nursery) -> None:
        """The calls that last as long as a block run here, and are cancelled first of all."""
        self._blocks = blocks

    def close(self, died: BaseException | None) -> None:
        """The trio run has ended: answer all that wait."""
        self._died, self._closed = died, True
        self._drain()
        for call in list(self.calls):
            call.refuse(self.reason())

    def start_call(self, call: Crossing, *, lasts: bool) -> None:
        """Start the task of a call, in the context of its caller."""
        nursery = self._blocks if lasts else self._calls
        if self._closed or nursery is None or (lasts and self.stopping.is_set()):
            call.refuse(self.reason())
            return
        self.calls.add(call)
        call.enter()
        try:
            call.context.run(nursery.start_soon, call.run)
        except RuntimeError:  # the nursery is closed
            call.refuse(self.reason())

    def spawn(self, call: Crossing) -> None:
        """In the trio thread, start a call now."""
        self.start_call(call, lasts=False)

    # Inside

    def _kick(self) -> None:
        if self._token is None:
            return
        try:
            self._token.run_sync_soon(self._arrived, idempotent=True)
        except trio.RunFinishedError:
            self._drain()

    def _arrived(self) -> None:
        """In the trio thread. What is posted from now on kicks again."""
        self._kicked = False
        self._drain()

    def _drain(self) -> None:
        for _ in range(len(self._waiting)):
            try:
                callback = self._waiting.popleft()
            except IndexError:  # two threads drain after the end of the run
                return
            if not self._closed or isinstance(callback, _Start):
                call_guarded("something that crossed to the runtime failed", callback)

    async def _look_for_hosts(self) -> None:
        while True:
            await trio.sleep(LOOK_SECONDS)
            for key, host in list(self.hosts.items()):
                if host.is_gone:
                    self.hosts.pop(key, None)
                    call_guarded("a closed loop was not let go", host.gone)

    def _fork(self) -> None:
        self.is_forked = True


class _Start:
    """Starts a call."""

    __slots__ = ("_border", "_call", "_lasts")

    def __init__(self, border: Border, call: Crossing, lasts: bool) -> None:
        self._border = border
        self._call = call
        self._lasts = lasts

    def __call__(self) -> None:
        self._border.start_call(self._call, lasts=self._lasts)
