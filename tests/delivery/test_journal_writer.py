"""The writer: one append for a group, and only the culprit fails."""

from __future__ import annotations

from typing import Any, cast

import attrs
import outcome
import pytest
import trio
import trio.testing

from greenroom.actors.ref import Ref
from greenroom.delivery.errors import OutOfSequence
from greenroom.delivery.ids import BadId
from greenroom.delivery.journal_writer import Append, LookUp
from greenroom.testing import STRAYS
from tests.delivery.backstage import Disk, open_backstage
from tests.delivery.journal_conformance import ALICE, BOB, record


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
