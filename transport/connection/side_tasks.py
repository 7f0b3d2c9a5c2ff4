"""Tasks of a connection beside the one that reads: few connections ever have any."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from types import TracebackType

import trio

from greenroom.actors.exit import must_go_on
from greenroom.actors.guard import log_failure

logger = logging.getLogger("greenroom.transport")


class SideTasks:
    """Starts tasks for the length of a block. They are cancelled with it, and it with them.

    They live in the nursery of the block's own task: a nursery that is open and empty takes 4 KiB
    for each connection. Hence no error may leave them: it ends the block instead, and is raised
    there; it is logged if the block has ended. The block does not wait for its tasks: one that
    shields itself from cancellation outlives it, until its own end.
    """

    __slots__ = ("_error", "_has_ended", "_nursery", "_scopes", "scope")

    def __init__(self) -> None:
        nursery = trio.lowlevel.current_task().parent_nursery
        assert nursery is not None, "only the init task of trio has no nursery"
        self._nursery: trio.Nursery = nursery
        self._scopes: list[trio.CancelScope] = []
        self._error: BaseException | None = None
        self._has_ended = False
        self.scope = trio.CancelScope()
        """The block's."""

    def __enter__(self) -> SideTasks:
        self.scope.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self._has_ended = True
        for scope in self._scopes:
            scope.cancel()
        is_absorbed = self.scope.__exit__(kind, error, trace)
        failed, self._error = self._error, None
        if failed is not None:
            raise failed
        return is_absorbed

    def start_soon(self, function: Callable[[], Awaitable[object]], /) -> None:
        """Start a task, in the context of the caller. Call it while the block lasts."""
        scope = trio.CancelScope()
        self._scopes.append(scope)
        self._nursery.start_soon(self._run, scope, function)

    async def _run(
        self, scope: trio.CancelScope, function: Callable[[], Awaitable[object]]
    ) -> None:
        try:
            with scope:
                await function()
        except BaseException as error:
            if must_go_on(error):
                raise
            if self._has_ended:
                log_failure(logger, error, "a task of a connection that has ended failed")
            else:
                self._error = self._error or error
                self.scope.cancel()
        finally:
            self._scopes.remove(scope)
