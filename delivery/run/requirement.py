"""Fail-fast runs: an event that must be seen, and is not, raises where it was emitted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from greenroom.delivery.run.receipt import Receipt


class Requirement:
    """What a run demands of each of its events; `None` demands nothing. Seconds."""

    def __init__(self) -> None:
        self.displayed_within: float | None = None

    async def check(self, receipt: Receipt) -> Receipt:
        """The receipt, once its event did what is demanded. Raises `NotDisplayed`."""
        if self.displayed_within is not None:
            await receipt.wait_displayed(self.displayed_within)
        return receipt

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Demand nothing for the length of the block."""
        with self.set(None):
            yield

    def set(self, displayed_within: float | None) -> Required:
        """Demand this from now on; the block, if it is used as one, ends it. Raises `ValueError`
        for what is no time."""
        if displayed_within is not None and not _is_time(displayed_within):
            raise ValueError(
                f"displayed_within is a number of seconds, 0 or more, not {displayed_within!r}"
            )
        before, self.displayed_within = self.displayed_within, displayed_within
        return Required(self, before)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


class Required:
    """A demand that is made; leave it as a block to take it back."""

    def __init__(self, requirement: Requirement, before: float | None) -> None:
        self._requirement = requirement
        self._before = before

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._requirement.displayed_within = self._before

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._requirement.displayed_within = self._before
