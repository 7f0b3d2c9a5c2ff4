"""The front door: one port for the page, the probes and the WebSocket.

Reads one request head from an accepted stream and either answers it and closes, or hands the
stream on. An `Upgrade` always names a proven user.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TypeAlias

import attrs
import orjson
import trio

from greenroom.actors.exit import must_go_on
from greenroom.actors.guard import log_failure
from greenroom.delivery.observer import NO_OBSERVER, Observer
from greenroom.delivery.user.bans import Bans
from greenroom.delivery.user.past_connections import PastConnection, PastConnections
from greenroom.transport.auth.keys import BadToken, ExpiredToken
from greenroom.transport.auth.tokens import Authenticator, Identity, extract_token
from greenroom.transport.auth.validity import Validity
from greenroom.transport.auth.verdict import Verdict
from greenroom.transport.connection.admitted import Admitted
from greenroom.transport.door.answering import peer_of, read_head, send_response
from greenroom.transport.door.paths import Handler, PathTable, Probes, Readiness
from greenroom.transport.door.static_pages import StaticPage
from greenroom.transport.door.upgrade import (
    Origins,
    acceptance_of,
    check_handshake,
    check_subprotocol,
)
from greenroom.transport.door.upgrade_granted import Upgrade
from greenroom.transport.events.events_granted import Granted
from greenroom.transport.events.live_door import LiveDoor, Prove
from greenroom.transport.events.stream_events import StreamEvents
from greenroom.transport.events.streaming import Streaming
from greenroom.transport.events.tickets import Tickets
from greenroom.transport.front_ends.front_ends import FrontEnds
from greenroom.transport.http.exchange import Exchange
from greenroom.transport.http.request_head import (
    MAX_HEAD_BYTES,
    TOO_LARGE,
    BadRequest,
    HeadParser,
    RequestHead,
    check_method,
)
from greenroom.transport.http.responses import Response, StreamedResponse, text
from greenroom.transport.protocol.close_codes import CloseCode, words_of
from greenroom.transport.wrong_id import wrong_id_behind

LIVE = "/live"
API = "/api/"
"""Where programs ask: a path below it takes bodies, and its connection stays open."""

UPGRADE_BYTES = 1024
"""What the head of an upgrade has beside that of a question, at most."""

logger = logging.getLogger("greenroom.transport")

Gate: TypeAlias = Callable[[RequestHead], Awaitable[Response | None]]
"""Refuses a request, or returns None."""

HandedOn: TypeAlias = Exchange | Streaming
"""What is served behind the door, and is no connection of a user."""


class FrontDoor:
    """Answers `GET` (and `HEAD`) of a table of paths, and grants upgrades at `live_path`.

    `routes` adds paths, whole directories (`/crashes/*`, `/users/*/notes`), and other methods
    (`DELETE /crashes/*`);
    `ready` is asked by `/readyz` and before every upgrade; `clock` gives seconds since the Unix
    epoch for the `Date` of answers. Users of `bans` get no upgrade, and `past` keeps whose tokens
    had expired. With a `gate`, requests below `/api/` that it lets pass are handed on as an
    `Exchange`. `front_ends` makes what answers front-end protocols of others.
    """

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        allow_origins: Iterable[str] = (),
        ready: Callable[[], Readiness] = lambda: Readiness(True),
        pages: Mapping[str, StaticPage] | None = None,
        routes: Mapping[str, Handler] | None = None,
        live_path: str = LIVE,
        clock: Callable[[], float] = time.time,
        observer: Observer = NO_OBSERVER,
        bans: Bans | None = None,
        past: PastConnections | None = None,
        gate: Gate | None = None,
        front_ends: Callable[[str], FrontEnds] | None = None,
    ) -> None:
        self.validity: Validity = Validity(authenticator, Bans(clock) if bans is None else bans)
        self._origins = Origins(allow_origins)
        self._ready = ready
        self._live_path = live_path
        self._past = PastConnections() if past is None else past
        self._gate = gate
        self._clock = clock
        self._observer = observer
        self.live: LiveDoor = LiveDoor(
            live_path,
            self._authenticate,
            self._check_ticket,
            self._origins,
            Tickets(clock),
            front_ends=front_ends(live_path) if front_ends else None,
        )
        self._paths = PathTable({**(pages or {}), **self._own_routes(), **(routes or {})})

    def _own_routes(self) -> Mapping[str, Handler]:
        probes = Probes(self._ready).routes()
        return {**probes, "/whoami": self._whoami, **self.live.routes()}

    async def admit(self, stream: trio.abc.Stream) -> Admitted | HandedOn | None:
        """Read a request and do what it asks. None: it was answered, and the stream is closed.

        Takes as long as the peer does: call it with a deadline, and drop the stream if that
        passes. A peer that goes away is not an error.
        """
        try:
            return await self._admit(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await trio.aclose_forcefully(stream)
            return None

    async def answer(self, head: RequestHead) -> Response:
        """The answer to a request that is no upgrade."""
        try:
            if head.path == self._live_path:
                check_handshake(head)
                raise BadRequest("The server cannot open a WebSocket here.", status=501)
            return await self._paths.respond(head)
        except BadRequest as error:
            return self._refusal(head, error)

    async def admit_websocket(self, head: RequestHead) -> Identity | Response:
        """The user who may have a WebSocket that another server opens, or why there is none."""
        try:
            if head.path != self._live_path:
                raise BadRequest("There is nothing here.", status=404)
            check_subprotocol(head)
            return await self._authorise(head, self._authenticate)
        except BadRequest as error:
            return self._refusal(head, error)

    async def admit_events(self, head: RequestHead) -> Granted | Response:
        """What an event stream begins with, or why there is none."""
        try:
            return await self.live.grant(head, self._authorise)
        except BadRequest as error:
            return self._refusal(head, error)

    def _refusal(self, head: RequestHead | None, error: BadRequest) -> Response:
        if head is not None and self._is_way_in(head):
            self._observer.handshake_refused(error.status)
        self._log(head, error)
        return text(error.status, error.message, error.headers)

    def _is_way_in(self, head: RequestHead) -> bool:
        return head.path == self._live_path or self.live.begins_stream(head)

    def _takes_body(self, path: str) -> bool:
        is_for_programs = self._gate is not None and path.startswith(API)
        return is_for_programs or self.live.takes_body(path)

    async def _admit(self, stream: trio.abc.Stream) -> Admitted | HandedOn | None:
        head = None
        try:
            parser = HeadParser(self._takes_body)
            head = await read_head(stream, parser)
            if head is None:
                await trio.aclose_forcefully(stream)
                return None
            if head.path == self._live_path:
                check_method(head, "GET")
                check_handshake(head)
                identity = await self._authorise(head, self._authenticate)
                return Upgrade(identity, stream, acceptance_of(head), parser.rest, self._clock)
            with_body = partial(self._with_body, stream, parser)
            if self.live.begins_stream(head):
                if head.method == "POST":
                    head = with_body(head)
                granted = await self.live.grant(head, self._authorise)
                return StreamEvents(granted, stream, self._clock)
            head = attrs.evolve(head, peer=peer_of(stream))
            if self._gate is not None and head.path.startswith(API):
                if (refusal := await self._gate(head)) is None:
                    return Exchange(stream, parser.connection(), head, self._clock)
                response = refusal
            else:
                if head.path == self.live.frames_path:
                    head = with_body(head)
                response = await self._paths.respond(head)
                if isinstance(response, StreamedResponse) and head.method != "HEAD":
                    return Streaming(response, stream, self._clock)
        except BadRequest as error:
            response = self._refusal(head, error)
        await send_response(stream, response, head, self._clock)
        return None

    def _with_body(
        self, stream: trio.abc.Stream, parser: HeadParser, head: RequestHead
    ) -> RequestHead:
        body = Exchange(stream, parser.connection(), head, self._clock)
        return attrs.evolve(head, body=body)

    def _log(self, head: RequestHead | None, error: BadRequest) -> None:
        kind = {"kind": str(error.status)}  # a flood of one hides no other from a limited log
        ways_in = (self._live_path, self.live.events_path)
        label = self._paths.label(head, ways_in)
        logger.info("%s: %d %s", label, error.status, error.message, extra=kind)

    async def _authorise(self, head: RequestHead, prove: Prove) -> Identity:
        self._origins.check(head)
        readiness = self._ready()
        if not readiness.ready:
            raise BadRequest(
                f"Not taking connections: {readiness.reason}.",
                status=503,
                headers={"Retry-After": "1"},
            )
        return await prove(head)

    async def _authenticate(self, head: RequestHead) -> Identity:
        try:
            token = extract_token(head)
            if token is None:
                raise BadRequest(
                    "A token is needed.", status=401, headers={"WWW-Authenticate": "Bearer"}
                )
            return self._check_ban(await self._check_token(token))
        except BadToken as error:
            if (wrong := wrong_id_behind(error)) is not None:
                self._observer.id_mismatch(wrong.expected, wrong.given)
            if isinstance(error, ExpiredToken) and error.user is not None:
                code = CloseCode.BAD_TOKEN
                refused = PastConnection(
                    self._clock(), code, by_server=True, meaning=words_of(code)
                )
                self._past.note(error.user, refused)
            raise BadRequest(
                f"Not admitted: {error.message}.",
                status=401,
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            ) from error

    def _check_ban(self, identity: Identity) -> Identity:
        if self.validity.bans.until(identity.user) is not None:
            raise BadRequest("The service has disconnected this user.", status=403)
        return identity

    async def _check_ticket(self, identity: Identity, *, opens: bool) -> Identity:
        """What a ticket was issued for may have been taken back since: an answer that was kept does
        for what comes in, but opens nothing."""
        verdict = await self.validity.check(self._check_ban(identity), use_kept=not opens)
        if verdict is Verdict.REVOKED:
            raise BadRequest("The token of this session is no longer good.", status=401)
        if verdict is Verdict.UNKNOWN:
            raise _cannot_check()
        return identity

    async def _check_token(self, token: str) -> Identity:
        """Whatever fails in an authenticator is not the client's fault: it may come back."""
        try:
            return await self.validity.authenticate(token)
        except BadToken:
            raise
        except BaseException as error:
            if must_go_on(error):
                raise
            log_failure(logger, error, "a token could not be checked")
            raise _cannot_check() from error

    async def _whoami(self, head: RequestHead) -> Response:
        """Whose token this is: a browser cannot see why an upgrade was refused, but can ask."""
        _check_upgrade_would_fit(head)
        identity = await self._authenticate(head)
        body = orjson.dumps({"user": identity.user, "expires_at": identity.expires_at})
        return Response(200, body, "application/json")


def _cannot_check() -> BadRequest:
    words = "The server cannot check tokens now."
    return BadRequest(words, status=503, headers={"Retry-After": "1"})


def _check_upgrade_would_fit(head: RequestHead) -> None:
    """A token that this path calls good must also fit in an upgrade, which brings it in base64."""
    token = max((len(value) for value in head.all("authorization")), default=0)
    if head.size + token // 3 + UPGRADE_BYTES > MAX_HEAD_BYTES:
        raise BadRequest(TOO_LARGE, status=431)
