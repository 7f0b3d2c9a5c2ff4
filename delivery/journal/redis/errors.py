"""Translates the errors of Redis into `JournalError`s."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

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
_IN_A_CLUSTER: Final = (
    exceptions.MovedError,
    exceptions.AskError,
    exceptions.ClusterCrossSlotError,
)
_REFUSED: Final = ("NOPERM", "NOAUTH", "WRONGPASS", "invalid username-password", "ERR AUTH")
_FULL: Final = ("OOM", "MISCONF")
_AWAY: Final = ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS")


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
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError) or any(
        word in said for word in _REFUSED
    ):
        return JournalFailed(
            f"{where} refuses this service: {said}",
            advice="check the user, the password and its rights: see docs/redis.md",
        )
    if any(word in said for word in _FULL):
        return JournalFull(
            f"{where} has no room: {said}",
            advice="raise maxmemory or make room; the journal then continues by itself",
        )
    if isinstance(error, _IN_A_CLUSTER) or "cluster mode" in said:
        return JournalFailed(
            f"{where} is a server of a cluster: {said}",
            advice="name it with redis+cluster://: see docs/redis.md",
        )
    if "cluster support disabled" in said:
        return JournalFailed(
            f"{where} is no server of a cluster: {said}", advice="name it with redis://"
        )
    if isinstance(error, exceptions.ReadOnlyError) or "READONLY" in said:
        return JournalReadOnly(
            f"{where} is a replica: {said}", advice="name the primary server, not a replica"
        )
    if (refused := _tls_error(error)) is not None:
        return JournalFailed(
            f"{where} cannot be spoken to with TLS: {refused}",
            advice="name its port for TLS, its host as in its certificate, and ?ssl_ca_certs=FILE",
        )
    if isinstance(error, NotReplicated):
        return JournalUnreachable(
            f"{where} waits for its replicas: {said}",
            advice="start them; the journal then continues by itself",
        )
    if isinstance(error, AWAY) or any(word in said for word in _AWAY):
        return JournalUnreachable(
            f"{where} cannot be reached: {said}",
            advice="start it, or mend the network; the journal then continues by itself",
        )
    if "BUSY " in said:
        return JournalBusy(f"{where} is busy: {said}", advice="try again")
    return JournalFailed(f"{where} failed: {said}", advice="see the log of the Redis server")


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
