"""A TCP path to a server, with what befalls paths: silence, slowness, a proxy's own words."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

READ_BYTES = 16 * 1024
SLOW_BUFFER = 8 * 1024
STEPS = 20  # a second, on a slow path


class StallingPath:
    """Carries bytes between its port and the server's. Made by `stalling_path`."""

    def __init__(self, listener: socket.socket, port: int) -> None:
        self._listener, self._far_port = listener, port
        self._port: int = listener.getsockname()[1]
        self._flows: list[threading.Event] = []
        self._sockets: list[socket.socket] = []
        self._is_shut = False
        self._answers: dict[bytes, bytes] = {}
        self.bytes_per_second: int | None = None
        """How fast the server's bytes come through, None for at once."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/"

    def stall(self) -> None:
        """Connections so far carry nothing more, and nobody is told. Later ones do."""
        for flow in self._flows:
            flow.clear()

    def cut(self) -> None:
        """Connections so far are reset, and later ones at once, until `mend`."""
        self._is_shut = True
        self._close_all()

    def answer(self, start: str, status: str, content_type: str, body: str) -> None:
        """Later connections whose request starts so get this answer, as from a proxy."""
        head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nConnection: close"
        self._answers[start.encode()] = f"{head}\r\n\r\n{body}".encode()

    def mend(self) -> None:
        self._is_shut = False
        self._answers = {}

    def serve(self) -> None:
        """Accept until the listener is closed."""
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._carry(near)

    def end(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._close_all()

    def _carry(self, near: socket.socket) -> None:
        try:
            if self._is_shut or self._is_answered(near):
                raise ConnectionRefusedError
            far = self._connect()
        except OSError:
            near.close()
            return
        flows = threading.Event()
        flows.set()
        self._flows.append(flows)
        self._sockets += [near, far]
        for source, sink, rate in ((near, far, None), (far, near, self.bytes_per_second)):
            threading.Thread(target=_pump, args=(source, sink, flows, rate), daemon=True).start()

    def _connect(self) -> socket.socket:
        far = socket.socket()
        if self.bytes_per_second is not None:  # no buffer takes it all at once
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
        try:
            far.connect(("127.0.0.1", self._far_port))
        except OSError:  # the server is away
            far.close()
            raise
        return far

    def _is_answered(self, near: socket.socket) -> bool:
        if not self._answers:
            return False
        request = near.recv(READ_BYTES, socket.MSG_PEEK)
        for start, answer in self._answers.items():
            if request.startswith(start):
                near.recv(READ_BYTES)
                near.sendall(answer)
                return True
        return False

    def _close_all(self) -> None:
        for flow in self._flows:
            flow.set()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._flows, self._sockets = [], []


def _pump(
    source: socket.socket, sink: socket.socket, flows: threading.Event, rate: int | None
) -> None:
    with suppress(OSError):
        while data := source.recv(READ_BYTES if rate is None else rate // STEPS):
            flows.wait()
            sink.sendall(data)
            if rate is not None:
                time.sleep(1 / STEPS)
    with suppress(OSError):
        if flows.is_set():
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def stalling_path(port: int) -> Iterator[StallingPath]:
    """A path to the server at `port` of this machine."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        path = StallingPath(listener, port)
        thread = threading.Thread(target=path.serve, daemon=True)
        thread.start()
        try:
            yield path
        finally:
            path.end()
            thread.join()
