"""What answers which path: a table, and the probes that every process has in it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

import attrs

from greenroom.actors.exit import must_go_on
from greenroom.actors.guard import log_failure
from greenroom.transport.http.request_head import BadRequest, RequestHead, check_method
from greenroom.transport.http.responses import Response, text

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

logger = logging.getLogger("greenroom.transport")

Handler: TypeAlias = Callable[[RequestHead], Awaitable[Response]]


class PathTable:
    """Has the handlers of paths (`/readyz`), whole directories (`/crashes/*`, `/users/*/notes`),
    and other methods than `GET` and `HEAD` (`DELETE /crashes/*`)."""

    def __init__(self, routes: Mapping[str, Handler]) -> None:
        self._routes = _by_path(routes)

    async def respond(self, head: RequestHead) -> Response:
        """What the handler answers; 500 if it fails. Raises `BadRequest`."""
        handlers = self._routes.get(self._route(head))
        if handlers is None:
            raise BadRequest("There is nothing here.", status=404)
        check_method(head, *handlers)
        try:
            return await handlers[head.method](head)
        except BadRequest:
            raise
        except BaseException as error:
            if must_go_on(error):
                raise
            log_failure(logger, error, "the handler of %s failed", self._route(head))
            return text(500, "The server failed.")

    def label(self, head: RequestHead | None, more: Sequence[str] = ()) -> str:
        """What the log calls a request to a path of the table, or to one `more`: in words of the
        server's own, for any other may be secret.

        Tokens have been seen in paths, in methods and in the names of headers.
        """
        if head is None:
            return "unreadable request"
        route = head.path if head.path in more else self._route(head)
        known = route in more or route in self._routes
        method = head.method if head.method in METHODS else "another method"
        return f"{method} {route if known else 'of an unknown path'}"

    def _route(self, head: RequestHead) -> str:
        """The path as the table has it: a star stands for its last part, or the last but one."""
        above, _, last = head.path.rpartition("/")
        inside = f"{above.rpartition('/')[0]}/*/{last}"
        known = (path for path in (head.path, inside) if path in self._routes)
        return next(known, f"{above}/*")


@attrs.frozen
class Readiness:
    """Whether this server takes new users; `reason` says why not, in a few words."""

    ready: bool
    reason: str = ""


@attrs.frozen
class Probes:
    """`/livez` and `/readyz`, for who starts this process and sends users to it."""

    ready: Callable[[], Readiness]

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to a table."""
        return {"/livez": self._livez, "/readyz": self._readyz}

    async def _livez(self, _: RequestHead) -> Response:
        return text(200, "alive")

    async def _readyz(self, _: RequestHead) -> Response:
        readiness = self.ready()
        if readiness.ready:
            return text(200, "ready")
        return text(503, f"not ready: {readiness.reason}")


def _by_path(routes: Mapping[str, Handler]) -> Mapping[str, Mapping[str, Handler]]:
    """What answers each method of each path."""
    table: dict[str, dict[str, Handler]] = {}
    for route, handler in routes.items():
        method, _, path = route.rpartition(" ")
        for each in [method] if method else ["GET", "HEAD"]:
            table.setdefault(path, {})[each] = handler
    return table
