"""The errors of the border between trio and the code that hosts it."""

from __future__ import annotations

from typing import ClassVar, Final

from greenroom.actors.errors import Fault, GreenroomError

OPEN_ELSEWHERE: Final = (
    "under asyncio use greenroom.aio.open_runtime, in synchronous code greenroom.start_portal"
)


class PortalClosed(GreenroomError):
    """The runtime has stopped, or is about to: nothing crosses any more. If its thread died, the
    error that ended it is the `__cause__`."""


class PortalForked(PortalClosed):
    """The runtime is of the process that this one was forked from."""


class PortalFull(GreenroomError):
    """Too many calls wait for the runtime's thread. This one was not made."""

    fault: ClassVar[Fault] = Fault.GREENROOM
    temporary: ClassVar[bool] = True


class HostGone(GreenroomError):
    """The event loop that the code ran on was closed."""


class HostInterrupted(GreenroomError):
    """Code of the host that the runtime waits for ended by a `KeyboardInterrupt`."""


class RunInterrupted(BaseException):
    """Raised in a thread by the next call of a run that was cut: its user stopped it, its time is
    over, or the runtime stops.

    Like `trio.Cancelled` it is no `Exception`: let it pass. The end of the run's block takes it.
    """
