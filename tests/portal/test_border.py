"""The border: deaths of either side, loops that are closed, forks, wrong worlds, and leaks."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import weakref
from functools import partial

import outcome
import pytest
import trio

import greenroom
from greenroom import aio, blocking
from greenroom.loading.agent import checked_agent
from greenroom.portal.border import Border
from greenroom.portal.call import Call, Lane
from tests.portal.hosts import SETTINGS
from tests.portal.loop_threads import SECONDS


class Bang(BaseException):
    """Ends a trio run."""


def bang() -> None:
    raise Bang


async def die(border: Border, _: greenroom.Runtime) -> None:
    assert border._token is not None
    border._token.run_sync_soon(bang)
    await trio.sleep_forever()


async def forever(_: greenroom.Runtime) -> None:
    await trio.sleep_forever()


def test_when_the_thread_dies_every_waiting_caller_gets_the_reason() -> None:
    waiting: list[asyncio.Task[None]] = []
    runtimes: list[aio.Runtime] = []

    async def use() -> None:
        async with aio.open_runtime(SETTINGS) as runtime:
            runtimes.append(runtime)
            waiting.extend(asyncio.create_task(runtime.call(forever)) for _ in range(3))
            await runtime.call(partial(die, runtime._lane.border))

    async def main() -> None:
        with pytest.raises(greenroom.PortalClosed, match="has died"):
            await use()
        assert [type(task.exception()) for task in waiting] == [greenroom.PortalClosed] * 3
        with pytest.raises(greenroom.PortalClosed, match="the runtime has died: TrioInternalError"):
            await runtimes[0].call(forever)
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()

    asyncio.run(main())


def test_when_the_thread_dies_a_thread_that_waits_gets_the_reason() -> None:
    def use() -> None:
        with greenroom.start_portal(SETTINGS) as portal:
            with pytest.raises(greenroom.PortalClosed, match="has died") as closed:
                portal.call(partial(die, portal._lane.border))
            assert isinstance(closed.value.__cause__, trio.TrioInternalError)
            portal.call(forever)

    with pytest.raises(greenroom.PortalClosed, match="has died"):
        use()


def test_a_call_between_the_end_of_the_trio_run_and_that_of_the_border_gets_the_reason() -> None:
    async def live(border: Border) -> None:
        async with trio.open_nursery() as calls:
            border.open(calls)
            calls.cancel_scope.cancel()

    border = Border()
    trio.run(live, border)
    answers: list[outcome.Outcome[None]] = []
    border.call(Call(trio.sleep_forever, Lane(border), answers.append))
    border.close(None)
    with pytest.raises(greenroom.PortalClosed):
        answers.pop().unwrap()


def test_a_callback_that_fails_in_the_trio_thread_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with greenroom.start_portal(SETTINGS) as portal:
        portal._lane.border.post(bang)
        with portal.run(user="alice") as run:
            run.final_report(report=1)
    assert "something that crossed to the runtime failed" in caplog.text


def test_an_error_of_opening_reaches_the_host_as_it_is() -> None:
    wrong = greenroom.Settings(journal="/nowhere/at/all.db", secret="x" * 32)
    with pytest.raises(greenroom.JournalError), greenroom.start_portal(wrong):
        pytest.fail("it was opened")

    async def main() -> None:
        with pytest.raises(greenroom.JournalError):
            async with aio.open_runtime(wrong):
                pytest.fail("it was opened")

    asyncio.run(main())


def test_a_loop_that_is_closed_while_calls_wait_leaves_none_behind() -> None:
    with greenroom.start_portal(SETTINGS) as portal:
        border = portal._lane.border
        runtime = aio.Runtime(portal._far, portal._lane)
        loop = asyncio.new_event_loop()

        async def wait() -> None:
            async with runtime.run(user="alice"):
                await runtime.call(forever)

        task = loop.create_task(wait())
        while not border.calls:
            loop.run_until_complete(asyncio.sleep(0.001))
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is the point
        loop.close()
        portal.call(partial(no_calls, border))
        del task
        assert not [run for user in portal.call(live_runs) for run in user]


def test_a_loop_that_is_closed_before_its_call_has_crossed_leaves_none_behind() -> None:
    with greenroom.start_portal(SETTINGS) as portal:
        border = portal._lane.border
        loop = asyncio.new_event_loop()
        task = loop.create_task(aio.Runtime(portal._far, portal._lane).call(forever))
        loop.call_soon(loop.stop)
        loop.run_forever()  # one turn: the call is appended, and the kick is in the next
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is the point
        loop.close()
        assert border._waiting
        assert border._token is not None
        border._token.run_sync_soon(border.look_for_hosts)
        portal.call(partial(no_calls, border))


async def no_calls(border: Border, _: greenroom.Runtime) -> None:
    with trio.fail_after(SECONDS):
        while len(border.calls) > 1:  # noqa: ASYNC110  # this one
            await trio.sleep(0.01)


async def live_runs(runtime: greenroom.Runtime) -> list[list[greenroom.Run]]:
    user = runtime.users.find(greenroom.delivery.events.ids.UserId("alice"))
    return [] if user is None else [list(user.live_runs.values())]


def test_two_loops_use_one_runtime() -> None:
    def elsewhere(runtime: aio.Runtime) -> str:
        async def main() -> str:
            async with runtime.run(user="bob") as run:
                await run.final_report(report=1)
            return str(len(await run.history()))

        return asyncio.run(main())

    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime, runtime.run(user="alice") as run:
            assert await asyncio.to_thread(elsewhere, runtime) == "3"
            await run.final_report(report=2)

    asyncio.run(main(), debug=True)


def test_each_call_after_the_end_says_that_the_runtime_has_stopped() -> None:
    with greenroom.start_portal(SETTINGS) as portal, portal.run(user="alice") as run:
        pass
    for call in (lambda: portal.run(user="alice"), run.history, portal.tree, run.typing):
        with pytest.raises(greenroom.PortalClosed, match="the runtime has stopped") as closed:
            call()
        assert closed.value.advice


def test_each_entry_point_says_where_it_is_to_be_used() -> None:
    async def wrong(entry: object) -> None:
        async with entry:  # type: ignore[attr-defined]
            pytest.fail("it was entered")

    for entry in (
        greenroom.open_runtime(SETTINGS),
        greenroom.connect("ws://127.0.0.1:1", token=""),
    ):
        with pytest.raises(
            greenroom.WrongHost, match="must be awaited in a trio task; here is asyncio"
        ):
            asyncio.run(wrong(entry))
    with pytest.raises(greenroom.WrongHost, match="must be awaited in an asyncio task"):
        trio.run(wrong, aio.open_runtime(SETTINGS))

    async def blocks() -> None:
        with greenroom.start_portal(SETTINGS):
            pytest.fail("it would block the loop")

    with pytest.raises(greenroom.WrongHost, match="asyncio loop runs"):
        asyncio.run(blocks())
    with pytest.raises(greenroom.WrongHost, match="in a trio task"):
        trio.run(blocks)

    with greenroom.start_portal(SETTINGS) as portal, portal.run(user="alice") as run:
        far = aio.Run(run._far, run._lane)
        with pytest.raises(greenroom.WrongHost, match=r"Run\.history must be awaited in an"):
            trio.run(far.history)


async def of_asyncio(run: aio.Run, said: greenroom.JSON) -> None:
    """Nothing but its annotation says where it runs."""


async def unclear(run: Unknown, said: greenroom.JSON) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Its annotation is not known where it runs."""


def test_an_agent_whose_run_is_one_of_asyncio_is_refused_on_trio() -> None:
    with pytest.raises(greenroom.WrongHost, match=r"or greenroom\.asgi\.lifespan"):
        checked_agent(of_asyncio, "app:of_asyncio")
    assert checked_agent(unclear, "app:unclear") is unclear


def test_an_agent_of_another_host_is_refused() -> None:
    @aio.agent(when_lost="again")
    async def answer(run: aio.Run, said: greenroom.JSON) -> None: ...

    async def open_it() -> None:
        async with greenroom.open_runtime(SETTINGS, answer):  # type: ignore[arg-type]
            pytest.fail("it was taken")

    with pytest.raises(greenroom.WrongHost, match="agent 'answer' is declared as one of asyncio"):
        trio.run(open_it)
    with pytest.raises(greenroom.WrongHost), greenroom.start_portal(SETTINGS, answer):  # type: ignore[arg-type]
        pytest.fail("it was taken")

    async def main() -> None:
        async with aio.open_runtime(SETTINGS, answer):
            pass
        for wrong in (3, lambda: None):
            with pytest.raises(greenroom.BadAgent):
                async with aio.open_runtime(SETTINGS, wrong):  # type: ignore[arg-type]
                    pytest.fail("it was taken")

    asyncio.run(main())


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_is_refused_with_what_to_do() -> None:
    with greenroom.start_portal(SETTINGS) as portal:
        reads, writes = os.pipe()
        if (child := os.fork()) == 0:
            said = ""
            try:
                portal.run(user="alice")
            except greenroom.PortalForked as error:
                said = str(error)
            finally:
                os.write(writes, said.encode())
                os._exit(0)
        os.waitpid(child, 0)
        os.close(writes)
        assert b"open a runtime in each worker" in os.read(reads, 1000)
        os.close(reads)


OPEN_AT_EXIT = """
import greenroom
settings = greenroom.Settings(journal={journal!r}, secret="x" * 32)
opening = greenroom.start_portal(settings)
portal = opening.__enter__()
block = portal.run(user="alice")
run = block.__enter__()
run.final_report(report=1)
"""


def test_the_end_of_the_interpreter_stops_a_runtime_that_is_open(tmp_path: object) -> None:
    journal = f"{tmp_path}/journal.db"
    program = OPEN_AT_EXIT.format(journal=journal)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    with greenroom.start_portal(greenroom.Settings(journal=journal, secret="x" * 32)) as portal:
        (receipt,) = portal.receipts(user="alice", limit=1)
        assert receipt.kind == "agent_failed", "the run was ended, and the journal closed"


def test_ten_thousand_crossings_leave_nothing_behind() -> None:
    async def nothing(_: greenroom.Runtime) -> None: ...

    async def cross(runtime: aio.Runtime, times: int) -> None:
        for _ in range(times):
            await runtime.call(nothing)

    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime:
            await asyncio.gather(*(cross(runtime, 100) for _ in range(20)))
            gc.collect()
            before = len(gc.get_objects())
            await asyncio.gather(*(cross(runtime, 500) for _ in range(20)))
            gc.collect()
            assert len(gc.get_objects()) - before < 500
            assert not runtime._lane.border.calls
            assert not runtime._lane.calls

    asyncio.run(main())


@pytest.mark.slow
def test_a_hundred_runtimes_in_one_process_leave_nothing_behind() -> None:
    threads = threading.active_count()
    gone = []
    for _ in range(100):
        with greenroom.start_portal(SETTINGS) as portal:
            gone.append(weakref.ref(portal._lane.border))
            with portal.run(user="alice") as run:
                run.final_report(report=1)
        del portal, run
    gc.collect()
    assert sum(each() is not None for each in gone) <= 1
    assert threading.active_count() - threads < 20, "trio keeps some for a while"


def test_nothing_warns_in_the_debug_mode_of_asyncio() -> None:
    program = textwrap.dedent(
        """
        import asyncio, greenroom
        from greenroom import aio

        async def main():
            settings = greenroom.Settings(journal=":memory:", secret="x" * 32)
            async with aio.open_runtime(settings) as runtime:
                async with runtime.run(user="alice") as run, run.text() as text:
                    for _ in range(100):
                        text.write("token ")
                    await run.agent_thinking(text="hm")

        asyncio.run(main())
        """
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONASYNCIODEBUG": "1"},
    )
    slow = [line for line in done.stderr.splitlines() if "took" not in line]  # imports, once
    assert (done.returncode, slow) == (0, [])


def test_the_end_of_the_runtime_ends_the_runs_of_other_tasks_and_threads(tmp_path: object) -> None:
    settings = greenroom.Settings(journal=f"{tmp_path}/journal.db", secret="x" * 32)

    async def main() -> None:
        async def work() -> None:
            async with runtime.run(user="alice") as run, run.tool("wait"):
                inside.set()
                await asyncio.sleep(3600)

        def work_in_a_thread() -> None:
            portal = blocking.Portal(runtime._far, runtime._lane)
            with portal.run(user="bob") as run:
                run.ask("Which city?").wait()

        inside = asyncio.Event()
        async with aio.open_runtime(settings) as runtime:
            tasks = [
                asyncio.create_task(work()),
                asyncio.create_task(asyncio.to_thread(work_in_a_thread)),
            ]
            await inside.wait()
            while not await runtime.receipts(user="bob"):  # noqa: ASYNC110
                await asyncio.sleep(0)
        for task in tasks:
            with pytest.raises(greenroom.PortalClosed, match="the runtime has stopped"):
                await task

    asyncio.run(main())
    with greenroom.start_portal(settings) as portal:
        for user in ("alice", "bob"):
            assert portal.receipts(user=user, limit=1)[0].kind == "agent_failed", user


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_coroutine_that_is_thrown_away_in_the_block_of_a_runtime_stops_it() -> None:
    borders: list[Border] = []

    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime:
            borders.append(runtime._lane.border)
            await asyncio.sleep(60)

    loop = asyncio.new_event_loop()
    coroutine = main()
    task = loop.create_task(coroutine)
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is the point
    while not borders:
        loop.run_until_complete(asyncio.sleep(0.001))
    loop.close()
    coroutine.close()
    while not borders[0]._closed:
        threading.Event().wait(0.01)
