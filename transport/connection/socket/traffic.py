"""The bytes of a socket: how many came, how many left, how many wait to leave."""

from __future__ import annotations

import struct
import sys

import attrs
import trio

if sys.platform == "linux":
    import fcntl
    import termios

SLOWEST = 4 * 1024
"""Bytes a second. The server does not wait for a slower link."""

HIDDEN_BYTES = 256 * 1024
"""What a proxy, and a peer's own system, may hold of what left here and its program has not got."""


@attrs.frozen
class Traffic:
    """The bytes of a socket up to one moment."""

    came: int = 0
    left: int = 0
    waiting: int = 0

    def drained_since(self, before: Traffic) -> bool:
        """Whether some of a backlog has left.

        Less than a second's worth does not count: it goes to buffers of the peer's system, whether
        its program reads or not, and proves no life.
        """
        return before.waiting >= SLOWEST and self.left > before.left


def unsent(stream: trio.abc.Stream) -> int:
    """Bytes that the system took and the peer's has not acknowledged; 0 where that is not known.

    tcp(7), SIOCOUTQ. Without it a slow link is seen only as slow writes.
    """
    if sys.platform != "linux" or not isinstance(stream, trio.SocketStream):
        return 0
    descriptor = stream.socket.fileno()
    if descriptor < 0:  # it is closed
        return 0
    queued = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
    (count,) = struct.unpack("i", queued)
    return int(count)
