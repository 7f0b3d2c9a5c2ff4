"""How the suite opens a journal, stops it and harms it: each backend says this for itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import update_wrapper
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias, TypeVar

import pytest
import trio

from greenroom.delivery.journal.journal import Journal

Feature: TypeAlias = Literal["durability", "nodes", "answers", "copies"]
When: TypeAlias = Literal["before", "after"]
CutNextAppend: TypeAlias = Callable[[When], None]
"""Cuts the connection over which the next append goes: before its engine has it, or after its
engine has kept it and before the answer is back."""


class JournalBackend(ABC):
    """What the suite needs of a journal. A *place* is an empty directory of the test's own; a
    journal that is elsewhere takes it for a name."""

    lacks: ClassVar[Mapping[Feature, str]] = {}
    """What the journal has not, and why; its claims are skipped. `durability`: nothing is kept when
    it is closed. `nodes`: one server at a time writes. `answers`: none can be lost, because no wire
    leads to its engine. `copies`: there is no engine whose data others could replace."""

    patience: ClassVar[float] = 60.0
    """Seconds that a claim may take: what hangs fails."""

    def new_clock(self) -> trio.abc.Clock | None:
        """The clock of a claim's trio run, a new one each time; None for the machine's. A journal
        that waits for nothing outside of the run may have a `trio.testing.MockClock`."""
        return None

    @abstractmethod
    def open_journal(self, place: Path) -> AbstractAsyncContextManager[Journal]:
        """Open the journal of this place, a new one the first time."""

    def open_node(
        self, place: Path, *, lease_seconds: float
    ) -> AbstractAsyncContextManager[Journal]:
        """As `open_journal`, for one of several servers, whose lease is so long. Of `nodes`."""
        raise NotImplementedError(_missing("open_node", "nodes"))

    def pause(self, journal: Journal) -> AbstractAsyncContextManager[None]:
        """Within the block the server of this journal stands still, as if its process was stopped:
        it neither appends nor renews its lease. Of `nodes`."""
        raise NotImplementedError(_missing("pause", "nodes"))

    def open_over_a_wire(
        self, place: Path
    ) -> AbstractAsyncContextManager[tuple[Journal, CutNextAppend]]:
        """Open the journal over a connection that can be cut. Of `answers`."""
        raise NotImplementedError(_missing("open_over_a_wire", "answers"))

    async def copy(self, place: Path) -> None:
        """Keep a copy of the engine's data. The journal is closed. Of `copies`."""
        raise NotImplementedError(_missing("copy", "copies"))

    async def fail_over(self, place: Path, to: Literal["empty", "copy"]) -> None:
        """Replace the engine's data with the copy, or with nothing, and cut the connections to it,
        as when another engine takes its place. The journal is open. Of `copies`."""
        raise NotImplementedError(_missing("fail_over", "copies"))

    def skip_without(self, feature: Feature) -> None:
        """Skip the test if the journal lacks this."""
        if feature in self.lacks:
            pytest.skip(self.lacks[feature])


B = TypeVar("B", bound=JournalBackend)


def of_a_place(check: Callable[[B, Path], Awaitable[None]]) -> Callable[[B, Path], None]:
    """A test that is run by trio, whatever runs the other tests of a project."""

    def test(self: B, tmp_path: Path) -> None:
        trio.run(_check_in_time, check, self, tmp_path, clock=self.new_clock())

    return _as_named(test, check)


def of_a_journal(check: Callable[[B, Journal], Awaitable[None]]) -> Callable[[B, Path], None]:
    """As `of_a_place`, with a new journal opened."""

    async def with_a_journal(self: B, place: Path) -> None:
        async with self.open_journal(place) as journal:
            await check(self, journal)

    return _as_named(of_a_place(with_a_journal), check)


async def _check_in_time(
    check: Callable[[B, Path], Awaitable[None]], backend: B, place: Path
) -> None:
    with trio.fail_after(backend.patience):
        await check(backend, place)


def _as_named(test: Callable[[B, Path], None], check: object) -> Callable[[B, Path], None]:
    """Named as the claim, but with the parameters that pytest has to fill in."""
    update_wrapper(test, check)  # type: ignore[arg-type]  # every function has what it copies
    del test.__wrapped__  # type: ignore[attr-defined]  # which `update_wrapper` has set
    return test


def _missing(method: str, feature: Feature) -> str:
    return f"override {method}, or say in `lacks` why the journal has no {feature}"
