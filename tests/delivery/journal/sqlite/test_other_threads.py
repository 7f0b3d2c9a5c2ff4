"""The journal belongs to its trio run: calls from other threads are refused, and lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from greenroom.delivery.journal.sqlite.journal import SqliteJournal, open_sqlite_journal
from tests.delivery.journal.journal_conformance import ALICE, record
from tests.other_threads import refused_in_a_thread, refused_in_another_run

pytestmark = [pytest.mark.fault("W21"), pytest.mark.requirement("R39")]

CALLS: dict[str, Callable[[SqliteJournal], object]] = {
    "append": lambda journal: journal.append([record(1)]),
    "append_soon": lambda journal: journal.append_soon([record(1)]),
    "bounds": lambda journal: journal.bounds(ALICE),
    "trim": lambda journal: journal.trim(ALICE, through=1),
}


@pytest.mark.parametrize("call", CALLS)
async def test_the_journal_takes_no_call_of_another_thread_and_goes_on(
    call: str, tmp_path: Path
) -> None:
    async with open_sqlite_journal(tmp_path / "journal.db", capacity=1) as journal:
        await refused_in_another_run(lambda: CALLS[call](journal))
        if call == "append_soon":
            await refused_in_a_thread(lambda: CALLS[call](journal))
        with trio.fail_after(10):
            await journal.append_soon([record(1)]).wait()
            await journal.append([record(2)])
            assert (await journal.bounds(ALICE)).last == 2
            await journal.trim(ALICE, through=1)
        assert journal.statistics().waiting == 0
