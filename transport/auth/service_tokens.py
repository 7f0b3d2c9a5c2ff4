"""Service tokens: a program's right to speak to users, and to which of them.

A service token is a JWT like a user's, signed with the same key. Its audience makes the difference:
`JwtAuthenticator` refuses that audience, and `ServiceAuthenticator` accepts no other, so neither
kind of token can be used for the other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from greenroom.delivery.events.kinds import JSON
from greenroom.transport.auth.keys import BadToken
from greenroom.transport.auth.tokens import (
    SERVICE_AUDIENCE,
    JwtAuthenticator,
    audiences,
    sign_claims,
)

ANY: Final = "*"
MOST_PATTERNS: Final = 100
MAX_NAME: Final = 255


@attrs.frozen
class Service:
    """A proven service. `users` and `agents`: whom it may speak to, and as which agents. A pattern
    is a whole name, or the beginning of names followed by `*`."""

    name: str
    users: Sequence[str]
    agents: Sequence[str]
    expires_at: float

    def may_speak_to(self, user: str) -> bool:
        return _matches(self.users, user)

    def may_speak_as(self, agent: str) -> bool:
        return _matches(self.agents, agent)


@attrs.frozen
class ServiceAuthenticator:
    """Proves the service of a token."""

    tokens: JwtAuthenticator

    async def authenticate(self, token: str) -> Service:
        """Raises `BadToken`, whose message never holds the token."""
        claims, expires_at = await self.tokens.claims(token)
        if SERVICE_AUDIENCE not in audiences(claims):
            raise BadToken(f"the token is no service token: its `aud` lacks {SERVICE_AUDIENCE!r}")
        name = claims.get("sub")
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            raise BadToken(f"the token's `sub` must name the service in 1 to {MAX_NAME} characters")
        return Service(name, _patterns(claims, "users"), _patterns(claims, "agents"), expires_at)


def sign_service_token(
    secret: str | bytes,
    service: str,
    ttl_seconds: float,
    *,
    users: Iterable[str],
    agents: Iterable[str] = (ANY,),
    audience: str | None = None,
    issuer: str | None = None,
    now: float | None = None,
) -> str:
    """A token with which `service` may speak to `users` as `agents` for `ttl_seconds`.

    Raises `BadKeyFile` for a weak secret, and `ValueError` for a name, a pattern or a time that is
    not allowed.
    """
    if not isinstance(ttl_seconds, int | float) or not 0 < ttl_seconds < math.inf:
        raise ValueError(f"`ttl_seconds` must be a number of seconds above 0, not {ttl_seconds!r}")
    if not 0 < len(service) <= MAX_NAME:
        raise ValueError(f"`service` must have 1 to {MAX_NAME} characters")
    issued = time.time() if now is None else now
    claims: dict[str, JSON] = {
        "sub": service,
        "aud": [SERVICE_AUDIENCE, *([audience] if audience else [])],
        "iat": math.floor(issued),
        "exp": math.ceil(issued + ttl_seconds),
        "users": _signable("users", users),
        "agents": _signable("agents", agents),
    }
    return sign_claims(secret, claims | ({"iss": issuer} if issuer else {}))


def _signable(name: str, patterns: Iterable[str]) -> list[JSON]:
    listed = [patterns] if isinstance(patterns, str) else list(patterns)
    if not _are_patterns(listed):
        raise ValueError(f"`{name}` must be 1 to {MOST_PATTERNS} names; only the end may be `*`")
    return [*listed]


def _patterns(claims: Mapping[str, JSON], name: str) -> Sequence[str]:
    found = claims.get(name)
    if not isinstance(found, list) or not _are_patterns(found):
        raise BadToken(f"the token's `{name}` must be a list of 1 to {MOST_PATTERNS} names")
    return [str(each) for each in found]


def _are_patterns(found: Sequence[object]) -> bool:
    return 0 < len(found) <= MOST_PATTERNS and all(
        isinstance(each, str) and each and ANY not in each[:-1] for each in found
    )


def _matches(patterns: Sequence[str], name: str) -> bool:
    return any(
        name.startswith(each[:-1]) if each.endswith(ANY) else name == each for each in patterns
    )
