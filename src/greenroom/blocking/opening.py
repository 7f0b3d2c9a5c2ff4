"""Opening a runtime in synchronous code, and its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from queue import SimpleQueue

import outcome

from greenroom.blocking.agent_types import ThreadedAgent
from greenroom.blocking.callbacks import ThreadCallback
from greenroom.blocking.run import BlockingRun
from greenroom.blocking.runtime import Portal
from greenroom.blocking.waiting import check_may_wait
from greenroom.delivery.events.ids import IdSource
from greenroom.delivery.events.policy import Policies
from greenroom.delivery.events.record import DeadLetter
from greenroom.delivery.run.run import Agent, Run
from greenroom.delivery.user.parts import nothing_more
from greenroom.loading.agent import checked_agent
from greenroom.portal.border import Border
from greenroom.portal.call import Lane
from greenroom.portal.host_agents import THREADS, HostAgents
from greenroom.portal.runtime_thread import RuntimeThread
from greenroom.runtime import Runtime, open_runtime
from greenroom.settings import Settings


@contextmanager
def start_portal(
    settings: Settings | None = None,
    agents: Mapping[str, ThreadedAgent | Agent] | ThreadedAgent | Agent | None = None,
    *,
    ids: IdSource | None = None,
    policies: Policies | None = None,
    on_undelivered: Callable[[DeadLetter], object] = nothing_more,
    describe_error: Callable[[BaseException, BlockingRun], str] | None = None,
    wall_clock: Callable[[], float] = time.time,
    threads: int = THREADS,
) -> Iterator[Portal]:
    """Start the runtime in a thread of its own: `with greenroom.start_portal() as portal: …`.

    See `greenroom.open_runtime`. Agents that are plain functions run in threads, at most `threads`
    at once; coroutine functions run on trio. `on_undelivered` is called in a thread, one letter at
    a time. `describe_error` is called in the runtime's thread and must be quick. If the runtime
    dies, every call raises `PortalClosed`, whose cause is what ended it, and so does the end of the
    block. Raises
    `WrongHost` where a loop runs.
    """

    def opening(border: Border) -> AbstractAsyncContextManager[Runtime]:
        return open_runtime(
            settings,
            HostAgents(border, _on_trio, threads).made_of(agents),
            ids=ids,
            policies=policies,
            on_undelivered=ThreadCallback.of(on_undelivered, border),
            describe_error=_described(describe_error, border),
            wall_clock=wall_clock,
        )

    thread = RuntimeThread(opening, _nothing)
    check_may_wait(thread.border, "greenroom.start_portal()")
    opened: SimpleQueue[outcome.Outcome[Runtime]] = SimpleQueue()
    thread.start(opened.put)
    try:
        yield Portal(opened.get().unwrap(), Lane(thread.border))
    finally:
        _stop(thread)
    if thread.error is not None:
        raise thread.border.reason()


def _stop(thread: RuntimeThread) -> None:
    if not thread.border.is_forked:
        ended: SimpleQueue[None] = SimpleQueue()
        thread.stop(partial(ended.put, None))
        ended.get()
        thread.join()


def _on_trio(agent: Agent) -> Agent:
    return checked_agent(agent, "an agent")


def _nothing(_: BaseException) -> None:
    """Each call says so, and the end of the block."""


def _described(
    describe: Callable[[BaseException, BlockingRun], str] | None, border: Border
) -> Callable[[BaseException, Run], str] | None:
    if describe is None:
        return None
    described = describe

    def in_the_thread(error: BaseException, run: Run) -> str:
        return described(error, BlockingRun(run, Lane(border)))

    return in_the_thread
