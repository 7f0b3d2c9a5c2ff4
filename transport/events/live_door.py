"""The paths of clients without WebSocket, below `/live`: `events`, `frames` and `session`."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, Protocol, TypeAlias

import attrs
import orjson

from greenroom.transport.auth.tokens import Identity
from greenroom.transport.door.upgrade import Origins, is_same_host
from greenroom.transport.events.event_socket import EventSocket, OpenStreams
from greenroom.transport.events.events_granted import EVENT_HEADERS, EventsGranted, Granted
from greenroom.transport.events.hello import connection_of, hello_of
from greenroom.transport.events.tickets import Tickets, cookie_for, ticket_of
from greenroom.transport.front_ends.front_ends import FrontEnds
from greenroom.transport.http.body import BadBody, whole
from greenroom.transport.http.request_head import BadRequest, RequestHead, check_method
from greenroom.transport.http.responses import Response, json_answer
from greenroom.transport.protocol.frame_text import frame_text

Prove: TypeAlias = Callable[[RequestHead], Awaitable[Identity]]
Authorise: TypeAlias = Callable[[RequestHead, Prove], Awaitable[Identity]]
MOST_BYTES: Final = 256 * 1024
MOST_FRAMES: Final = 100
"""What one post may bring. Each of its frames counts as one of a WebSocket."""


class Check(Protocol):
    """Refuses the identity of a ticket if its user is banned, or its token was taken back."""

    def __call__(self, identity: Identity, /, *, opens: bool) -> Awaitable[Identity]:
        """`opens`: whether the request is for a stream. Raises `BadRequest`."""


@attrs.frozen
class LiveDoor:
    """Answers them. `prove`: whose a request with a token is."""

    path: str
    prove: Prove
    check: Check
    origins: Origins
    tickets: Tickets
    streams: OpenStreams = attrs.field(factory=OpenStreams)
    front_ends: FrontEnds | None = None

    @property
    def events_path(self) -> str:
        return f"{self.path}/events"

    @property
    def frames_path(self) -> str:
        return f"{self.path}/frames"

    def takes_body(self, path: str) -> bool:
        return path == self.frames_path or self.is_front_end(path)

    def is_front_end(self, path: str) -> bool:
        """Whether a front-end protocol of others has this path."""
        return self.front_ends is not None and self.front_ends.has(path)

    def begins_stream(self, head: RequestHead) -> bool:
        """Whether the request is for a stream, whatever becomes of it."""
        is_stream = head.path == self.events_path or self.is_front_end(head.path)
        return is_stream and head.method != "OPTIONS"

    def routes(self) -> Mapping[str, Callable[[RequestHead], Awaitable[Response]]]:
        """All but that of the stream itself."""
        session = f"{self.path}/session"
        return {
            f"POST {self.frames_path}": self._frames,
            f"POST {session}": self._session,
            f"OPTIONS {self.frames_path}": self._preflight,
            f"OPTIONS {session}": self._preflight,
            f"OPTIONS {self.events_path}": self._preflight,
            **{f"OPTIONS {path}": self._preflight for path in self._front_paths()},
        }

    def _front_paths(self) -> Iterable[str]:
        return () if self.front_ends is None else self.front_ends.paths()

    async def grant(self, head: RequestHead, authorise: Authorise) -> Granted:
        """A stream for a request that begins one. Raises `BadRequest`."""
        fronts = self.front_ends
        if fronts is None or not fronts.has(head.path):
            check_method(head, "GET")
            hello = hello_of(head)
            identity = await authorise(head, self.identify)
            headers = {**EVENT_HEADERS, **self.shared_with(head)}
            return EventsGranted(identity, hello, headers, self.streams)
        check_method(head, *fronts.methods(head.path))
        identity = await authorise(head, self.identify)
        if head.method == "POST":
            _check_is_json(head)
        return await fronts.grant(head, identity, {**EVENT_HEADERS, **self.shared_with(head)})

    async def identify(self, head: RequestHead) -> Identity:
        """Whose a request is, by its token or its ticket. Raises `BadRequest`.

        A browser sends a ticket whatever page asks (CSRF): the ticket's cookie is `SameSite`, and
        whoever posts with one must say an origin that may connect.
        """
        ticket = ticket_of(head)
        if ticket is None:
            return await self.prove(head)
        if head.method == "POST" and head.one("origin") is None:
            raise BadRequest("A post with a cookie must have an `Origin`.", status=403)
        if head.one("sec-fetch-site") == "cross-site":
            raise BadRequest("Pages of other sites may not connect with a cookie.", status=403)
        identity = self.tickets.identity(ticket)
        if identity is None:
            raise BadRequest(
                "The session has ended: begin one by a POST with a token.",
                status=401,
                headers={"WWW-Authenticate": "Bearer"},
            )
        return await self.check(identity, opens=self.begins_stream(head))

    def shared_with(self, head: RequestHead) -> dict[str, str]:
        """The headers that let a page of another origin that may connect read an answer."""
        origin = head.one("origin")
        if origin is None or is_same_host(origin, head.one("host") or ""):
            return {}
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}

    async def _session(self, head: RequestHead) -> Response:
        self.origins.check(head)
        identity = await self.prove(head)
        ticket, seconds = self.tickets.issue(identity)
        secure = (head.one("origin") or "").lower().startswith("https:")
        cookie = cookie_for(ticket, seconds, secure=secure)
        body = orjson.dumps({"user": identity.user, "seconds": int(seconds)})
        headers = {"Set-Cookie": cookie, **self.shared_with(head)}
        return Response(200, body, "application/json", headers)

    async def _frames(self, head: RequestHead) -> Response:
        self.origins.check(head)
        identity = await self.identify(head)
        _check_is_json(head)
        stream = self._stream_of(identity, connection_of(head))
        try:
            body = await whole(head.body, MOST_BYTES)
        except BadBody as error:
            raise BadRequest(f"{error.message.capitalize()}.", status=error.status) from error
        replies = await stream.post(frames_in(body))
        answer = json_answer(b"[" + b",".join(replies) + b"]")
        return attrs.evolve(answer, headers=self.shared_with(head))

    def _stream_of(self, identity: Identity, connection: str | None) -> EventSocket:
        """The one with this connection, or the only one that the user has."""
        streams = self.streams.of(identity.user)
        if connection is None and len(streams) > 1:
            raise BadRequest(
                "This user has several event streams: name one, as `?connection=`.", status=409
            )
        stream = next(iter(streams.values()), None)
        if connection is not None:
            stream = streams.get(connection)
        if stream is None:
            raise BadRequest("This user has no such event stream: open one.", status=404)
        return stream

    async def _preflight(self, head: RequestHead) -> Response:
        self.origins.check(head)
        allowed = {
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "authorization, content-type, last-event-id",
            "Access-Control-Max-Age": "600",
        }
        return Response(200, headers={**allowed, **self.shared_with(head)})


def frames_in(body: bytes) -> list[str]:
    """The frames of a post: those of a list, or the one that it is. Raises `BadRequest`.

    What is no frame is for the connection to refuse, as on a WebSocket.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise BadRequest("The body must be JSON in UTF-8.") from None
    if not text.lstrip().startswith("["):
        return [text]
    try:
        listed = json.loads(text)  # orjson has no half pairs and rounds integers
    except (ValueError, RecursionError):
        return [text]
    if not 0 < len(listed) <= MOST_FRAMES:
        raise BadRequest(f"A post must have 1 to {MOST_FRAMES} frames.")
    return [frame_text(each) for each in listed]


def _check_is_json(head: RequestHead) -> None:
    """A page of another site can send no JSON without asking first."""
    media_type = (head.one("content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise BadRequest("The body must be `application/json`.", status=415)
