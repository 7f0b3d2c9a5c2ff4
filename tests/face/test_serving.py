"""A server process, run by the test's own."""

from __future__ import annotations

import gc
from functools import partial
from pathlib import Path

import trio

import greenroom
from greenroom.serving import COLLECT_AFTER


async def agent(run: greenroom.Run, said: greenroom.JSON) -> None:
    """Says nothing."""


async def test_while_it_serves_the_collector_seldom_looks_at_what_lives_long() -> None:
    settings = greenroom.Settings(
        port=0, journal=Path(":memory:"), secret="a secret of the tests, 32 bytes or more"
    )
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    async with trio.open_nursery() as nursery:
        serve = partial(greenroom.run_server, settings, agent, announce=str)
        await nursery.start(serve)
        assert gc.get_threshold()[0] == COLLECT_AFTER > before[0]
        assert gc.get_freeze_count() > frozen
        nursery.cancel_scope.cancel()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, frozen)
