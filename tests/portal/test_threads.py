"""The runtime in synchronous code, and agents that are plain functions."""

from __future__ import annotations

import signal
import threading
from functools import partial

import pytest

import greenroom
from greenroom import blocking
from tests.portal.hosts import SETTINGS, Client, kinds, say, say_and_stop, with_client

pytestmark = pytest.mark.requirement("R40")


def speak(run: blocking.Run, said: greenroom.JSON) -> None:
    with run.tool("search", {"q": said}) as call:
        call.result([1])
    run.stream(["Hel", "lo"])
    run.final_report(report=said)


def events_of(agent: blocking.Agent, act: object) -> list[greenroom.Event]:
    with greenroom.start_portal(SETTINGS, agent) as portal:
        port = portal.listen()
        return portal.call(partial(with_client, port, "alice", act))  # type: ignore[arg-type]


def test_a_plain_function_answers_in_a_thread_of_its_own() -> None:
    threads = []

    def agent(run: blocking.Run, said: greenroom.JSON) -> None:
        threads.append(threading.current_thread())
        speak(run, said)

    events = events_of(agent, partial(say, "hi"))
    assert kinds(events)[-1] == "agent_completed"
    assert threads[0] is not threading.main_thread()
    assert threads[0].name != "greenroom", "the thread of the runtime"


def test_stop_interrupts_the_call_that_a_thread_waits_in() -> None:
    ends: list[BaseException] = []
    ended = threading.Event()

    def agent(run: blocking.Run, said: greenroom.JSON) -> None:
        try:
            run.ask("Which city?").wait()
        except BaseException as error:
            ends.append(error)
            raise
        finally:
            ended.set()

    events = events_of(agent, partial(say_and_stop, "input_requested"))
    assert events[-1].data == {"outcome": "cancelled"}
    assert ended.wait(10)
    assert isinstance(ends[0], greenroom.RunInterrupted)


def test_a_thread_that_was_stopped_is_interrupted_at_its_next_call() -> None:
    go_on, ended = threading.Event(), threading.Event()
    ends: list[BaseException] = []

    def agent(run: blocking.Run, said: greenroom.JSON) -> None:
        run.agent_thinking(text="hm")
        go_on.wait()
        try:
            run.final_report(report=1)
        except BaseException as error:
            ends.append(error)
            raise
        finally:
            ended.set()

    async def act(client: Client) -> list[greenroom.Event]:
        events = await say_and_stop("agent_thinking", client)
        go_on.set()
        return events

    events = events_of(agent, act)
    assert kinds(events)[-1] == "agent_completed", "the user need not wait for the thread"
    assert ended.wait(10)
    assert isinstance(ends[0], greenroom.RunInterrupted)


def test_a_run_that_is_cut_ends_its_block_and_the_code_after_it_goes_on() -> None:
    with greenroom.start_portal(SETTINGS) as portal:
        with portal.run(user="alice") as run:
            with run.sub_run(agent="scout") as scout, scout.tool("wait"):
                run.cancel()
                scout.ask("never?").wait()
            pytest.fail("the end of the outer block takes it")
        assert run.cancelled
        assert run.history()[-1].data == {"outcome": "cancelled"}


def test_an_error_ends_the_run_as_failed_and_reaches_its_caller() -> None:
    with greenroom.start_portal(SETTINGS) as portal:
        runs = []

        def fail() -> None:
            with portal.run(user="alice") as run:
                runs.append(run)
                raise LookupError("mine")

        with pytest.raises(LookupError, match="mine"):
            fail()
        assert kinds(runs[0].history())[-1] == "agent_failed"


def test_steps_run_in_the_thread_that_waits_for_them() -> None:
    with greenroom.start_portal(SETTINGS) as portal, portal.run(user="alice") as run:
        assert run.step("where", lambda: threading.current_thread().name) == "MainThread"
        with pytest.raises(ZeroDivisionError):
            run.step("wrong", lambda: 1 // 0)


def test_many_threads_use_one_portal() -> None:
    def work(number: int) -> None:
        with portal.run(user=f"user-{number}") as run:
            for _ in range(10):
                run.partial_result(text="piece")
            done.append(run)

    done: list[blocking.Run] = []
    with greenroom.start_portal(SETTINGS) as portal:
        threads = [threading.Thread(target=work, args=(each,)) for each in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert {len(run.history()) for run in done} == {12}
        assert len(done) == 8


def test_ctrl_c_cancels_the_call_that_waits() -> None:
    with greenroom.start_portal(SETTINGS) as portal:

        def interrupted() -> None:
            with portal.run(user="alice") as run:
                runs.append(run)
                ask = run.ask("Which city?")
                main = threading.main_thread().ident or 0
                threading.Timer(0.05, signal.pthread_kill, [main, signal.SIGINT]).start()
                ask.wait()

        runs: list[blocking.Run] = []
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert runs[0].ended


def test_ctrl_c_in_a_step_reaches_its_caller_and_spares_the_runtime() -> None:
    def interrupted() -> int:
        signal.raise_signal(signal.SIGINT)
        return 1

    with greenroom.start_portal(SETTINGS) as portal:
        with pytest.raises(KeyboardInterrupt), portal.run(user="alice") as run:
            run.step("one", interrupted)
        assert run.ended
        with portal.run(user="bob") as other:
            other.final_report(report="undisturbed")


def test_undelivered_events_are_handed_to_the_hosts_own_code() -> None:
    letters: list[greenroom.DeadLetter] = []
    came = threading.Event()

    def undelivered(letter: greenroom.DeadLetter) -> None:
        letters.append(letter)
        came.set()

    soon = greenroom.Policy(expires_after=0.05)
    with greenroom.start_portal(SETTINGS, on_undelivered=undelivered) as portal:
        with portal.run(user="alice", policy=soon) as run:
            run.final_report(report=1)
        assert came.wait(20)
        assert letters[0].user == "alice"
