"""An answer that goes on, to a client that does not read it."""

from __future__ import annotations

import trio
import trio.testing

from greenroom.transport.events.stream_events import StreamCarrier
from greenroom.transport.events.streaming import SEND_SECONDS, serve_stream
from greenroom.transport.http.responses import Outlet, StreamedResponse


async def test_a_client_that_reads_nothing_is_cut_off_after_ten_seconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    cut_off_at = []

    async def write(outlet: Outlet) -> None:
        try:
            await outlet.send(b"a change")
        except trio.BrokenResourceError:
            cut_off_at.append(trio.current_time())
            raise

    ours, theirs = trio.testing.lockstep_stream_pair()
    began = trio.current_time()
    await serve_stream(StreamedResponse(200, write=write), StreamCarrier(ours, "today"))
    await theirs.aclose()
    assert cut_off_at == [began + SEND_SECONDS]
