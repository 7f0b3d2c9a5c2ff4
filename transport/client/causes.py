"""Why a client cannot connect: which causes are final, and which are logged once and retried."""

from __future__ import annotations

import logging

from greenroom.actors.text.escaping import one_line
from greenroom.actors.text.safe import safe_str
from greenroom.transport.client.handshake import CannotConnect, Refused
from greenroom.transport.client.token import NoToken

MOST_REFUSALS = 5
"""Refusals of tokens in a row after which a refusal is final."""

UNAUTHORIZED = 401

logger = logging.getLogger("greenroom.client")


class Causes:
    """Counts and logs the causes of failed attempts to connect."""

    def __init__(self) -> None:
        self._was_there = False
        self._refusals = 0
        self._logged: str | None = None

    def is_there(self) -> None:
        """Note that a session is ready: the next failure is logged, and counted, from the start."""
        self._was_there, self._refusals, self._logged = True, 0, None

    def explain(self, error: NoToken | CannotConnect | Refused | OSError, *, retoken: bool) -> str:
        """Return in words why an attempt failed; log them as a warning if the cause is new.

        `retoken`: the next attempt brings another token. Raises the error if it is final.
        """
        if self._is_final(error, retoken):
            raise error
        cause = _with_causes(error)
        if cause != self._logged:
            logger.warning("cannot connect, trying again: %s", one_line(cause))
        self._logged = cause
        return cause

    def _is_final(self, error: Exception, retoken: bool) -> bool:
        """A server that answered once may be away for now, with something else in its place."""
        if isinstance(error, Refused) and error.is_for_now:
            return False
        if isinstance(error, Refused) and error.status >= 400:
            self._refusals += 1
            may_pass = error.status == UNAUTHORIZED and retoken
            return not may_pass or self._refusals >= MOST_REFUSALS
        return isinstance(error, CannotConnect | Refused) and not self._was_there


def _with_causes(error: BaseException) -> str:
    """trio wraps the errors of all addresses."""
    causes = [safe_str(error)]
    cause = error.__cause__
    while isinstance(cause, BaseExceptionGroup) and cause.exceptions:
        cause = cause.exceptions[0]
    if isinstance(error, OSError) and isinstance(cause, OSError):
        causes.append(safe_str(cause))
    return ": ".join(dict.fromkeys(causes))
