"""Every step of every machine checked for data that can be changed in place."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.runner import check_data
from greenroom.actors.machine.step import Step

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")


@contextmanager
def checking_data() -> Iterator[None]:
    """Let `Machine.step` raise `MutableData` within the block; outside of it nothing is paid."""
    plain = Machine.step

    def checked(self: Machine[S, D, C], state: S, data: D, event: object) -> Step[S, D, C]:
        step = plain(self, state, data, event)
        check_data(self.name, step.data)
        return step

    Machine.step = checked  # type: ignore[method-assign]  # the one place all steps pass
    try:
        yield
    finally:
        Machine.step = plain  # type: ignore[method-assign]  # as it was
