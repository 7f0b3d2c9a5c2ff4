"""A process that goes on in a forked child, and in another one whenever that is killed.

For `greenroom demo`, whose page has a button that kills the server. A child begins with everything
imported, and ends with its parent, however that ends: a pipe says so.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from types import FrameType
from typing import Final

MOST_KILLS: Final = 5
WITHIN: Final = 10.0
"""It gives up after this many kills within this many seconds: somebody else kills it."""

PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM)


def can_respawn() -> bool:
    """Whether processes fork here: not on Windows."""
    return hasattr(os, "fork")


def respawn_when_killed() -> None:
    """Return in a child; in another one after each SIGKILL. The parent ends as the last one ends.

    SIGINT and SIGTERM are passed on to the child. Call it before any thread runs.
    """
    sys.stdout.flush()
    before = {each: signal.getsignal(each) for each in PASSED_ON}
    kills: deque[float] = deque(maxlen=MOST_KILLS)
    while (pid := _fork_tied()) != 0:
        status = _wait(pid)
        if not _was_killed(status) or are_too_many(kills, time.monotonic()):
            os._exit(_exit_code(status))
    for number, handler in before.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)


def _fork_tied() -> int:
    """Fork, with those signals blocked on both sides; the child ends when its parent is gone."""
    ours, theirs = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    if (pid := os.fork()) != 0:
        os.close(ours)  # the other end stays open until this process ends
        return pid
    os.close(theirs)
    os.setpgid(0, 0)  # Ctrl-C reaches the parent alone, which passes it on once
    threading.Thread(target=_end_with_parent, args=(ours,), daemon=True).start()
    return 0


def _end_with_parent(pipe: int) -> None:
    os.read(pipe, 1)  # nothing is written: it returns when the other end is closed
    os._exit(os.EX_UNAVAILABLE)


def _wait(pid: int) -> int:
    def pass_on(number: int, _: FrameType | None) -> None:
        os.kill(pid, number)

    for each in PASSED_ON:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    _, status = os.waitpid(pid, 0)
    return status


def _was_killed(status: int) -> bool:
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def are_too_many(kills: deque[float], now: float) -> bool:
    """Note a kill. Whether the last `MOST_KILLS` came within `WITHIN` seconds."""
    kills.append(now)
    return len(kills) == MOST_KILLS and now - kills[0] < WITHIN


def _exit_code(status: int) -> int:
    """As a shell has it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
