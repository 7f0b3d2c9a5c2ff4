"""Whose a request is, by a dependency of FastAPI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, cast

from greenroom.transport.auth.tokens import Identity

if TYPE_CHECKING:
    from fastapi import FastAPI

_found: Final[ContextVar[list[object]]] = ContextVar("the users that the dependency returned")
_UNREADABLE: Final = 422
"""What FastAPI answers where a parameter of a dependency is missing, such as a cookie."""


def depends(
    dependency: Callable[..., object], *, app: FastAPI | None = None
) -> Callable[[MutableMapping[str, object]], Awaitable[str | Identity | None]]:
    """`greenroom.asgi.app(authenticate=greenroom.asgi.depends(current_user))`: the dependency is
    injected as in a route, with its sub-dependencies, and returns a user's id, an `Identity` or
    None. It may be sync, and may yield.

    It sees a GET with the request's path, headers, cookies, query and state, also for a WebSocket:
    let it take a `Request` or an `HTTPConnection`, not a `WebSocket`. `app`: the one whose `state`
    and `dependency_overrides` hold for it. If it raises an `HTTPException` with 401 or 403, or one
    of its parameters is missing, the request has no user.
    """
    from fastapi import Depends, FastAPI

    async def keep(user: object = Depends(dependency)) -> None:
        _found.get().append(user)

    asked = FastAPI(openapi_url=None)
    asked.add_api_route("/{path:path}", keep, methods=["GET"])
    if app is not None:
        asked.state = app.state
        asked.dependency_overrides = app.dependency_overrides

    async def authenticate(scope: MutableMapping[str, object]) -> str | Identity | None:
        return await _user_of(asked, scope)

    return authenticate


async def _user_of(asked: FastAPI, scope: MutableMapping[str, object]) -> str | Identity | None:
    from fastapi import HTTPException

    users: list[object] = []
    before = _found.set(users)
    try:
        status = await _status(asked, _as_get(scope))
    finally:
        _found.reset(before)
    if users:
        return cast("str | Identity | None", users[0])
    if status == _UNREADABLE:
        return None
    raise HTTPException(status)


async def _status(asked: FastAPI, scope: MutableMapping[str, object]) -> int:
    statuses: list[int] = []

    async def receive() -> MutableMapping[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, object]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(cast(int, message["status"]))

    await asked(scope, receive, send)
    return statuses[0]


def _as_get(scope: MutableMapping[str, object]) -> MutableMapping[str, object]:
    scheme = {"ws": "http", "wss": "https"}.get(str(scope["scheme"]), scope["scheme"])
    return {**scope, "type": "http", "method": "GET", "scheme": scheme}
