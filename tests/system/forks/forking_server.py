"""A server whose agent forks a child, in the way that its user says, and reports on it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Never

import trio

import greenroom
from tests.system.processes import serve

FORKS = multiprocessing.get_context("fork")
POOL = ProcessPoolExecutor(1, mp_context=FORKS)


def live_on() -> Never:
    signal.alarm(300)  # a child that a failed test leaves behind
    while True:
        signal.pause()


def fork(child: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        child()
    return pid


def start() -> int:
    process = FORKS.Process(target=live_on)
    process.start()
    assert process.pid
    return process.pid


def busy_pool() -> int:
    pid = POOL.submit(os.getpid).result()
    POOL.submit(live_on)
    return pid


async def terminated() -> int:
    """What is left of a child that is terminated once it has begun."""
    begun, news = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=tell_and_live_on, args=(news,))
    process.start()
    begun.recv()
    process.terminate()
    await trio.to_thread.run_sync(partial(process.join, 20))
    exit_code = process.exitcode
    process.kill()
    return 0 if exit_code is None else exit_code


def tell_and_live_on(news: multiprocessing.connection.Connection) -> Never:
    news.send("begun")
    live_on()


async def status_of(pid: int) -> int:
    _, status = await trio.to_thread.run_sync(os.waitpid, pid, 0)
    return os.waitstatus_to_exitcode(status)


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    match said:
        case "fork in the agent":
            await run.final_report(report=fork(live_on))
        case "fork in a thread":
            await run.final_report(report=await trio.to_thread.run_sync(fork, live_on))
        case "multiprocessing":
            await run.final_report(report=start())
        case "pool":
            await run.final_report(report=await trio.to_thread.run_sync(busy_pool))
        case "terminate":
            await run.final_report(report=await terminated())
        case "hello":
            await run.final_report(report="hello")
        case _:
            await stray(run, str(said))


async def stray(run: greenroom.Run, how: str) -> None:
    """The child goes back to where it came from."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        match how:
            case "exit":
                sys.exit(0)
            case "return":
                return
            case "raise":
                raise RuntimeError("raised in the child")
            case "give way":
                await trio.lowlevel.checkpoint()
            case "emit":
                await run.agent_thinking(text="said in the child")
            case "ask":
                await run.history()
    await run.final_report(report=await status_of(pid))


if __name__ == "__main__":
    serve(agent)
