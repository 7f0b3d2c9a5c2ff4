"""Listening sockets: how they are opened, and the child of the tree that accepts from them."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import attrs
import trio

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.actors.forks.children import keep_from_children
from greenroom.supervisor.child_spec import ChildSpec

logger = logging.getLogger("greenroom.transport")

OUT_OF_HANDLES = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}
BREATH_SECONDS = 0.1
WELCOME_SECONDS = 2.0
"""Seconds that sockets have to be welcomed which were accepted before accepting ended."""


class PortBusy(GreenroomError):
    """Another process listens on the port."""

    fault = Fault.OPERATOR
    temporary = True


class CannotListen(GreenroomError):
    """The server cannot listen on the address: it is another machine's, forbidden, or malformed; or
    a socket that was handed over is no listening TCP socket."""

    fault = Fault.OPERATOR


class ListeningPlace(Protocol):
    """Where to listen."""

    async def open(self) -> list[trio.SocketListener]:
        """New listeners, as many as there are addresses."""


@attrs.define
class Address:
    """Listens at a host, all its addresses. A port of 0 becomes a free one, and stays it."""

    host: str
    port: int

    async def open(self) -> list[trio.SocketListener]:
        """Raises `PortBusy` or `CannotListen`."""
        listeners = await open_listeners(self.host, self.port)
        self.port = port_of(listeners)
        return listeners


@attrs.frozen
class OpenSockets:
    """Accepts from sockets that listen already. They are left open: whoever opened them may accept
    from them later, and no client is refused meanwhile."""

    sockets: Sequence[socket.socket]

    async def open(self) -> list[trio.SocketListener]:
        return [trio.SocketListener(_own(each)) for each in self.sockets]


class Listeners:
    """The child of the tree that accepts, and hands each socket to `welcome`."""

    def __init__(
        self, place: ListeningPlace, welcome: Callable[[trio.abc.Stream], Awaitable[None]]
    ) -> None:
        self._place = place
        self._welcome = welcome
        self._accepting = trio.CancelScope()
        self._all_welcomed = trio.Event()

    @property
    def spec(self) -> ChildSpec:
        """The child's spec; its value is the port, which stays the same after a restart.

        Stopping it closes the listening sockets and drops handshakes, and nothing else.
        """
        return ChildSpec("listeners", self._run)

    async def finish(self, patience: float = WELCOME_SECONDS) -> None:
        """Accept no more. What was accepted has `patience` seconds to be welcomed."""
        self._accepting.cancel()
        with trio.move_on_after(patience):
            await self._all_welcomed.wait()

    async def _run(self, *, task_status: trio.TaskStatus[object]) -> None:
        listeners = await self._place.open()
        port = port_of(listeners)
        async with trio.open_nursery() as handshakes:
            with trio.CancelScope() as self._accepting:
                async with trio.open_nursery() as accepting:
                    for listener in listeners:
                        accepting.start_soon(self._accept, listener, handshakes)
                    task_status.started(port)
        self._all_welcomed.set()
        await trio.sleep_forever()  # a child that ends is started again

    async def _accept(self, listener: trio.SocketListener, handshakes: trio.Nursery) -> None:
        keep_from_children(listener.socket)
        async with listener:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:
                    if error.errno not in OUT_OF_HANDLES:
                        raise
                    logger.error("cannot accept a socket now: %s", error)
                    await trio.sleep(BREATH_SECONDS)
                else:
                    keep_from_children(stream.socket)
                    handshakes.start_soon(self._welcome, stream)


async def open_listeners(host: str, port: int) -> list[trio.SocketListener]:
    """Listen on `host`, all its addresses. Raises `PortBusy` or `CannotListen`."""
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        if _has_errno(error, errno.EADDRINUSE):
            raise PortBusy(
                f"port {port} of {host} is in use",
                advice="stop the process that listens there, or choose another with --port",
            ) from error
        raise CannotListen(
            f"cannot listen on {host}, port {port}: {error.strerror or error}"
        ) from error


def port_of(listeners: Sequence[trio.SocketListener]) -> int:
    """The port of the first one."""
    port: int = listeners[0].socket.getsockname()[1]
    return port


def _own(given: socket.socket) -> trio.socket.SocketType:
    """A descriptor of our own for the same socket: it may be closed, and the other one stays."""
    return trio.socket.from_stdlib_socket(given.dup())


def _has_errno(error: BaseException | None, number: int) -> bool:
    """Trio wraps the errors of all addresses in one `OSError`: look into its causes."""
    if isinstance(error, BaseExceptionGroup):
        return any(_has_errno(each, number) for each in error.exceptions)
    if isinstance(error, OSError) and error.errno == number:
        return True
    return error is not None and _has_errno(error.__cause__, number)
