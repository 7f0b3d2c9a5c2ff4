"""A wire to a database server that loses an answer on purpose."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_COMMIT: Final = b"COMMIT"


class CutWire:
    """Passes bytes on between `port` and the server's socket. Armed, it cuts the connection over
    which the next commit goes: before the server has it, or after, so that its answer is lost."""

    def __init__(self, server: str | tuple[str, int], commit: bytes = _COMMIT) -> None:
        """`server`: its socket's path, or its address. `commit`: what only a commit contains."""
        self._server = server
        self._commit = commit
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._armed: str | None = None
        self.cuts = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def cut_next_commit(self, when: str) -> None:
        """`when`: "before" or "after"."""
        self._armed = when

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        for each in self._sockets:
            _shut(each)
        for thread in self._threads:
            thread.join()
        for each in (self._listening, *self._sockets):
            each.close()

    def _start(self, function: Callable[..., None], *arguments: socket.socket) -> None:
        self._threads.append(threading.Thread(target=function, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                is_local = isinstance(self._server, str)
                server = socket.socket(socket.AF_UNIX if is_local else socket.AF_INET)
                server.connect(self._server)
                self._sockets += (client, server)
                self._start(self._pass_on, client, server)
                self._start(self._pass_on, server, client)

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if self._armed is not None and self._commit in data:
                    self._cut(data, one, other)
                    return
                other.sendall(data)
        _shut(one)
        _shut(other)

    def _cut(self, data: bytes, client: socket.socket, server: socket.socket) -> None:
        when, self._armed = self._armed, None
        self.cuts += 1
        _shut(client)
        if when == "after":
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)  # what came before is still read


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
