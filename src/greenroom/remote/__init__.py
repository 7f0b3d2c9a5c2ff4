"""Speak to users from another process, over HTTP: `greenroom.remote.connect(url, token)`.

Works on trio and on asyncio. A run has the methods of `greenroom.Run`; see docs/remote.md.
Needs the extra: `pip install greenroom[remote]`.
"""

from greenroom.remote.errors import NotAnswered, RemoteError
from greenroom.remote.receipt import RemoteReceipt
from greenroom.remote.run import RemoteRun
from greenroom.remote.server import RemoteServer, connect
from greenroom.remote.text import RemoteText

__all__ = [
    "NotAnswered",
    "RemoteError",
    "RemoteReceipt",
    "RemoteRun",
    "RemoteServer",
    "RemoteText",
    "connect",
]
