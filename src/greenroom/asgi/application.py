"""The ASGI application: hand it to a server, or mount it in FastAPI or Starlette."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from inspect import isawaitable
from typing import TypeAlias, cast

import outcome

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.actors.exit import must_go_on
from greenroom.actors.text.safe import safe_str
from greenroom.asgi.asgi_exchange import AsgiExchange, Receive, Send
from greenroom.asgi.desk import AsgiRequest, Desk
from greenroom.asgi.host_users import HostUsers, UserFound
from greenroom.asgi.lifespans import STATE, Lifespan
from greenroom.asgi.request_heads import Proxies, path_of
from greenroom.asgi.responses import as_messages
from greenroom.asgi.server_loop import loop_here
from greenroom.asgi.ways import Way
from greenroom.portal.errors import PortalClosed, PortalFull
from greenroom.runtime import Runtime
from greenroom.serving import DemoDoor
from greenroom.settings import BadSettings
from greenroom.settings.keys import authenticator_of
from greenroom.transport.auth.tokens import Authenticator, Identity, JwtAuthenticator
from greenroom.transport.door.front_door import LIVE
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.responses import text

AsgiScope: TypeAlias = MutableMapping[str, object]
Authenticate: TypeAlias = Callable[
    [AsgiScope], "str | Identity | Awaitable[str | Identity | None] | None"
]
WITH_USERS = (LIVE, "/whoami")
"""Paths that want to know whose request it is; those below them do, too."""

logger = logging.getLogger("greenroom.asgi")


class NoRuntime(GreenroomError):
    """A request came to an ASGI app that has no runtime."""

    fault = Fault.OPERATOR


class Application:
    """An ASGI 3 application. Made by `greenroom.asgi.app`."""

    def __init__(
        self,
        *,
        lifespan: Lifespan | None,
        authenticate: Authenticate | None,
        authenticator: Authenticator | None,
        page: bool,
        routes: Mapping[str, Handler] | None,
        proxies: Iterable[str],
        demo: bool,
    ) -> None:
        self._lifespan = lifespan
        self._authenticate = authenticate
        self._authenticator = authenticator
        self._page = page
        self._routes = dict(routes or {})
        self._proxies = Proxies(proxies)
        self._demo = demo
        self._desk: tuple[Runtime, Desk] | None = None

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server, or live as long as it does."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] in ("http", "websocket"):
            await self._serve(scope, receive, send)
        else:
            raise NoRuntime(f"an ASGI scope of the type {scope['type']!r:.40} is not known")

    async def _serve(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        way = _way_in(scope)
        if way is None:
            logger.error(
                "a request came before the lifespan of greenroom.asgi had started: give the "
                "outermost app `lifespan=greenroom.asgi.lifespan(…)`"
            )
            await _refuse_for_now(scope, send)
            return
        found = None
        if self._authenticate is not None and _wants_user(path_of(scope)):
            found = await _ask(self._authenticate, scope, way.runtime.settings.accept_deadline)
        try:
            await way.carry(partial(self._attend, way.runtime, scope, found), receive, send)
        except (PortalClosed, PortalFull) as error:
            logger.warning("a request was refused: %s", error)
            await _refuse_for_now(scope, send)

    async def _attend(
        self, runtime: Runtime, scope: AsgiScope, found: UserFound | None, exchange: AsgiExchange
    ) -> None:
        """Where the runtime is."""
        await self._desk_of(runtime).serve(AsgiRequest(scope, exchange, found))

    def _desk_of(self, runtime: Runtime) -> Desk:
        if self._desk is None or self._desk[0] is not runtime:
            self._desk = runtime, self._new_desk(runtime)
        return self._desk[1]

    def _new_desk(self, runtime: Runtime) -> Desk:
        users = None if self._authenticate is None else HostUsers()
        authenticator = users or self._authenticator or authenticator_of(runtime.settings)
        routes = {**(_demo_routes(runtime) if self._demo else {}), **self._routes}
        listening = runtime.listening
        door = listening.front_door(authenticator, page=self._page, routes=routes)
        return Desk(listening.server(door), users, self._proxies)

    async def _live(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """The lifespan protocol, for an app that no other one mounts."""
        await receive()
        block: AbstractAsyncContextManager[Mapping[str, object]]
        try:
            if self._lifespan is None:
                raise NoRuntime(
                    "this ASGI app has no runtime of its own",
                    advice="write greenroom.asgi.app(lifespan=greenroom.asgi.lifespan(…))",
                )
            block = self._lifespan(self)
            state = await block.__aenter__()
        except BaseException as error:
            if not must_go_on(error):
                await send({"type": "lifespan.startup.failed", "message": safe_str(error)})
            raise
        cast(AsgiScope, scope.setdefault("state", {})).update(state)
        try:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        finally:
            await block.__aexit__(None, None, None)
        await send({"type": "lifespan.shutdown.complete"})


def _demo_routes(runtime: Runtime) -> Mapping[str, Handler]:
    secret = runtime.settings.secret
    if secret is None:
        raise BadSettings(
            "the demo signs tokens, and has no secret to do so",
            advice="set `secret`, 32 bytes or more",
        )
    return DemoDoor(secret, JwtAuthenticator.from_secret(secret)).routes()


def _way_in(scope: AsgiScope) -> Way | None:
    state = scope.get("state")
    return cast("Way | None", state.get(STATE)) if isinstance(state, MutableMapping) else None


def _wants_user(path: str) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in WITH_USERS)


async def _ask(authenticate: Authenticate, scope: AsgiScope, seconds: float) -> UserFound:
    """What the host says of a request: it is judged where the runtime is."""
    try:
        said = authenticate(scope)
        if isawaitable(said):
            said = await loop_here().within(seconds, said, "`authenticate`")
        return outcome.Value(said)
    except Exception as error:
        if must_go_on(error):
            raise
        return outcome.Error(error)


async def _refuse_for_now(scope: AsgiScope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    answer = text(503, "The server cannot answer now.", {"Retry-After": "1"})
    for message in as_messages(answer):
        await send(message)


def app(
    *,
    lifespan: Lifespan | None = None,
    authenticate: Authenticate | None = None,
    authenticator: Authenticator | None = None,
    page: bool = True,
    routes: Mapping[str, Handler] | None = None,
    proxies: Iterable[str] = (),
    demo: bool = False,
) -> Application:
    """An ASGI application with the paths of greenroom's own server, relative to where it is
    mounted: `app.mount("/chat", greenroom.asgi.app())`.

    Its runtime is the one of `greenroom.asgi.lifespan`, which the outermost app must have; an app
    that stands alone takes it as `lifespan`. `authenticate(scope)`, sync or async, says whose a
    request is, by the ASGI scope: a user's id, an `Identity`, or None for no user; it takes the
    place of tokens. `authenticator` and `routes` as for `Runtime.listen`. Of the peers in
    `proxies`, addresses or networks, forwarded headers are believed. With `demo` each browser of
    this machine gets a user of its own, as with `greenroom demo`. Raises `BadProxy`.
    """
    return Application(
        lifespan=lifespan,
        authenticate=authenticate,
        authenticator=authenticator,
        page=page,
        routes=routes,
        proxies=proxies,
        demo=demo,
    )
