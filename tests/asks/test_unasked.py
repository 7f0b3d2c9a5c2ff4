"""A question that nobody awaits is not asked, and Python says where."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable

import pytest
import trio

import greenroom
from greenroom import aio

pytestmark = pytest.mark.requirement("R44")

SETTINGS = greenroom.Settings(journal=":memory:")


def in_trio() -> None:
    async def main() -> None:
        async with greenroom.open_runtime(SETTINGS) as runtime, runtime.run(user="alice") as run:
            run.ask("Delete 14 files?")

    trio.run(main)


def in_asyncio() -> None:
    async def main() -> None:
        async with aio.open_runtime(SETTINGS) as runtime, runtime.run(user="alice") as run:
            run.ask("Delete 14 files?")

    asyncio.run(main())


def in_a_thread() -> None:
    with greenroom.start_portal(SETTINGS) as portal, portal.run(user="alice") as run:
        run.ask("Delete 14 files?")


@pytest.mark.parametrize("forget", [in_trio, in_asyncio, in_a_thread])
def test_a_question_that_is_never_asked_is_warned_of(forget: Callable[[], None]) -> None:
    with pytest.warns(RuntimeWarning, match=r"never asked: await it, or call `\.wait\(\)`"):
        forgotten(forget)


def forgotten(forget: Callable[[], None]) -> None:
    forget()
    gc.collect()


def test_a_question_that_is_refused_before_it_crosses_was_asked() -> None:
    with warnings.catch_warnings(), greenroom.start_portal(SETTINGS) as portal:
        warnings.simplefilter("error")
        with portal.run(user="alice") as run:
            run.cancel()
            with pytest.raises(greenroom.GreenroomError):
                run.ask("never?").wait()
            with pytest.raises(greenroom.GreenroomError), run.ask("never?"):
                pytest.fail("it was not asked")
        gc.collect()


def test_a_question_that_was_asked_is_not_warned_of() -> None:
    with warnings.catch_warnings(), greenroom.start_portal(SETTINGS) as portal:
        warnings.simplefilter("error")
        with portal.run(user="alice") as run:
            assert run.ask("Go?", options=["yes", "no"], expires=0.01, default="no").wait() == "no"
            with run.ask("Delete 14 files?") as ask:
                assert ask.is_open
        gc.collect()
