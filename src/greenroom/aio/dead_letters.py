"""What a runtime offers besides runs, under asyncio: dead letters and threads."""

from __future__ import annotations

from greenroom.aio.crossing import crossing
from greenroom.aio.receipt import emitting
from greenroom.delivery.dead_letters import DeadLetters
from greenroom.delivery.threads import Threads
from greenroom.portal.face import Face


class AioDeadLetters(Face[DeadLetters]):
    """A `greenroom` runtime's dead letters under asyncio."""

    __slots__ = ()

    list = crossing(DeadLetters.list)
    show = crossing(DeadLetters.show)
    requeue = emitting(DeadLetters.requeue)
    drop = crossing(DeadLetters.drop)


class AioThreads(Face[Threads]):
    """A user's threads under asyncio."""

    __slots__ = ()

    list = crossing(Threads.list)
    show = crossing(Threads.show)
    title = crossing(Threads.title)
    archive = crossing(Threads.archive)
    erase = crossing(Threads.erase)
