"""The writer: one append for a group, and only the culprit fails."""

from __future__ import annotations

from typing import Any, cast

import attrs
import outcome
import pytest
import trio
import trio.testing

from greenroom.actors.errors import MailboxFull
from greenroom.actors.ref import Ref
from greenroom.delivery.errors import OutOfSequence
from greenroom.delivery.events.ids import BadId, UserId
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.look_up import MOST_QUESTIONS, LookUp
from greenroom.delivery.journal.writer import Append
from greenroom.testing import STRAYS
from tests.delivery.backstage import Disk, open_backstage
from tests.delivery.journal.journal_conformance import ALICE, BOB, record


async def test_only_the_culprit_of_a_group_fails_and_the_writer_lives() -> None:
    disk = Disk()
    async with open_backstage(disk) as stage:
        writer = cast(Ref[Append], stage.root.child("journal"))
        disk.hold()
        writer.request(Append(()))  # while it waits, a group gathers
        await trio.testing.wait_all_tasks_blocked()
        good = writer.request(Append([record(1)]))
        gap = writer.request(Append([record(7, user=BOB)]))
        wrong: Any = "nonsense"
        bad = writer.request(Append([attrs.evolve(record(1, user=BOB), run=wrong)]))
        late = writer.request(Append([record(1, user=BOB)]))
        disk.release()
        await good.wait()
        with pytest.raises(OutOfSequence):
            await gap.wait()
        with pytest.raises(BadId):
            await bad.wait()
        await late.wait()
        assert stage.root.crashes() == ()
        assert (await disk.bounds(ALICE)).last == (await disk.bounds(BOB)).last == 1


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


@pytest.mark.fault("S11")
async def test_what_one_user_has_much_of_is_committed_behind_what_the_others_have() -> None:
    disk = Disk()
    async with open_backstage(disk) as stage:
        writer = cast(Ref[Append], stage.root.child("journal"))
        disk.hold()
        writer.request(Append([record(1, user=UserId("carol"))]))
        await trio.testing.wait_all_tasks_blocked()
        order: list[str] = []

        def send(name: str, *entries: Record) -> None:
            writer.request(Append(entries)).then(lambda _: order.append(name))

        send("much", record(1, body=b"x" * 100_000))
        send("nothing")
        send("little", record(1, user=BOB))
        disk.release()
        await trio.testing.wait_all_tasks_blocked()
        assert order == ["little", "much", "nothing"]
        assert [len(entries) for entries in disk.appended] == [1, 1, 1]
        send("little", record(2, user=BOB))
        send("least", record(2))
        await trio.testing.wait_all_tasks_blocked()
        assert [len(entries) for entries in disk.appended] == [1, 1, 1, 2]
