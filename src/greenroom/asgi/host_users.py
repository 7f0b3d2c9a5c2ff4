"""Users that the host of an ASGI app has proven, in its own way.

What the host says of a request becomes a token that is good for this one request. So the door asks
its authenticator, as for any other token.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

import outcome

from greenroom.delivery.events.ids import BadId, UserId
from greenroom.transport.auth.keys import BadToken
from greenroom.transport.auth.tokens import Identity

UserFound: TypeAlias = outcome.Outcome[object]
"""What the host's function has returned for a request, or raised."""


class HostUsers:
    """An authenticator that knows the tokens it has made."""

    def __init__(self) -> None:
        self._found: dict[str, UserFound] = {}

    @contextmanager
    def token_for(self, found: UserFound) -> Iterator[str]:
        """A token for this, good in the block."""
        token = secrets.token_urlsafe(16)
        self._found[token] = found
        try:
            yield token
        finally:
            del self._found[token]

    async def authenticate(self, token: str) -> Identity:
        """Raises `BadToken`, and whatever the host's function raised that refuses no user."""
        found = self._found.get(token)
        if found is None:
            raise BadToken("the service proves its users itself: connect again")
        if isinstance(found, outcome.Error) and _refuses(found.error):
            raise BadToken("the service does not know this user") from found.error
        return _identity(found.unwrap())


def _refuses(error: BaseException) -> bool:
    """Whether this is an `HTTPException` of Starlette or FastAPI that refuses a user."""
    return getattr(error, "status_code", None) in (401, 403)


def _identity(found: object) -> Identity:
    """Of what the host's function may return: an `Identity`, a user's id, None for no user."""
    if isinstance(found, Identity):
        return found
    if found is None:
        raise BadToken("the service does not know this user")
    if not isinstance(found, str):
        raise TypeError(
            "`authenticate` must return a user's id, an Identity or None, "
            f"not {type(found).__name__}"
        )
    try:
        return Identity(UserId.parse(found))
    except BadId as error:
        raise BadToken(f"the user must be a user id, not {error.given}") from error
