"""Mailboxes over a restart by another spec: no ref is left that nobody reads."""

from __future__ import annotations

import pytest
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.ref import ActorStopped, Ref, Request
from greenroom.supervisor import ChildSpec, OnRestart, actor_child, open_supervisor, task_child
from tests.supervisor.stage import settle

pytestmark = pytest.mark.fault("S6")


class Get(Request[int]):
    pass


class Account(Actor[Get | str]):
    capacity = 2

    async def receive(self, message: Get | str) -> int:
        await trio.lowlevel.checkpoint()
        if message == "die":
            raise ValueError
        return 1


def spec(mailbox: OnRestart | None) -> ChildSpec:
    if mailbox is None:
        return task_child("a", trio.sleep_forever)
    return actor_child("a", Account, mailbox=mailbox)


async def answer_of(ref: Ref[Get | str]) -> str:
    try:
        return str(await ref.ask(Get()))
    except ActorStopped:
        return "stopped"


@pytest.mark.parametrize("new", [*OnRestart, None])
@pytest.mark.parametrize("old", OnRestart)
async def test_a_ref_of_before_goes_on_or_ends_and_answers_every_ask(
    old: OnRestart, new: OnRestart | None
) -> None:
    """supervisor(3), code_change. Beyond OTP: a mailbox that outlives its actor."""
    answers: list[str] = []

    async def ask(ref: Ref[Get | str]) -> None:
        answers.append(await answer_of(ref))

    with trio.fail_after(30):
        async with open_supervisor("s", [spec(old)]) as supervisor:
            before = supervisor.child("a", Account)
            await supervisor.change_specs([spec(new)])
            before.tell("die")
            async with trio.open_nursery() as nursery:
                for _ in range(4):  # more than there is room for: some wait to be let in
                    nursery.start_soon(ask, before)
            await settle()
            after = supervisor.child("a")
            goes_on = old is new is OnRestart.KEPT
            assert (after is before) == goes_on
            assert (before.exit_reason is None) == goes_on
            assert await answer_of(before) == ("1" if goes_on else "stopped")
            if isinstance(after, Ref):
                assert await answer_of(after) == "1"
            if not goes_on:
                await before.wait_stopped()
                with pytest.raises(ActorStopped):
                    before.tell("hello")
            assert len(answers) == 4


async def test_a_mailbox_that_failed_may_be_kept_from_then_on() -> None:
    """supervisor(3), code_change: the new specification holds from the next start."""
    async with open_supervisor("s", [spec(OnRestart.FAILED)]) as supervisor:
        first = supervisor.child("a", Account)
        await supervisor.change_specs([spec(OnRestart.KEPT)])
        first.tell("die")
        assert await answer_of(first) == "stopped"
        await settle()
        second = supervisor.child("a", Account)
        second.tell("die")
        assert await second.ask(Get()) == 1
        assert supervisor.child("a", Account) is second
