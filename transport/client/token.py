"""The tokens of a client: one given string, or those of the program's token function."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from greenroom.actors.text.safe import safe_repr
from greenroom.actors.text.wording import kind_of
from greenroom.transport.client.client_error import ClientError
from greenroom.transport.client.frames import RequestFailed

REFRESH_SECONDS = 60.0
"""Before a token expires; half-way through a shorter one."""

LEAST_PAUSE = 1.0
"""Between two tries to renew a token; a tenth of what a short one has left."""

logger = logging.getLogger("greenroom.client")

TokenSource: TypeAlias = str | Callable[[], Awaitable[str]]


class NoToken(ClientError):
    """The program's token function failed, or returned something else than a string."""

    temporary = True


class Tokens:
    """`given` is a token, or a function of the program that makes tokens. A function that fails, or
    returns an old token, is called again after `backoff(attempt)` seconds; attempts from 1."""

    def __init__(
        self,
        given: TokenSource,
        refresh: Callable[[str], Awaitable[int | None]],
        *,
        backoff: Callable[[int], float],
        wall_clock: Callable[[], float],
    ) -> None:
        if not (isinstance(given, str) or callable(given)):
            kind = kind_of(given)
            raise TypeError(f"`token` must be a string or an async function for tokens, not {kind}")
        self.given = given
        self._refresh = refresh
        self._backoff = backoff
        self._wall_clock = wall_clock

    @property
    def are_fresh(self) -> bool:
        """Whether the next token may differ from the last: a function of the program makes them."""
        return not isinstance(self.given, str)

    async def take(self) -> str:
        """Return a token to connect with. Raises `NoToken` if the program's function fails."""
        if isinstance(self.given, str):
            return self.given
        try:
            token = await self.given()
        except Exception as error:
            raise NoToken(f"the token function failed: {safe_repr(error)}") from error
        if not isinstance(token, str):
            raise NoToken(f"the token function must return a string, not {type(token).__name__}")
        return token

    async def keep(self, expires_ms: int | None) -> None:
        """Give a new token in good time before the old one expires, again and again.

        Clocks may disagree: a token that looks expired though the server took it is left alone,
        and should the server find it expire first, it closes 4104 and the next connect asks again.
        """
        while self.are_fresh and expires_ms is not None and (left := self._left(expires_ms)) > 0:
            await trio.sleep(max(left - REFRESH_SECONDS, left / 2))
            expires_ms = await self._renewed(expires_ms)

    async def _renewed(self, expires_ms: int) -> int | None:
        """When the new token expires, which is asked for until there is one, or no time."""
        attempt, pause = 0, min(LEAST_PAUSE, self._left(expires_ms) / 10)
        while self._left(expires_ms) > 0:
            try:
                new = await self._refresh(await self.take())
                if new is None or new > expires_ms:
                    return new
                logger.warning("the token function returned no newer token: calling it again")
            except (NoToken, RequestFailed) as error:
                logger.warning("no new token yet: %s", error)
            attempt += 1
            in_time = min(self._backoff(attempt), self._left(expires_ms) / 4)
            await trio.sleep(max(pause, in_time))
        return None

    def _left(self, expires_ms: int) -> float:
        return expires_ms / 1000 - self._wall_clock()
