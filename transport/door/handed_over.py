"""Sockets that a service manager opened and handed over: systemd's socket activation.

sd_listen_fds(3): the descriptors begin at 3, `LISTEN_FDS` is their number, and `LISTEN_PID` the
process that they are for. The manager keeps the socket over restarts: connections that come while
no server accepts wait in its queue.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import ExitStack

from greenroom.transport.door.listeners import CannotListen

FIRST = 3
VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
MOST_SOCKETS = 64
HOW_TO = "the socket unit must have ListenStream= with a port, and Accept=no"


def take_handed_over(
    environ: MutableMapping[str, str], *, pid: int | None = None, first: int = FIRST
) -> tuple[socket.socket, ...]:
    """The listening sockets that are handed to this process; none if there are none.

    Takes the variables out of `environ`, so that no process that this one starts believes them.
    Raises `CannotListen` if a descriptor is no listening TCP socket.
    """
    given = {name: environ.pop(name) for name in VARIABLES if name in environ}
    if given.get("LISTEN_PID") != str(os.getpid() if pid is None else pid):
        return ()
    with ExitStack() as undo:
        descriptors = range(first, first + _count(given.get("LISTEN_FDS", "")))
        sockets = [undo.enter_context(_opened(each)) for each in descriptors]
        for each in sockets:
            _check(each)
        undo.pop_all()
    return tuple(sockets)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 4 and int(text) <= MOST_SOCKETS):
        raise CannotListen(
            f"LISTEN_FDS must be a number of sockets up to {MOST_SOCKETS}, not {text!r:.20}"
        )
    return int(text)


def _opened(descriptor: int) -> socket.socket:
    try:
        given = socket.socket(fileno=descriptor)
    except OSError as error:
        raise _refused(descriptor, f"is no open socket: {error.strerror}") from error
    given.set_inheritable(False)
    return given


def _check(given: socket.socket) -> None:
    family, kind = given.family, given.type
    if family not in (socket.AF_INET, socket.AF_INET6) or kind != socket.SOCK_STREAM:
        raise _refused(given.fileno(), f"is no TCP socket, but {family.name}, {kind.name}")
    if not given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise _refused(given.fileno(), "does not listen")


def _refused(descriptor: int, why: str) -> CannotListen:
    return CannotListen(f"descriptor {descriptor}, which was handed over, {why}", advice=HOW_TO)
