"""A server's problems, raised as the errors that a run in the server would raise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.delivery.asks.places import TooManyAsks
from greenroom.delivery.errors import EventNotKept, UnknownEvent, UserUnavailable
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.ids import BadId
from greenroom.delivery.events.policy import BadPolicy
from greenroom.delivery.run.grammar import OutOfOrder
from greenroom.services import problems
from greenroom.transport.auth.keys import BadToken
from greenroom.transport.http.body import BadBody

_KINDS: Final[Mapping[str, type[GreenroomError]]] = {
    kind.__name__: kind
    for kind in (
        *(BadEvent, BadId, BadPolicy, OutOfOrder, EventNotKept, UserUnavailable, TooManyAsks),
        *(UnknownEvent, BadToken, BadBody, problems.BadEntry, problems.OutOfScope),
        *(problems.UnknownRun, problems.RunOver, problems.KeyConflict),
        *(problems.TooManyRemoteRuns, problems.TooManyRequests, problems.ServerStops),
    )
}


class RemoteError(GreenroomError):
    """The server refused a request for a reason without an error class here."""


class NotAnswered(GreenroomError):
    """The server did not answer in time. What was asked may have been done."""

    fault = Fault.OPERATOR
    temporary = True


def error_of(problem: Mapping[str, Any]) -> GreenroomError:
    """The error that a problem stands for. Its attribute `problem` is the whole of it."""
    kind = _KINDS.get(str(problem.get("error")), RemoteError)
    error = kind.__new__(kind)
    message = str(problem.get("detail") or "the server refused the request")
    GreenroomError.__init__(error, message, advice=str(problem.get("advice") or ""))
    if isinstance(error, problems.ServiceError):
        error.extra = dict(problem)
    error.__dict__["problem"] = problem
    return error
