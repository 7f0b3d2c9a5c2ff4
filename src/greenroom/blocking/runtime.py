"""The runtime in synchronous code."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Final, TypeVar

from greenroom.blocking.blocks import BlockingRunBlock
from greenroom.blocking.crossing import BlockingReceipt, crossing, receipted
from greenroom.blocking.run import BlockingRun
from greenroom.blocking.waiting import cross
from greenroom.delivery.dead_letters import DeadLetters
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.policy import Policies, Policy
from greenroom.delivery.run.run import Run
from greenroom.delivery.threads import Threads
from greenroom.portal.briefly import call_there
from greenroom.portal.call import Lane
from greenroom.portal.faces.face import Face
from greenroom.portal.faces.runtime import RuntimeFacts, next_line
from greenroom.portal.visit import same
from greenroom.runtime import Runtime
from greenroom.transport.auth.tokens import Authenticator
from greenroom.transport.door.paths import Handler

T = TypeVar("T")


class BlockingDeadLetters(Face[DeadLetters]):
    """A runtime's dead letters in synchronous code."""

    __slots__ = ()

    list: Final = crossing(DeadLetters.list)
    show: Final = crossing(DeadLetters.show)
    requeue: Final = receipted(DeadLetters.requeue)
    drop: Final = crossing(DeadLetters.drop)


class BlockingThreads(Face[Threads]):
    """A user's threads in synchronous code."""

    __slots__ = ()

    list: Final = crossing(Threads.list)
    show: Final = crossing(Threads.show)
    title: Final = crossing(Threads.title)
    archive: Final = crossing(Threads.archive)
    erase: Final = crossing(Threads.erase)


class Portal(RuntimeFacts):
    """A `greenroom.Runtime` in a thread of its own, made by `greenroom.start_portal`.

    Its methods may be called in any thread but one in which a loop runs.
    """

    __slots__ = ()

    receipt: Final = receipted(Runtime.receipt)
    drain: Final = crossing(Runtime.drain)
    explain: Final = crossing(Runtime.explain)
    erase_user: Final = crossing(Runtime.erase_user)
    disconnect: Final = crossing(Runtime.disconnect)
    readmit: Final = crossing(Runtime.readmit)

    @property
    def dead_letters(self) -> BlockingDeadLetters:
        """Events that were not received in time."""
        return BlockingDeadLetters(self._far.dead_letters, self._lane)

    def threads(self, *, user: str) -> BlockingThreads:
        """A user's threads: list, name, archive or erase them. Raises `BadId`."""
        return BlockingThreads(self._far.threads(user=user), self._lane)

    def receipts(
        self, *, user: str, thread: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[BlockingReceipt]:
        """The receipts of a user's last events, oldest first; `before` an offset, to page back."""
        far = self._far
        read = partial(far.receipts, user=user, thread=thread, before=before, limit=limit)
        found = cross(self._lane, read, "portal.receipts()")
        return [BlockingReceipt(each, self._lane) for each in found]

    def export_user(self, user: str) -> Iterator[bytes]:
        """All that is kept of a user, as JSON Lines: see `greenroom users export`. Raises `BadId`,
        and a `JournalError`."""
        lines = self._far.export_user(user)
        following = partial(next_line, lines)
        while (line := cross(self._lane, following, "export_user()")) is not None:
            yield line

    def run(
        self,
        context: UserContext | None = None,
        *,
        user: str | None = None,
        thread: str | None = None,
        agent: str = "agent",
        input: JSON = None,  # noqa: A002  # the wire's word
        seconds: float | None = None,
        policy: Policy | Policies | None = None,
    ) -> AbstractContextManager[BlockingRun]:
        """Speak to a user: `with portal.run(user="alice", agent="analyst") as run: …`.

        See `greenroom.Runtime.run`.
        """
        beginning = partial(
            self._far.run,
            context,
            user=user,
            thread=thread,
            agent=agent,
            input=input,
            seconds=seconds,
            policy=policy,
        )
        make = partial(same, call_there(self._lane.border, beginning))
        lane = Lane(self._lane.border)
        return BlockingRunBlock(lane, make, partial(_shown, lane), "portal.run()", lasts=True)

    def listen(
        self,
        authenticator: Authenticator | None = None,
        *,
        page: bool = True,
        routes: Mapping[str, Handler] | None = None,
        sockets: Sequence[socket.socket] = (),
    ) -> int:
        """Accept connections on `settings.host` and `settings.port`; returns the port.

        See `greenroom.Runtime.listen`. The methods of `authenticator`, and the `routes`, are async
        and run in the runtime's thread, on trio.
        """
        listening = partial(
            self._far.listen, authenticator, page=page, routes=routes, sockets=sockets
        )
        return cross(self._lane, listening, "portal.listen()")

    def call(self, function: Callable[[Runtime], Awaitable[T]]) -> T:
        """Await `function(runtime)` in the trio thread, with the runtime itself: for actors of your
        own, and for other code that runs on trio. Raises what it raises."""
        return cross(self._lane, partial(function, self._far), "portal.call()")


def _shown(lane: Lane, run: Run) -> BlockingRun:
    return BlockingRun(run, lane)
