"""A forked child cannot go on in the trio run of its parent: it is ended there."""

from __future__ import annotations

import logging
import os

import trio

from greenroom.actors.forks.children import in_child

logger = logging.getLogger("greenroom")


class _EndOfChild(trio.abc.Instrument):
    """Ends the process as soon as the task that forked gives way.

    The child has a copy of every task, and the very epoll of its parent: it would take events that
    the parent waits for, and run the `finally` blocks of others. `os._exit` runs none.
    """

    def after_task_step(self, _: trio.lowlevel.Task) -> None:
        self._end()

    def before_io_wait(self, _: float) -> None:
        self._end()

    def _end(self) -> None:
        logger.critical(
            "a forked child has gone on into the runtime of its parent, and is ended: "
            "end such a child with os._exit(), or start it by multiprocessing"
        )
        os._exit(os.EX_SOFTWARE)


def end_children_in_loop(owner: object) -> None:
    """End each child that is forked in a trio task, and awaits or returns there, with exit code 70
    (sysexits.h), for as long as `owner` lives.

    A child that was forked in another thread has no trio run.
    """
    in_child(owner, _end_in_loop)


def _end_in_loop(_: object) -> None:
    if trio.lowlevel.in_trio_run():
        trio.lowlevel.add_instrument(_EndOfChild())
