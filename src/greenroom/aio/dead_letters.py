"""What a runtime offers besides runs, under asyncio: dead letters and threads."""

from __future__ import annotations

from typing import Final

from greenroom.aio.crossing import crossing
from greenroom.aio.receipt import receipted
from greenroom.delivery.dead_letters import DeadLetters
from greenroom.delivery.threads import Threads
from greenroom.portal.faces.face import Face


class AioDeadLetters(Face[DeadLetters]):
    """A `greenroom` runtime's dead letters under asyncio."""

    __slots__ = ()

    list: Final = crossing(DeadLetters.list)
    show: Final = crossing(DeadLetters.show)
    requeue: Final = receipted(DeadLetters.requeue)
    drop: Final = crossing(DeadLetters.drop)


class AioThreads(Face[Threads]):
    """A user's threads under asyncio."""

    __slots__ = ()

    list: Final = crossing(Threads.list)
    show: Final = crossing(Threads.show)
    title: Final = crossing(Threads.title)
    archive: Final = crossing(Threads.archive)
    erase: Final = crossing(Threads.erase)
