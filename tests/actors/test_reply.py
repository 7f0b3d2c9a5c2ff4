"""The reply: set once, taken once."""

from __future__ import annotations

import outcome
import pytest
import trio
import trio.testing

from greenroom.actors.reply import Reply, ReplyOutcome

pytestmark = pytest.mark.requirement("R39")


async def test_the_waiter_gets_the_answer(nursery: trio.Nursery) -> None:
    reply: Reply[int] = Reply()
    nursery.start_soon(trio.lowlevel.checkpoint)
    answers: list[int] = []

    async def wait() -> None:
        answers.append(await reply.wait())

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    assert reply.succeed(7)
    await trio.testing.wait_all_tasks_blocked()

    assert answers == [7]


async def test_an_answer_that_is_there_is_given_at_a_checkpoint() -> None:
    reply: Reply[int] = Reply()
    reply.succeed(7)

    with trio.testing.assert_checkpoints():
        assert await reply.wait() == 7


async def test_a_failure_is_raised_at_the_waiter() -> None:
    reply: Reply[int] = Reply()
    reply.fail(KeyError("gone"))

    with pytest.raises(KeyError, match="gone"):
        await reply.wait()


async def test_the_second_answer_is_ignored_and_told_so() -> None:
    reply: Reply[int] = Reply()

    assert reply.succeed(1)
    assert not reply.succeed(2)
    assert not reply.fail(ValueError())
    assert await reply.wait() == 1


async def test_a_cancelled_waiter_abandons_the_reply_and_may_come_back() -> None:
    reply: Reply[int] = Reply()
    with trio.move_on_after(0):
        await reply.wait()

    assert reply.abandoned
    reply.succeed(3)
    assert await reply.wait() == 3


async def test_a_second_waiter_is_refused() -> None:
    reply: Reply[int] = Reply()
    reply.then(lambda _: None)

    with pytest.raises(trio.BusyResourceError, match="one waiter"):
        await reply.wait()
    with pytest.raises(trio.BusyResourceError, match="one waiter"):
        reply.then(lambda _: None)


def test_a_callback_gets_the_outcome_now_or_later() -> None:
    seen: list[ReplyOutcome[int]] = []
    early: Reply[int] = Reply()
    late: Reply[int] = Reply()

    early.succeed(1)
    early.then(seen.append)
    late.then(seen.append)
    late.succeed(2)

    assert [outcome.Value(1), outcome.Value(2)] == seen


def test_settled_is_called_once() -> None:
    settled: list[object] = []
    reply: Reply[int] = Reply(settled.append)

    reply.succeed(1)
    reply.succeed(2)

    assert [reply] == settled
