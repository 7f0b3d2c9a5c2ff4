"""Translates the errors of Redis into `JournalError`s."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import attrs
import trio
from coredis import exceptions

from greenroom.actors.text.safe import safe_str
from greenroom.delivery.errors import (
    JournalBusy,
    JournalError,
    JournalFailed,
    JournalFull,
    JournalReadOnly,
    JournalUnreachable,
)
from greenroom.delivery.journal.redis.client import NotReplicated

AWAY: Final = (
    exceptions.ConnectionError,
    exceptions.PrimaryNotFoundError,
    exceptions.StalePrimaryError,
    OSError,
    TimeoutError,
    trio.TooSlowError,
)


@attrs.frozen
class _Meaning:
    """What errors of these types, or with one of these words, mean to callers of the journal."""

    error: type[JournalError]
    says: str
    advice: str
    types: tuple[type[Exception], ...] = ()
    words: tuple[str, ...] = ()

    def is_of(self, error: Exception, said: str) -> bool:
        return isinstance(error, self.types) or any(word in said for word in self.words)


_MEANINGS: Final = (  # the first that is of an error counts
    _Meaning(
        JournalFailed,
        "refuses this service",
        "check the user, the password and its rights: see docs/redis.md",
        (exceptions.AuthenticationError, exceptions.AuthorizationError),
        ("NOPERM", "NOAUTH", "WRONGPASS", "invalid username-password", "ERR AUTH"),
    ),
    _Meaning(
        JournalFull,
        "has no room",
        "raise maxmemory or make room; the journal then continues by itself",
        words=("OOM", "MISCONF"),
    ),
    _Meaning(
        JournalFailed,
        "is a server of a cluster",
        "name it with redis+cluster://: see docs/redis.md",
        (exceptions.MovedError, exceptions.AskError, exceptions.ClusterCrossSlotError),
        ("cluster mode",),
    ),
    _Meaning(
        JournalFailed,
        "is no server of a cluster",
        "name it with redis://",
        words=("cluster support disabled",),
    ),
    _Meaning(
        JournalReadOnly,
        "is a replica",
        "name the primary server, not a replica",
        (exceptions.ReadOnlyError,),
        ("READONLY",),
    ),
    _Meaning(
        JournalUnreachable,
        "waits for its replicas",
        "start them; the journal then continues by itself",
        (NotReplicated,),
    ),
    _Meaning(
        JournalUnreachable,
        "cannot be reached",
        "start it, or mend the network; the journal then continues by itself",
        AWAY,
        ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "non local key"),
    ),
    _Meaning(JournalBusy, "is busy", "try again", words=("BUSY ",)),
)
_OTHERWISE: Final = _Meaning(JournalFailed, "failed", "see the log of the Redis server")


@contextmanager
def in_our_words(where: str) -> Iterator[None]:
    """Raise errors of Redis inside the block as a `JournalError`. `where` names the server, without
    its password."""
    try:
        yield
    except (exceptions.RedisError, *AWAY) as error:
        raise in_words(where, error) from error


def in_words(where: str, error: Exception) -> JournalError:
    """The error that callers of the journal see."""
    said = (safe_str(error).strip() or type(error).__name__).splitlines()[0]
    if (refused := _tls_error(error)) is not None:
        return JournalFailed(
            f"{where} cannot be spoken to with TLS: {refused}",
            advice="name its port for TLS, its host as in its certificate, and ?ssl_ca_certs=FILE",
        )
    means = next((each for each in _MEANINGS if each.is_of(error, said)), _OTHERWISE)
    return means.error(f"{where} {means.says}: {said}{_reason(error)}", advice=means.advice)


def _reason(error: Exception) -> str:
    """Why no connection was made, which coredis leaves to the causes of its error."""
    found: BaseException = error
    while found.__cause__ is not None:
        found = found.__cause__
    if found is error or not isinstance(found, OSError):
        return ""
    if isinstance(found, TimeoutError) and found.strerror is None:
        return ": no answer in time"
    return f": {safe_str(found).rpartition(': ')[2].rpartition('] ')[2]}"


def _tls_error(error: Exception) -> str | None:
    """What TLS said, where it is the reason for that error."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLCertVerificationError):
            return f"{found.reason}: {found.verify_message}".replace("_", " ").lower().rstrip(".")
        if isinstance(found, ssl.SSLError) and found.reason:
            return found.reason.replace("_", " ").lower()
        found = found.__cause__ or found.__context__
    return None
