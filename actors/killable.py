"""What a supervisor can cut short when its time is over, and all that is below it."""

from __future__ import annotations

from collections.abc import Iterable


class Killable:
    """A value that a child may have started with, and that a supervisor can kill.

    By inheritance only: to look for a method would run the code of whatever a child started with.
    """

    __slots__ = ()

    def _kill(self) -> Iterable[Killable]:
        """Cut short what is shielded in it; returns what is below it, to be killed next."""
        raise NotImplementedError


def kill(first: Killable) -> int:
    """Kill it and all below; returns how many levels there are below.

    Level by level: a tree may be deeper than Python's stack.
    """
    levels, doomed = 0, list(first._kill())
    while doomed:
        levels, doomed = levels + 1, [below for each in doomed for below in each._kill()]
    return levels
