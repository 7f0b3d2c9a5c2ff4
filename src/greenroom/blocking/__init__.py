"""greenroom in synchronous code: the runtime in a thread of its own, and its API to be called here.

`greenroom.start_portal` opens it; `portal/__init__.py` tells the way of a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from greenroom.actors.lazy_exports import exports_of

if TYPE_CHECKING:
    from greenroom.blocking.agent_types import ThreadedAgent as Agent
    from greenroom.blocking.crossing import BlockingReceipt as Receipt
    from greenroom.blocking.declaration import agent
    from greenroom.blocking.opening import start_portal
    from greenroom.blocking.run import BlockingRun as Run
    from greenroom.blocking.runtime import Portal
    from greenroom.blocking.text_stream import BlockingTextStream as TextStream
    from greenroom.blocking.user_ask import BlockingUserAsk as UserAsk

__all__ = [
    "Agent",
    "Portal",
    "Receipt",
    "Run",
    "TextStream",
    "UserAsk",
    "agent",
    "start_portal",
]

_HOMES: Final = {
    "agent_types": "Agent=ThreadedAgent",
    "crossing": "Receipt=BlockingReceipt",
    "declaration": "agent",
    "opening": "start_portal",
    "run": "Run=BlockingRun",
    "runtime": "Portal",
    "text_stream": "TextStream=BlockingTextStream",
    "user_ask": "UserAsk=BlockingUserAsk",
}

if not TYPE_CHECKING:  # a checker that sees it takes every misspelt name for one of ours
    __getattr__ = exports_of(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
