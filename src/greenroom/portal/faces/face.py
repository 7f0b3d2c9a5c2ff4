"""Faces: what a host holds in place of an object of the trio thread.

A face has the names of that object. What awaits there crosses the border; what only reads is read.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import EventId, RunId, ThreadId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.run.pressure import Pressure
from greenroom.delivery.run.receipt import Receipt, Required, Requirement
from greenroom.delivery.run.run import Run
from greenroom.portal.call import Lane

F = TypeVar("F", covariant=True)


class Face(Generic[F]):
    """The face of `far`; its calls go in `lane`."""

    __slots__ = ("_far", "_lane")

    def __init__(self, far: F, lane: Lane) -> None:
        self._far = far
        self._lane = lane

    def __repr__(self) -> str:
        return repr(self._far)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Face) and self._far == other._far

    def __hash__(self) -> int:
        return hash(self._far)


class ReceiptFacts(Face[Receipt]):
    """What a receipt says without asking."""

    __slots__ = ()

    @property
    def event(self) -> EventId:
        """The id of the event."""
        return self._far.event

    @property
    def kind(self) -> Kind:
        """What kind of event it is."""
        return self._far.kind

    @property
    def offset(self) -> int:
        """Its place in the user's log."""
        return self._far.offset

    @property
    def at(self) -> int:
        """When it was accepted, in milliseconds since the Unix epoch."""
        return self._far.at


class RunFacts(Face[Run]):
    """What a run is and does without waiting."""

    __slots__ = ()

    @property
    def context(self) -> UserContext:
        """Whom the run speaks to, and where."""
        return self._far.context

    @property
    def agent(self) -> str:
        """The name it speaks under."""
        return self._far.agent

    @property
    def thread(self) -> ThreadId:
        """The conversation this run belongs to."""
        return self._far.thread

    @property
    def parent(self) -> RunId | None:
        """The run that this run is a sub-run of, if any."""
        return self._far.parent

    @property
    def cancelled(self) -> bool:
        """True if the user stopped this run or its parent."""
        return self._far.cancelled

    @property
    def ended(self) -> bool:
        """True once the run's last event was emitted."""
        return self._far.ended

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1: more if the server was lost during earlier ones."""
        return self._far.attempt

    @property
    def goes_on(self) -> bool:
        """Whether another attempt may follow if the server is lost."""
        return self._far.goes_on

    @property
    def requirement(self) -> Requirement:
        """What the run requires of each of its events."""
        return self._far.requirement

    @property
    def pressure(self) -> Pressure:
        """How well the user's clients keep up; reading it costs nothing."""
        return self._far.pressure

    def require(self, *, displayed_within: float) -> Required:
        """Fail fast: see `greenroom.Run.require`."""
        return self._far.require(displayed_within=displayed_within)

    def typing(self) -> None:
        """Show that the agent is writing, on live connections only. Never kept; does not block."""
        self._lane.border.post(self._far.typing)
