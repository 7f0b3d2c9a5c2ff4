"""Two ends of a socket of the system, as streams."""

import socket

import trio


def socket_pair(*, buffer: int | None = None) -> tuple[trio.SocketStream, trio.SocketStream]:
    """Connected streams. With a `buffer`, the system takes little that is not read."""
    ends = socket.socketpair()
    for end in ends if buffer else ():
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer or 0)
    ours, theirs = [trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in ends]
    return ours, theirs
