"""Whoever runs an actor's task: it can stop the actor, and pass its mailbox to the next one."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.actors.exit import ExitReason
    from greenroom.actors.ref import Ref


class OnRestart(enum.Enum):
    """What becomes of a mailbox when its actor ends and is started again.

    `failed`: waiting messages are dropped and counted, waiting asks fail.
    `handed_over`: they wait for the next actor, which has a new ref; the old ref takes no more.
    `kept`: the ref stays as it is, and takes messages all the while.
    In each case, what the actor had in hand when it ended is not handled again.
    """

    FAILED = "failed"
    HANDED_OVER = "handed_over"
    KEPT = "kept"


class Keeper:
    """A `task_status` that keeps what outlives one actor. A supervisor's are of this kind."""

    __slots__ = ()

    doom: ExitReason | None
    """Why it is being aborted, if it is."""

    @property
    def legacy(self) -> Ref[object] | None:
        """The ref of the actor before, when its mailbox is not to fail with it.

        Setting another, or None, closes the one before: what still waits there fails.
        """
        raise NotImplementedError

    @legacy.setter
    def legacy(self, ref: Ref[object] | None) -> None:
        raise NotImplementedError

    def abort(self, reason: ExitReason) -> None:
        """Stop the actor, and let `reason` be its exit reason. Does not wait."""
        raise NotImplementedError


class Killable:
    """What a supervisor's child may have started with, and more can be cut short through.

    By inheritance only: to look for a method would run the code of whatever a child started with.
    """

    __slots__ = ()

    def _kill(self) -> Iterable[Killable]:
        """Cut short what is shielded of it; returns what is below it, to be killed next."""
        raise NotImplementedError


def kill(first: Killable) -> int:
    """Kill it and all below; returns how many levels there are below.

    Level by level: a tree may be deeper than Python's stack.
    """
    levels, doomed = 0, list(first._kill())
    while doomed:
        levels, doomed = levels + 1, [below for each in doomed for below in each._kill()]
    return levels
