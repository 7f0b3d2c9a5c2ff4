"""Observation hooks. Everything that watches actors (logs, metrics, tests) hangs on a probe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.actors.exit import ExitReason


class Probe:
    """Does nothing; subclass and override what you want to see.

    Hooks run inside the actor's or the sender's task: they must be quick and must not raise.
    """

    def told(self, actor: str, message: object) -> None:
        """A message entered the actor's mailbox."""

    def handled(self, actor: str, count: int) -> None:
        """The actor handled a batch of `count` messages."""

    def moved(self, actor: str, machine: str, old: str, event: str, new: str) -> None:
        """The actor's machine took a transition."""

    def started(self, actor: str) -> None:
        """The actor is up and takes messages."""

    def stopped(self, actor: str, reason: ExitReason) -> None:
        """The actor has ended."""


NO_PROBE = Probe()
