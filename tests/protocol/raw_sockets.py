"""Sockets below the client library: for what it would not send, and for ends it would not make."""

from __future__ import annotations

import socket
import struct

UPGRADE = (
    "GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: greenroom.v1\r\n"
)


def tcp(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def upgraded(port: int, token: str) -> tuple[socket.socket | None, int]:
    """A socket that was upgraded, and 101; or None, and the status of the refusal."""
    peer = tcp(port)
    peer.sendall(f"{UPGRADE}Authorization: Bearer {token}\r\n\r\n".encode())
    status = int(peer.recv(4096).split()[1])
    if status == 101:
        return peer, status
    peer.close()
    return None, status


def vanish(peer: socket.socket) -> None:
    """Reset the connection, as a phone does that loses its network and comes back elsewhere."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
