"""The block of a remote run: its tasks, and how it ends."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final, TypeVar

import anyio
from anyio.abc import TaskGroup

from greenroom.actors.errors import GreenroomError
from greenroom.actors.text.safe import safe_str, type_name
from greenroom.delivery.errors import RunStopped, RunTimedOut
from greenroom.delivery.events.kinds import JSON
from greenroom.remote.lane import RemoteLane
from greenroom.remote.life import LAST_SECONDS, RemoteLife
from greenroom.remote.requests import Asking
from greenroom.services.problems import RunOver

R = TypeVar("R")

TRACE_CHARACTERS: Final = 16_000

logger = logging.getLogger("greenroom.remote")


class Running(AbstractAsyncContextManager[R]):
    """Begins a run when it is entered. However the block ends, the run ends for the user."""

    def __init__(
        self,
        requests: Asking,
        body: Mapping[str, JSON],
        key: str,
        make: Callable[[RemoteLife], R],
        after: RemoteLane | None = None,
    ) -> None:
        """`make` makes the run of its life; `after`: a lane that must be empty before."""
        self._requests = requests
        self._body = body
        self._key = key
        self._make = make
        self._after = after
        self._tasks: TaskGroup
        self._life: RemoteLife

    async def __aenter__(self) -> R:
        if self._after is not None:
            await self._after.flushed()
        begun = await self._requests.post("/api/runs", dict(self._body), self._key)
        if begun["state"] != "running":
            raise RunOver(
                f"run {begun['run']} of this key has ended ({begun['state']})",
                advice="use a new key to begin another run",
            )
        self._life = life = RemoteLife(self._requests, begun)
        run = self._make(life)
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(life.watch)
        self._tasks.start_soon(life.lane.serve)
        life.scope.__enter__()
        return run

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """The error of the block stays the error of the block: it passes by the task group."""
        life = self._life
        left = life.scope.__exit__(kind, error, trace)
        swallowed = error is not None and bool(left)
        try:
            with anyio.CancelScope(shield=True, deadline=anyio.current_time() + LAST_SECONDS):
                await self._end(None if swallowed else error, swallowed=swallowed)
        finally:
            self._tasks.cancel_scope.cancel()
            try:
                await self._tasks.__aexit__(None, None, None)
            finally:
                life.close()
        if error is None or swallowed:
            self._raise_if_stopped()
        return swallowed

    async def _end(self, error: BaseException | None, *, swallowed: bool) -> None:
        life = self._life
        if life.ended:
            return
        try:
            if not swallowed:
                await life.lane.flushed()
            await life.end_as(self._words_of(error, swallowed=swallowed))
        except GreenroomError as failed:
            if error is None:
                raise
            logger.warning("%s could not be ended: %s", life.path, failed)

    def _words_of(self, error: BaseException | None, *, swallowed: bool) -> dict[str, JSON]:
        if isinstance(error, Exception):
            return {"outcome": "failed", "failure": failure_of(error)}
        if error is not None:  # cancelled from outside, or the process is asked to end
            return {"outcome": "lost"}
        return {"outcome": "cancelled" if swallowed else "completed"}

    def _raise_if_stopped(self) -> None:
        state = self._life.state["state"]
        if state == "timed_out":
            raise RunTimedOut(str(self._life.state["failure"]["message"]))
        if state == "lost":
            raise RunStopped("the run was lost", advice="begin another run")


def failure_of(error: BaseException) -> JSON:
    """What the server keeps of an error of this process."""
    trace = "".join(traceback.format_exception(error))[-TRACE_CHARACTERS:]
    return {
        "error": type_name(error),
        "message": safe_str(error, TRACE_CHARACTERS),
        "traceback": trace.encode("utf-8", "backslashreplace").decode(),
    }
