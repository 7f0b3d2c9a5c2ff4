"""Probes: hooks by which logs, metrics and tests observe actors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.actors.guard import call_guarded

if TYPE_CHECKING:
    from greenroom.actors.exit import ExitReason


class Probe:
    """Does nothing; subclass it and override the hooks you need.

    Hooks run in the actor's or the sender's task: they must be quick. What they raise is logged.
    """

    def told(self, actor: str, message: object) -> None:
        """A message entered the actor's mailbox."""

    def handled(self, actor: str, count: int) -> None:
        """The actor handled a batch of `count` messages."""

    def moved(self, actor: str, machine: str, old: str, event: str, new: str) -> None:
        """The actor's machine took a transition."""

    def started(self, actor: str) -> None:
        """The actor has started and takes messages."""

    def stopped(self, actor: str, reason: ExitReason) -> None:
        """The actor has ended."""


NO_PROBE = Probe()


class GuardedProbe(Probe):
    """Calls the hooks of another probe, and logs what they raise."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    def told(self, actor: str, message: object) -> None:
        call_guarded("Probe.told() failed", self._probe.told, actor, message)

    def handled(self, actor: str, count: int) -> None:
        call_guarded("Probe.handled() failed", self._probe.handled, actor, count)

    def moved(self, actor: str, machine: str, old: str, event: str, new: str) -> None:
        call_guarded("Probe.moved() failed", self._probe.moved, actor, machine, old, event, new)

    def started(self, actor: str) -> None:
        call_guarded("Probe.started() failed", self._probe.started, actor)

    def stopped(self, actor: str, reason: ExitReason) -> None:
        call_guarded("Probe.stopped() failed", self._probe.stopped, actor, reason)


def guarded(probe: Probe) -> Probe:
    """The probe as actors call it. `NO_PROBE` is returned as it is, and costs nothing."""
    return probe if probe is NO_PROBE or isinstance(probe, GuardedProbe) else GuardedProbe(probe)
