"""Nodes that commit at the same moment take turns, so that none does its work in vain."""

from __future__ import annotations

import enum
import threading
import time
from typing import Final

TURN_SECONDS: Final = 0.25
"""For how long others wait for a node that has the turn: it applies what is new, and commits."""

CONTENDED_SECONDS: Final = 0.25
"""For how long after a commit of another node this one asks for the turn before it works."""


class Seek(enum.StrEnum):
    """What to ask Redis for: the turn, and what is new once it has come; or that in any case."""

    TURN = "turn"
    ALL = "all"


class Turn:
    """The turn of this node, as Redis last answered. `is_sought`: whether this node has it or waits
    in its queue; `is_mine`: whether it has it."""

    def __init__(self) -> None:
        self.is_sought = self.is_mine = False
        self._seconds = 0.0
        self._contended_until = 0.0
        self._news = threading.Event()

    @property
    def is_contended(self) -> bool:
        """Whether others have just committed: they will have done so again when this node has done
        its work."""
        return time.monotonic() < self._contended_until

    def contend(self) -> None:
        """Another node has committed."""
        self._contended_until = time.monotonic() + CONTENDED_SECONDS

    def sought(self, seconds: float) -> None:
        """Redis has answered for how long another node has the turn at most: if for none, it is
        this node's."""
        self.is_sought, self.is_mine, self._seconds = True, not seconds, seconds

    def given(self) -> None:
        """This node neither has it nor waits for it any more."""
        self.is_sought = self.is_mine = False

    def wait(self) -> None:
        """Until it may be worth asking again."""
        self._news.wait(self._seconds)
        self._news.clear()

    def ask_again(self) -> None:
        """On any thread: the turn may have come, or something else needs what is new."""
        self._news.set()
