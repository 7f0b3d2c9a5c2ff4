"""The agent of these tests: it counts, as fast and as far as it is asked to."""

from __future__ import annotations

from typing import cast

import trio

from greenroom import JSON, Run


async def count(run: Run, said: JSON) -> None:
    asked = cast("dict[str, float]", said)
    for number in range(int(asked["count"])):
        await run.partial_result(text=f"{number} ")
        await trio.sleep(asked.get("pace", 0))
    if asked.get("bytes"):
        await run.final_report(report="x" * int(asked["bytes"]))
