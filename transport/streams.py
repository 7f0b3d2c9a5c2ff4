"""Answers that go on: each is served as a child of the tree, for as long as its client reads.

What writes an answer bounds how many there are, and ends it when the server drains.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import trio

from greenroom.supervisor.child_spec import ChildSpec, Restart
from greenroom.supervisor.dynamic_supervisor import DynamicSupervisorRef
from greenroom.transport.events.streaming import Streaming


@attrs.frozen
class Streams:
    """Serves them below a supervisor, which is asked for when the first one comes; without one,
    where they came in."""

    supervisor: Callable[[], Awaitable[DynamicSupervisorRef]] | None = None

    async def take(self, streaming: Streaming) -> None:
        """Serve it."""
        if self.supervisor is None:
            return await streaming.serve()
        start = partial(self._live, streaming)
        spec = ChildSpec(f"stream:{id(streaming)}", start, Restart.TEMPORARY)
        await (await self.supervisor()).start_child(spec)
        return None

    async def _live(self, streaming: Streaming, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await streaming.serve()
