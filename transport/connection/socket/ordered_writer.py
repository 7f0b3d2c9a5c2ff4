"""What writes a connection's bytes: in the order given, and without waiting."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

PIECE_BYTES = 32 * 1024
"""Bytes written at once to a stream that is not a socket, so that a long write shows progress."""


class Starter(Protocol):
    """What starts tasks: a nursery, or what is like one."""

    def start_soon(self, function: Callable[[], Awaitable[object]], /) -> None: ...


class OrderedWriter:
    """Writes data to a stream in the order of the calls, whichever tasks make them.

    `write` never waits: what does not go at once is kept, and `flush` waits for it. With a
    `nursery`, a task that flushes lives for as long as something is kept. `given` and `taken` count
    the bytes that were written, and those of them that are with the system. `stalled_since`: when
    what is kept last moved. `is_broken`: nothing more can be written. `on_progress` is called,
    maybe in another task, when what is kept has moved, and when the stream breaks; it must not
    raise. More than `slack` bytes that wait make a client late. It keeps any amount of data: the
    caller must bound `waiting`.
    """

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._rest = bytearray()
        self._turn: trio.Lock | None = None
        self._watchers: trio.lowlevel.ParkingLot | None = None
        self._flushes = False
        self.nursery: Starter | None = None
        self.slack = 0
        self.on_progress: Callable[[], None] | None = None
        self.given = self.taken = 0
        self.stalled_since: float | None = None
        self.is_broken = False

    @property
    def waiting(self) -> int:
        """The bytes that are kept."""
        return len(self._rest)

    def write(self, data: bytes) -> None:
        """Write these bytes, or keep them. Does nothing once the stream is broken."""
        if self.is_broken:
            return
        size = len(data)
        self.given += size
        if self._rest:
            self._rest += data
            return
        sent = self._give(data)
        self.taken += sent
        if sent < size and not self.is_broken:
            self._keep(memoryview(data)[sent:])

    async def flush(self) -> None:
        """Wait until all that was written so far is with the system.

        If it is cancelled, a socket's bytes stay kept, and any other stream is broken. Raises
        `trio.BrokenResourceError` or `trio.ClosedResourceError`. It is a checkpoint only if it has
        to wait.
        """
        end = self.given
        while self.taken < end:
            if self.is_broken:
                raise trio.BrokenResourceError
            self._turn = self._turn or trio.Lock()
            async with self._turn:
                if self.taken < end and not self.is_broken:
                    await self._go_on()

    async def wait_taken(self) -> None:
        """Wait until all that was written so far is with the system, or the stream is broken.

        Leaves the writing to the task of the `nursery`: so nothing breaks if it is cancelled. It is
        a checkpoint only if it has to wait.
        """
        end = self.given
        while self.taken < end and not self.is_broken:
            if self._watchers is None:
                self._watchers = trio.lowlevel.ParkingLot()
            await self._watchers.park()

    def _give(self, data: bytes | bytearray) -> int:
        """How much of it went at once: nothing, for any stream that may have to wait."""
        return 0

    async def _go_on(self) -> None:
        """Hand a piece to the stream. If that is cancelled, it is unknown how much of it has left,
        so nothing may follow it: a frame would be read as the rest of the one that was cut off."""
        piece = bytes(self._rest[:PIECE_BYTES])
        try:
            await self._stream.send_all(piece)
        except BaseException:
            self._break()
            raise
        self._took(len(piece))

    def _keep(self, data: memoryview) -> None:
        self._rest += data
        self.stalled_since = trio.current_time()
        if self.nursery is not None and not self._flushes:
            self._flushes = True
            self.nursery.start_soon(self._flush_all)

    async def _flush_all(self) -> None:
        try:
            while self._rest:
                await self.flush()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._break()
        finally:
            self._flushes = False

    def _took(self, count: int) -> None:
        """So much of what was kept is with the system."""
        self.taken += count
        del self._rest[:count]
        self.stalled_since = trio.current_time() if self._rest else None
        self._tell()

    def _break(self) -> None:
        if not self.is_broken:
            self.is_broken, self.stalled_since = True, None
            self._rest.clear()
            self._tell()

    def _tell(self) -> None:
        if self._watchers is not None:
            self._watchers.unpark_all()
        if self.on_progress is not None:
            self.on_progress()


class SocketWriter(OrderedWriter):
    """Writes to a socket of the system, which takes at once what it has room for."""

    def __init__(self, stream: trio.SocketStream) -> None:
        super().__init__(stream)
        self._socket = stream.socket

    def _give(self, data: bytes | bytearray) -> int:
        """The descriptor is asked for each time: after a close its number may be another user's."""
        descriptor = self._socket.fileno()
        if descriptor < 0:
            self._break()
            return 0
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            return 0
        except OSError:
            self._break()
            return 0

    async def _go_on(self) -> None:
        """Cancelled, it has taken nothing."""
        if self._socket.fileno() < 0:
            raise trio.ClosedResourceError
        await trio.lowlevel.wait_writable(self._socket)
        if sent := self._give(self._rest):
            self._took(sent)


def writer_of(stream: trio.abc.Stream) -> OrderedWriter:
    """The writer for a stream."""
    if sys.platform != "win32" and isinstance(stream, trio.SocketStream):
        return SocketWriter(stream)  # on Windows, no descriptor of a file is one of a socket
    return OrderedWriter(stream)
