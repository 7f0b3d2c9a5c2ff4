"""The runtime under asyncio: the same runs, awaited on a loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import traceback
from functools import partial

import attrs
import pytest
import trio

import greenroom
from greenroom import aio
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.run.life import Cut
from greenroom.transport import BadToken
from greenroom.transport.auth.tokens import Identity
from greenroom.transport.client.handshake import Refused
from tests.portal.hosts import SETTINGS, kinds, said_to, say, say_and_stop, with_client

pytestmark = pytest.mark.requirement("R40")

word: contextvars.ContextVar[str] = contextvars.ContextVar("word", default="none")


@attrs.frozen
class Choice:
    city: str


async def speak(run: aio.Run, said: greenroom.JSON) -> None:
    await run.agent_thinking(text="hm")
    async with run.tool("search", {"q": said}) as call:
        call.result([1])
    async with run.text() as text:
        for token in ("Hel", "lo ", "there"):
            text.write(token)
    await run.final_report(report=said)


def test_an_agent_that_is_a_coroutine_function_answers_on_the_hosts_loop() -> None:
    loops = []

    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        loops.append((asyncio.get_running_loop(), threading.current_thread()))
        await speak(run, said)

    async def main() -> None:
        async with aio.open_runtime(SETTINGS, agent) as runtime:
            port = await runtime.listen()
            events = await runtime.call(partial(with_client, port, "alice", partial(say, "hi")))
            assert list(dict.fromkeys(kinds(events))) == [
                *("user_said", "agent_started", "agent_thinking", "tool_executing"),
                *("tool_completed", "partial_result", "final_report", "agent_completed"),
            ]
            texts = [e.data["text"] for e in events if e.kind == "partial_result"]  # type: ignore[index, call-overload]
            assert "".join(map(str, texts)) == "Hello there"
        assert loops == [(asyncio.get_running_loop(), threading.main_thread())]

    asyncio.run(main(), debug=True)


def test_stop_in_the_page_cancels_the_task_of_the_agent() -> None:
    ends = []

    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        try:
            async with run.tool("wait"):
                await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    events = said_to(agent, partial(say_and_stop, "tool_executing"))
    assert ends == ["cancelled"]
    assert kinds(events)[-2:] == ["tool_completed", "agent_completed"]
    assert events[-1].data["outcome"] == "cancelled"  # type: ignore[index, call-overload]


def test_a_task_that_is_cancelled_ends_its_run_as_cancelled() -> None:
    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime:
            inside = asyncio.Event()
            runs = []

            async def work() -> None:
                async with runtime.run(user="alice") as run:
                    runs.append(run)
                    async with run.tool("wait"):
                        inside.set()
                        await asyncio.sleep(3600)

            task = asyncio.create_task(work())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert runs[0].ended
            last = (await runs[0].history())[-2:]
            assert last[0].data["error"] == "cancelled"  # type: ignore[index, call-overload]
            assert last[1].data == {"outcome": "cancelled"}

    asyncio.run(main(), debug=True)


def test_a_call_has_ended_when_the_task_that_was_cancelled_goes_on() -> None:
    async def slow_to_end(_: greenroom.Runtime) -> None:
        inside.set()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.05)
            ended.append("ended")

    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime:
            task = asyncio.create_task(runtime.call(slow_to_end))
            await asyncio.to_thread(inside.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert ended == ["ended"]

    inside, ended = threading.Event(), list[str]()
    asyncio.run(main(), debug=True)


def test_an_agent_whose_task_others_cancel_ends_its_run_as_cancelled() -> None:
    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    events = said_to(agent, partial(say, "hi"))
    assert events[-1].data == {"outcome": "cancelled"}


def test_a_run_that_is_stopped_ends_its_block_and_the_code_after_it_goes_on() -> None:
    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime:
            async with runtime.run(user="alice") as run:
                run.cancel()
                await asyncio.sleep(3600)
            assert run.cancelled
            task = asyncio.current_task()
            assert task is not None
            assert not task.cancelling()
            await asyncio.sleep(0)

    asyncio.run(main(), debug=True)


def test_an_error_of_the_agent_fails_its_run_and_one_of_a_block_reaches_its_caller() -> None:
    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        raise LookupError("no such thing")

    assert kinds(said_to(agent, partial(say, "hi")))[-1] == "agent_failed"

    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime:
            with pytest.raises(LookupError, match="mine") as raised:
                async with runtime.run(user="alice") as run:
                    raise LookupError("mine")
            assert run.ended
            names = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
            assert names == ["main"], "the frames of the border are none of the error's"

    asyncio.run(main(), debug=True)


def test_an_error_from_the_runtime_has_the_frames_of_both_sides() -> None:
    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime, runtime.run(user="alice") as run:
            with pytest.raises(greenroom.OutOfOrder, match="no tool 'x'") as raised:
                await run.tool_completed(tool_name="x")
            names = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
            assert names[0] == "main"
            assert names[-2:] == ["tool_completed", "call_meant"]

    asyncio.run(main(), debug=True)


def test_context_variables_cross() -> None:
    async def main() -> None:
        async def look(_: greenroom.Runtime) -> str:
            return word.get()

        async with aio.open_runtime(SETTINGS) as runtime:
            word.set("here")
            assert await runtime.call(look) == "here"

    asyncio.run(main(), debug=True)


def test_steps_questions_sub_runs_threads_and_receipts_are_those_of_a_run() -> None:
    async def later() -> greenroom.JSON:
        await asyncio.sleep(0)
        return {"later": True}

    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime:
            async with runtime.run(user="alice") as run:
                assert await run.step("a", later) == {"later": True}
                assert await run.step("a", later) == {"later": True}
                assert await run.step("b", lambda: 7) == 7
                async with run.sub_run(agent="scout") as scout:
                    assert scout.parent == run.context.run
                    receipt = await scout.final_report(report=1)
                assert await receipt.stage() is greenroom.ReceiptStage.ACCEPTED
                assert await runtime.receipt(receipt.event) == receipt
                asked = await run.ask(
                    "City?", answer_type=Choice, expires=0.001, default=Choice("Rome")
                )
                assert asked == Choice("Rome")
                async with run.ask("Sure?", options=["yes"]) as ask:
                    assert ask.is_open
                    assert ask.receipt is not None
                    await ask.withdraw()
                    with pytest.raises(greenroom.AskWithdrawn):
                        await ask
                await run.set_title("Cities")
            (thread,) = (await runtime.threads(user="alice").list()).threads
            assert thread.title == "Cities"
            assert await runtime.dead_letters.list() == []
            lines = [line async for line in runtime.export_user("alice")]
            assert len(lines) > 5

    asyncio.run(main(), debug=True)


def test_a_run_past_its_time_cancels_the_task_and_raises_that_it_timed_out() -> None:
    runs = []

    async def take_long(runtime: aio.Runtime) -> None:
        async with runtime.run(user="alice") as run:
            runs.append(run)
            await runtime.call(partial(time_out, run.context.run))
            await asyncio.sleep(3600)

    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime:
            with pytest.raises(greenroom.RunTimedOut):
                await take_long(runtime)
            assert (await runs[0].history())[-1].data["reason"] == "timeout"  # type: ignore[index, call-overload]

    asyncio.run(main(), debug=True)


async def time_out(run: RunId, runtime: greenroom.Runtime) -> None:
    """As its alarm would."""
    user = runtime.users.find(UserId("alice"))
    assert user is not None
    user.live_runs[run]._life.cut(Cut.TIMEOUT)


class Door:
    """An authenticator of asyncio's: the token is the user."""

    async def authenticate(self, token: str) -> Identity:
        loops.append(asyncio.get_running_loop())
        if token == "nobody":
            raise BadToken("nobody is not let in")
        return Identity(UserId(token))


loops: list[asyncio.AbstractEventLoop] = []


def test_an_authenticator_of_asyncios_is_asked_on_the_hosts_loop() -> None:
    async def come(token: str, _: greenroom.Runtime) -> None:
        async with greenroom.connect(f"ws://127.0.0.1:{ports[0]}", token=token):
            pass

    async def main() -> None:
        loops.clear()
        async with aio.open_runtime(SETTINGS) as runtime:
            ports.append(await runtime.listen(Door()))
            await runtime.call(partial(come, "alice"))
            with pytest.raises(Refused):
                await runtime.call(partial(come, "nobody"))
        assert set(loops) == {asyncio.get_running_loop()}

    ports: list[int] = []
    asyncio.run(main())


def test_the_hosts_own_words_of_an_error_reach_the_user() -> None:
    async def agent(run: aio.Run, said: greenroom.JSON) -> None:
        raise LookupError("secret")

    def describe(error: BaseException, run: aio.Run) -> str:
        return f"{run.agent} found nothing"

    events = said_to(agent, partial(say, "hi"), describe_error=describe)
    assert events[-1].data["message"] == "agent found nothing"  # type: ignore[index, call-overload]


def test_undelivered_events_are_handed_to_a_coroutine_function_of_the_host() -> None:
    soon = greenroom.Policy(expires_after=0.05)

    async def main() -> None:
        letters: asyncio.Queue[greenroom.DeadLetter] = asyncio.Queue()
        async with aio.open_runtime(SETTINGS, on_undelivered=letters.put) as runtime:
            async with runtime.run(user="alice", policy=soon) as run:
                await run.final_report(report=1)
            assert (await letters.get()).user == "alice"

    asyncio.run(main())


def test_it_runs_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        async with aio.open_runtime(SETTINGS, speak) as runtime:
            port = await runtime.listen()
            act = partial(with_client, port, "alice", partial(say, "hi"))
            assert kinds(await runtime.call(act))[-1] == "agent_completed"
            async with runtime.run(user="bob") as run:
                run.cancel()
                await asyncio.sleep(3600)
            assert run.cancelled

    uvloop.run(main())
