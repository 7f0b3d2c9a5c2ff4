"""greenroom under asyncio: the runtime in a thread of its own, and its API to be awaited here.

`portal/__init__.py` tells the way of a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from greenroom.actors.lazy_exports import exports_of

if TYPE_CHECKING:
    from greenroom.aio.declaration import agent
    from greenroom.aio.loop_agent import AioAgent as Agent
    from greenroom.aio.opening import open_runtime
    from greenroom.aio.receipt import AioReceipt as Receipt
    from greenroom.aio.run import AioRun as Run
    from greenroom.aio.runtime import AioRuntime as Runtime
    from greenroom.aio.text_stream import AioTextStream as TextStream
    from greenroom.aio.user_ask import AioUserAsk as UserAsk

__all__ = ["Agent", "Receipt", "Run", "Runtime", "TextStream", "UserAsk", "agent", "open_runtime"]

_HOMES: Final = {
    "loop_agent": "Agent=AioAgent",
    "declaration": "agent",
    "opening": "open_runtime",
    "receipt": "Receipt=AioReceipt",
    "run": "Run=AioRun",
    "runtime": "Runtime=AioRuntime",
    "text_stream": "TextStream=AioTextStream",
    "user_ask": "UserAsk=AioUserAsk",
}

if not TYPE_CHECKING:  # a checker that sees it takes every misspelt name for one of ours
    __getattr__ = exports_of(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
