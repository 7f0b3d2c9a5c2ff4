"""Callbacks from threads: called in order, in trio, whatever happens at its end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial

import pytest
import trio
import trio.testing

from greenroom.actors.reactors.callbacks import Callbacks, default_callbacks

pytestmark = pytest.mark.requirement("R39")


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


async def test_what_threads_post_is_called_once_each_and_in_the_order_of_each_thread() -> None:
    callbacks, called, all_called = default_callbacks(), list[tuple[int, int]](), trio.Event()

    def note(thread: int, number: int) -> None:
        called.append((thread, number))
        if len(called) == 4 * 500:
            all_called.set()

    def post(thread: int) -> None:
        for number in range(500):
            callbacks.post(partial(note, thread, number))

    threads = [in_thread(partial(post, thread)) for thread in range(4)]
    await all_called.wait()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert [n for thread, n in called if thread == number] == list(range(500))


async def test_a_callback_is_called_in_the_trio_run_that_it_was_posted_to() -> None:
    called, callbacks = trio.Event(), default_callbacks()

    def call() -> None:
        trio.lowlevel.current_task()  # raises elsewhere
        called.set()

    in_thread(lambda: callbacks.post(call)).join()
    await called.wait()
    assert default_callbacks() is callbacks


async def test_a_callback_that_raises_is_logged_and_the_next_one_is_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    called = trio.Event()
    default_callbacks().post(lambda: [][0])
    default_callbacks().post(called.set)
    await called.wait()
    assert "a callback from a thread failed" in caplog.text
    caplog.clear()


async def test_a_callback_that_posts_itself_for_ever_starves_no_other_task() -> None:
    callbacks, called, over = default_callbacks(), list[int](), False

    def again() -> None:
        called.append(1)
        if not over:
            callbacks.post(again)

    again()
    for _ in range(20):
        await trio.lowlevel.checkpoint()
    over = True
    assert len(called) > 1


def test_a_thread_that_posts_after_the_trio_run_has_ended_is_told_so() -> None:
    async def main() -> Callbacks:
        return default_callbacks()

    callbacks = trio.run(main)
    with pytest.raises(trio.RunFinishedError):
        callbacks.post(lambda: None)


async def test_what_is_posted_when_the_callbacks_task_has_ended_is_called_all_the_same(
    nursery: trio.Nursery,
) -> None:
    """System tasks end before async generators are closed, and those may wait for a thread."""
    callbacks, called = Callbacks(), trio.Event()
    with trio.CancelScope() as scope:
        scope.cancel()
        await callbacks.run()
    in_thread(lambda: callbacks.post(called.set)).join()
    await called.wait()


async def test_what_was_posted_before_the_callbacks_task_ends_is_called() -> None:
    callbacks, called = Callbacks(), list[int]()
    callbacks.post(lambda: called.append(1))
    with trio.CancelScope() as scope:
        scope.cancel()
        await callbacks.run()
    assert called == [1]


def test_a_trio_run_leaves_no_descriptor_open() -> None:
    async def main() -> None:
        called = trio.Event()
        default_callbacks().post(called.set)
        await called.wait()

    before = os.listdir("/proc/self/fd")
    trio.run(main)
    assert os.listdir("/proc/self/fd") == before
