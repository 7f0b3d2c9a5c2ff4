"""The connections of programs: each is served as a child of the tree, and their number is bounded.

They outlive the listeners: while a server drains, a program ends its runs on the connection that it
has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import trio

from greenroom.supervisor.child_spec import ChildSpec, Restart
from greenroom.supervisor.dynamic_supervisor import DynamicSupervisorRef
from greenroom.supervisor.errors import TooManyChildren
from greenroom.transport.http.exchange import Answer, Exchange
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response, text


async def _nothing_here(_: RequestHead) -> Response:
    return text(404, "There is nothing here.")


async def _too_many(_: RequestHead) -> Response:
    words = "Too many programs are connected."
    return text(503, words, {"Retry-After": "1", "Connection": "close"})


@attrs.frozen
class Programs:
    """Serves exchanges below a supervisor, which is asked for when the first one comes."""

    answer: Answer = _nothing_here
    supervisor: Callable[[], Awaitable[DynamicSupervisorRef]] | None = None

    async def take(self, exchange: Exchange) -> None:
        """Serve it, or answer that there are too many."""
        if self.supervisor is None:
            return await exchange.serve(_nothing_here)
        start = partial(self._live, exchange)
        spec = ChildSpec(f"exchange:{id(exchange)}", start, Restart.TEMPORARY)
        try:
            await (await self.supervisor()).start_child(spec)
        except TooManyChildren:
            await exchange.serve(_too_many)
        return None

    async def _live(self, exchange: Exchange, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await exchange.serve(self.answer)
