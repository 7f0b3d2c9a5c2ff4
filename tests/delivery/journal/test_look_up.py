"""Questions to the journal: each asker's alone, and in turns."""

from __future__ import annotations

from typing import Any, cast

import outcome
import pytest
import trio
import trio.testing

from greenroom.actors.errors import MailboxFull
from greenroom.actors.ref import Ref
from greenroom.delivery.journal.look_up import MOST_QUESTIONS, LookUp
from greenroom.testing import STRAYS
from tests.delivery.backstage import open_backstage
from tests.delivery.journal.journal_conformance import ALICE


async def test_a_question_that_fails_is_its_askers_to_know() -> None:
    async def nonsense(_: object) -> None:
        raise ZeroDivisionError

    async with open_backstage() as stage:
        look_up = cast(Ref[LookUp[Any]], stage.root.child("look_up"))
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                await look_up.ask(LookUp(nonsense))
        assert (await look_up.ask(LookUp(lambda journal: journal.bounds(ALICE)))).last == 0


@pytest.mark.fault("D2")
@pytest.mark.parametrize("kind", STRAYS)
async def test_a_question_that_raises_anything_is_its_askers_alone(kind: str) -> None:
    async def stray(_: object) -> None:
        raise STRAYS[kind]()

    async with open_backstage() as stage:
        look_up = cast(Ref[LookUp[Any]], stage.root.child("look_up"))
        lost = look_up.request(LookUp(stray))
        other = look_up.request(LookUp(lambda journal: journal.bounds(ALICE)))

        assert isinstance(await lost.wait_outcome(), outcome.Error)
        assert (await other.wait()).last == 0
        assert stage.root.crashes() == ()


@pytest.mark.fault("S11")
async def test_one_users_many_questions_do_not_delay_anothers() -> None:
    answered: list[str] = []

    def asking(whose: str, *, at: trio.Event | None = None) -> LookUp[None]:
        async def question(_: object) -> None:
            if at is not None:
                await at.wait()
            answered.append(whose)

        return LookUp(question, whose)

    async with open_backstage() as stage:
        look_up, open_ = cast(Ref[LookUp[Any]], stage.root.child("look_up")), trio.Event()
        first = look_up.request(asking("greedy", at=open_))
        await trio.testing.wait_all_tasks_blocked()
        others = [look_up.request(asking("greedy")) for _ in range(50)]
        late = [look_up.request(asking(name)) for name in ("bob", "carol")]
        open_.set()
        for reply in [first, *late, *others]:
            await reply.wait()
    assert answered[:4] == ["greedy", "greedy", "bob", "carol"]
    assert answered[4:] == ["greedy"] * 49


@pytest.mark.fault("S11")
async def test_a_question_whose_asker_is_gone_is_dropped() -> None:
    asked: list[str] = []

    async def question(_: object) -> None:
        asked.append("in vain")

    async with open_backstage() as stage:
        look_up = cast(Ref[LookUp[Any]], stage.root.child("look_up"))
        async with stage.client() as client:
            ref = client.socket.ref
            handle = stage.users.active()[0]
            await handle.connections.terminate_child(client.socket.connection)
            reply = look_up.request(LookUp(question, "alice", ref))
            await look_up.ask(LookUp(lambda journal: journal.bounds(ALICE)))
        assert not reply.is_set
    assert asked == []


@pytest.mark.fault("S11")
async def test_too_many_questions_of_one_user_are_refused_and_no_others() -> None:
    async with open_backstage() as stage:
        look_up = cast(Ref[LookUp[Any]], stage.root.child("look_up"))

        async def question(_: object) -> None:
            await trio.lowlevel.checkpoint()

        replies = [look_up.request(LookUp(question, "greedy")) for _ in range(MOST_QUESTIONS + 1)]
        await look_up.ask(LookUp(question, "bob"))
        with pytest.raises(MailboxFull, match="of one asker"):
            await replies[-1].wait()
        await replies[0].wait()
