"""The runtime under asyncio."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, TypeVar

from greenroom.aio.blocks import AioRunBlock
from greenroom.aio.callbacks import AioAuthenticator, there
from greenroom.aio.crossing import crossing
from greenroom.aio.dead_letters import AioDeadLetters, AioThreads
from greenroom.aio.host_loop import cross, host_loop
from greenroom.aio.receipt import AioReceipt, receipted
from greenroom.aio.run import AioRun
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.policy import Policies, Policy
from greenroom.delivery.run.run import Run
from greenroom.portal.briefly import call_there
from greenroom.portal.call import Lane
from greenroom.portal.faces.runtime import RuntimeFacts, next_line
from greenroom.portal.visit import same
from greenroom.runtime import Runtime
from greenroom.transport.auth.tokens import Authenticator
from greenroom.transport.door.paths import Handler

T = TypeVar("T")


class AioRuntime(RuntimeFacts):
    """A `greenroom.Runtime` in a thread of its own, made by `greenroom.aio.open_runtime`.

    Its methods may be awaited on any asyncio loop of the process.
    """

    __slots__ = ()

    receipt: Final = receipted(Runtime.receipt)
    drain: Final = crossing(Runtime.drain)
    explain: Final = crossing(Runtime.explain)
    erase_user: Final = crossing(Runtime.erase_user)
    disconnect: Final = crossing(Runtime.disconnect)
    readmit: Final = crossing(Runtime.readmit)

    @property
    def dead_letters(self) -> AioDeadLetters:
        """Events that were not received in time."""
        return AioDeadLetters(self._far.dead_letters, self._lane)

    def threads(self, *, user: str) -> AioThreads:
        """A user's threads: list, name, archive or erase them. Raises `BadId`."""
        return AioThreads(self._far.threads(user=user), self._lane)

    async def receipts(
        self, *, user: str, thread: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[AioReceipt]:
        """The receipts of a user's last events, oldest first; `before` an offset, to page back."""
        far = self._far
        read = partial(far.receipts, user=user, thread=thread, before=before, limit=limit)
        found = await cross(self._lane, read, "runtime.receipts()")
        return [AioReceipt(each, self._lane) for each in found]

    async def export_user(self, user: str) -> AsyncIterator[bytes]:
        """All that is kept of a user, as JSON Lines: see `greenroom users export`. Raises `BadId`,
        and a `JournalError`."""
        lines = self._far.export_user(user)
        while (
            line := await cross(self._lane, partial(next_line, lines), "export_user()")
        ) is not None:
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
    ) -> AbstractAsyncContextManager[AioRun]:
        """Speak to a user: `async with runtime.run(user="alice", agent="analyst") as run: …`.

        See `greenroom.Runtime.run`. What is wrong with the arguments is raised at once.
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
        block = call_there(self._lane.border, beginning)
        lane = Lane(self._lane.border)
        return AioRunBlock(lane, partial(same, block), partial(_shown, lane), "run()", lasts=True)

    async def listen(
        self,
        authenticator: Authenticator | None = None,
        *,
        page: bool = True,
        routes: Mapping[str, Handler] | None = None,
        sockets: Sequence[socket.socket] = (),
    ) -> int:
        """Accept connections on `settings.host` and `settings.port`; returns the port.

        See `greenroom.Runtime.listen`. The methods of `authenticator`, and the `routes`, are called
        on the loop that this is awaited on.
        """
        host = host_loop(self._lane.border, "runtime.listen()")
        listening = partial(
            self._far.listen,
            None if authenticator is None else AioAuthenticator.of(authenticator, host),
            page=page,
            routes=None if routes is None else {k: there(host, v) for k, v in routes.items()},
            sockets=sockets,
        )
        return await cross(self._lane, listening, "runtime.listen()")

    async def call(self, function: Callable[[Runtime], Awaitable[T]]) -> T:
        """Await `function(runtime)` in the trio thread, with the runtime itself: for actors of your
        own, and for other code that runs on trio. Raises what it raises."""
        return await cross(self._lane, partial(function, self._far), "runtime.call()")


def _shown(lane: Lane, run: Run) -> AioRun:
    return AioRun(run, lane)
