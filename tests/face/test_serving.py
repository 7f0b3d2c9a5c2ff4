"""A server process, run by the test's own."""

from __future__ import annotations

import gc
from functools import partial
from pathlib import Path

import trio

import greenroom
from greenroom.serving import COLLECT_AFTER, OLDER_AFTER


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
        assert gc.get_threshold() == (max(COLLECT_AFTER, before[0]), *OLDER_AFTER)
        assert gc.get_freeze_count() > frozen
        nursery.cancel_scope.cancel()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, frozen)


def test_the_collector_looks_at_no_object_twice_before_it_is_old() -> None:
    looks: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            looks.append(info["generation"])

    before = gc.get_threshold()
    gc.set_threshold(before[0], *OLDER_AFTER)
    gc.callbacks.append(note)
    try:
        kept: list[list[None]] = [[] for _ in range(10 * before[0])]
    finally:
        gc.callbacks.remove(note)
        gc.set_threshold(*before)
    assert kept
    assert looks
    assert 0 not in looks
