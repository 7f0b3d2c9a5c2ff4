"""What a forked child does first: it closes its copies of our descriptors, and shares no secret.

`multiprocessing` and `ProcessPoolExecutor` fork by default on Linux (before Python 3.14). A child
has a copy of every descriptor, and a socket or a lock is gone only when its last copy is closed: a
child that outlives its parent would keep the port, the connections and the journal. `subprocess`
is no matter: our descriptors are closed on `exec`, and it forks without these calls.

What is registered with `os.register_at_fork` stays for good. So there is one function for all, and
a weak table of what is in use: the process's own state, as descriptors are.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import trio

from greenroom.actors.guard import call_guarded

T = TypeVar("T")

_in_child: Final[WeakKeyDictionary[Any, Callable[[Any], object]]] = WeakKeyDictionary()
# Any: each owner has the call for its own type


def in_child(owner: T, call: Callable[[T], object]) -> None:
    """Call `call(owner)` first thing in each forked child, for as long as `owner` lives.

    The child has one thread, and any lock may be held by a thread that it does not have: take none.
    The call must change nothing that the parent has too. Closing a descriptor is safe; unlocking
    a file, `shutdown()`, and `epoll_ctl(2)` are not. An owner has one call.
    """
    _in_child[owner] = call


def keep_from_children(given: trio.socket.SocketType | socket.socket) -> None:
    """Have each forked child close its copy of the socket."""
    in_child(given, _close_copy)


def _close_copy(given: trio.socket.SocketType | socket.socket) -> None:
    """`socket.close()` would tell trio, whose epoll is the parent's too."""
    descriptor = given.detach()
    if descriptor >= 0:
        os.close(descriptor)


def _call_all() -> None:
    for owner, call in list(_in_child.items()):
        call_guarded("a forked child could not let go of what is its parent's", call, owner)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_call_all)
