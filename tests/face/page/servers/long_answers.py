"""An agent for `greenroom serve` that says a lot at once."""

from __future__ import annotations

import greenroom

BYTES = 250_000


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    await run.partial_result(text="word " * (BYTES // 5))
