"""A child that is forked in the middle of a test."""

from __future__ import annotations

import os
from collections.abc import Callable


def in_forked_child(work: Callable[[], object]) -> str:
    """What `work` gives in a child that is forked now, as text."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, str(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(pid, 0)
    with os.fdopen(reading) as told:
        return told.read()
