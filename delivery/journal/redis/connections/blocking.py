"""A connection on which the journal's thread waits for each answer itself.

A call into coredis's own trio run and back takes some thousand Python calls and several turns of
its scheduler: a hundred times the CPU of this, in each commit of each node.
"""

from __future__ import annotations

import hashlib
import select
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, Final, TypeVar

from coredis.exceptions import ConnectionError as Disconnected
from coredis.exceptions import NoScriptError, ReadOnlyError, RedisError, ResponseError
from coredis.parser import NotEnoughData, Parser

from greenroom.delivery.journal.redis.connections.address import Endpoint, RedisAddress
from greenroom.delivery.journal.redis.connections.connecting import ANSWER_SECONDS

R = TypeVar("R")

_CHUNK: Final = 1 << 18


class WaitFailed(Exception):
    """The script was carried out, and the command after it was refused."""


class BlockingConnection:
    """Connects when it is needed, to where `locate` says; what broke is not sent again by itself.
    Used by one thread at a time: others wait. Raises coredis's errors."""

    def __init__(self, address: RedisAddress, locate: Callable[[], Endpoint]) -> None:
        self._address = address
        self._locate = locate
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._parser = Parser()

    def run(self, script: str, keys: Sequence[str], arguments: Iterable[Any], *after: Any) -> Any:
        """The answer of a script, which Redis is sent once; if `after` is a command, that of the
        script and that of the command."""
        words = (len(keys), *keys, *arguments)
        with self._lock:
            try:
                answer = self._ask(b"EVALSHA", _name_of(script), *words)
            except NoScriptError:
                answer = self._ask(b"EVAL", script, *words)
            if not after:
                return answer
            try:
                return answer, self._on_open(partial(self._answer_to, after))
            except ResponseError as error:
                raise WaitFailed(str(error)) from error

    def ask(self, *words: Any) -> Any:
        """The answer of a command."""
        with self._lock:
            return self._ask(*words)

    def messages(self, channel: str) -> Iterator[bytes]:
        """What arrives on a channel, until the connection breaks or nothing came for a while."""
        self.ask(b"SUBSCRIBE", channel)
        while True:
            yield self._on_open(self._next)[-1]

    def close(self) -> None:
        """On any thread; who waits for an answer meets `Disconnected`."""
        found, self._socket = self._socket, None
        if found is not None:
            with suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)
            found.close()

    def _ask(self, *words: Any) -> Any:
        if self._is_idle_and_over():
            self.close()
        if self._socket is None:
            self._on_open(self._connect)
        return self._on_open(partial(self._answer_to, words))

    def _on_open(self, do: Callable[[], R]) -> R:
        """Whatever is wrong with the connection ends it."""
        try:
            return do()
        except (OSError, EOFError) as error:  # TimeoutError is an OSError
            self.close()
            raise Disconnected(f"the connection is lost: {error}") from error
        except ReadOnlyError:
            self.close()  # another server is the primary now
            raise

    def _is_idle_and_over(self) -> bool:
        """Whether the server has closed it: it says nothing unasked."""
        if self._socket is None:
            return False
        reading = select.poll()  # its descriptor may be too high for `select`
        reading.register(self._socket, select.POLLIN)
        return bool(reading.poll(0))

    def _connect(self) -> None:
        address, endpoint = self._address, self._locate()
        plain = socket.create_connection((endpoint.host, endpoint.port), ANSWER_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser, self._socket = Parser(), plain
        if address.tls is not None:
            self._socket = address.tls.wrap_socket(plain, server_hostname=endpoint.host)
        try:
            if address.password is not None or address.user is not None:
                self._answer_to((b"AUTH", address.user or "default", address.password or ""))
            if address.database:
                self._answer_to((b"SELECT", address.database))
        except RedisError:
            self.close()  # without them it must not be used
            raise

    def _answer_to(self, words: Iterable[Any]) -> Any:
        self._open().sendall(_packed(words))
        return self._next()

    def _next(self) -> Any:
        while isinstance(found := self._parser.parse(decode=False), NotEnoughData):
            if not (data := self._open().recv(_CHUNK)):
                raise EOFError("Redis closed it")
            self._parser.feed(data)
        if isinstance(found[1], RedisError):
            raise found[1]
        return found[1]

    def _open(self) -> socket.socket:
        """Another thread may close it."""
        if self._socket is None:
            raise EOFError("it was closed")
        return self._socket


@lru_cache(maxsize=64)  # there are a dozen, and each commit runs one
def _name_of(script: str) -> bytes:
    return hashlib.sha1(script.encode()).hexdigest().encode()  # EVALSHA's


def _packed(words: Iterable[Any]) -> bytes:
    """https://redis.io/docs/latest/develop/reference/protocol-spec/"""
    parts = [each if isinstance(each, bytes) else str(each).encode() for each in words]
    return b"*%d\r\n%b" % (len(parts), b"".join([b"$%d\r\n%b\r\n" % (len(p), p) for p in parts]))
