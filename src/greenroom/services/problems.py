"""Errors as answers: a JSON problem (RFC 9457) that says whose fault it is and what to do next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar, Final

import orjson

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.delivery.asks.places import TooManyAsks
from greenroom.delivery.errors import (
    EventNotKept,
    JournalError,
    UnknownEvent,
    UserUnavailable,
    words_for_clients,
)
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.grammar import OutOfOrder
from greenroom.transport.auth.keys import BadToken
from greenroom.transport.http.body import BadBody
from greenroom.transport.http.request_head import BadRequest
from greenroom.transport.http.responses import Response

PROBLEM: Final = "application/problem+json"


class ServiceError(GreenroomError):
    """A program's request was refused. `extra`: more members of the problem."""

    status: ClassVar[int] = 400

    def __init__(
        self, message: str, *, advice: str = "", extra: Mapping[str, JSON] | None = None
    ) -> None:
        super().__init__(message, advice=advice)
        self.extra = dict(extra or {})


class BadEntry(ServiceError, ValueError):
    """A request's JSON is not what the path takes."""


class OutOfScope(ServiceError):
    """The service token does not allow this user or this agent."""

    status = 403


class UnknownRun(ServiceError):
    """No such run of this service is known to the running server."""

    status = 404


class RunOver(ServiceError):
    """The run has ended: nothing can be added."""

    status = 409


class KeyConflict(ServiceError):
    """The idempotency key was used for a different request."""

    status = 409


class TooManyRemoteRuns(ServiceError):
    """The service has as many open runs as it may have."""

    status = 429
    temporary = True


class TooManyRequests(ServiceError):
    """The service sends faster than it may."""

    status = 429
    temporary = True


class ServerStops(ServiceError):
    """The server is about to stop, and begins no run."""

    fault = Fault.OPERATOR
    status = 503
    temporary = True


_STATUSES: Final[Mapping[type[GreenroomError], int]] = {
    BadToken: 401,
    OutOfOrder: 409,
    UnknownEvent: 404,
    TooManyAsks: 429,
    EventNotKept: 503,
    UserUnavailable: 503,
    JournalError: 503,
}


def problem(error: GreenroomError, extra: Mapping[str, JSON] | None = None) -> Response:
    """The answer for an error."""
    status = status_of(error)
    members: dict[str, JSON] = {
        "type": f"urn:greenroom:problem:{_kebab(type(error).__name__)}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _detail(error),
        "advice": error.advice,
        "error": type(error).__name__,
        "fault": error.fault.name.lower(),
        "retry": error.temporary,
    }
    more = error.extra if isinstance(error, ServiceError) else {}
    return _answer(status, {**members, **more, **(extra or {})})


def problem_of_request(error: BadRequest) -> Response:
    """The answer for a request that the front door would not have."""
    answer = problem(error)
    return Response(answer.status, answer.body, PROBLEM, {**answer.headers, **error.headers})


def bad_value(error: ValueError) -> BadEntry:
    """The error of an argument, whose text is greenroom's own."""
    return BadEntry(str(error))


def status_of(error: GreenroomError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, ServiceError | BadRequest | BadBody):
        return error.status
    found = next((status for kind, status in _STATUSES.items() if isinstance(error, kind)), None)
    if found is not None:
        return found
    if error.fault in (Fault.CALLER, Fault.CLIENT):
        return 400
    return 503 if error.temporary else 500


def _answer(status: int, members: Mapping[str, JSON]) -> Response:
    headers = {"Retry-After": "1"} if status in (429, 503) else {}
    headers |= {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return Response(status, orjson.dumps(members), PROBLEM, headers)


def _detail(error: GreenroomError) -> str:
    if error.fault in (Fault.CALLER, Fault.CLIENT) or isinstance(error, ServiceError):
        return error.message
    return words_for_clients(error)


def _kebab(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
