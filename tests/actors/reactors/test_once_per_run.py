"""Objects of which each trio run has one."""

from __future__ import annotations

import trio

from greenroom.actors.reactors.once_per_run import once_per_run

the_box: trio.lowlevel.RunVar[list[str]] = trio.lowlevel.RunVar("box")


@once_per_run(the_box)
def box() -> list[str]:
    """A box for this trio run."""
    return []


async def pack(*things: str) -> list[str]:
    for thing in things:
        box().append(thing)
    return box()


async def put_another_there() -> list[str]:
    box().append("forgotten")
    the_box.set(["put there"])
    return box()


def test_each_trio_run_makes_one_and_every_later_call_returns_it() -> None:
    assert trio.run(pack, "a", "b") == ["a", "b"]
    assert trio.run(pack, "c") == ["c"], "another run has another one"


def test_what_is_put_there_is_returned_in_this_run_only() -> None:
    assert trio.run(put_another_there) == ["put there"]
    assert trio.run(pack) == []
