"""Steps of a machine: what a handler returns, and the actions it may ask for (pure)."""

from __future__ import annotations

import enum
from collections.abc import Hashable
from typing import Generic, NamedTuple, Never, TypeVar

import attrs

S = TypeVar("S", bound=enum.Enum)
D = TypeVar("D")
C = TypeVar("C")
S_co = TypeVar("S_co", bound=enum.Enum, covariant=True)
D_co = TypeVar("D_co", covariant=True)
C_co = TypeVar("C_co", covariant=True)


@attrs.frozen
class StateTimeout:
    """Deliver `event` in `after` seconds, unless the state is left first.

    A time-out that is returned with a change of state belongs to the new state. A new time-out
    replaces the one that runs. One of 0 seconds is handled before any event from outside
    (gen_statem(3), `state_timeout()`).
    """

    after: float
    event: object


@attrs.frozen
class StartTimer:
    """Deliver `event` in `after` seconds, in any state; replaces a timer of the same name."""

    name: Hashable
    after: float
    event: object


@attrs.frozen
class CancelTimer:
    """Cancel a named timer, if it runs. `STATE_TIMEOUT` is the name of the state time-out."""

    name: Hashable


@attrs.frozen
class Postpone:
    """Deliver the present event again after the next change of state."""


@attrs.frozen
class Next:
    """Handle `event` before all events that wait, in the given order."""

    event: object


@attrs.frozen
class Stop:
    """End the machine after this step, in any state: normally, or with a failure, `error`.

    The answers and commands of the step are still carried out (gen_statem(3), `stop` and
    `stop_and_reply`); waiting events are dropped, and every timer is cancelled.
    """

    error: Exception | None = None


class StateTimeoutName(enum.Enum):
    """The type of `STATE_TIMEOUT`, so that no name of a timer can equal it."""

    STATE_TIMEOUT = "state timeout"


STATE_TIMEOUT = StateTimeoutName.STATE_TIMEOUT

MachineAction = StateTimeout | StartTimer | CancelTimer | Postpone | Next | Stop


class Step(NamedTuple, Generic[S_co, D_co, C_co]):
    """The decision of a handler. `state` None means to stay; `commands` are for the shell, and
    actions for the runner."""

    state: S_co | None
    data: D_co
    commands: tuple[C_co | MachineAction, ...] = ()


def stay(data: D, *commands: C | MachineAction) -> Step[Never, D, C]:
    """Stay in the present state."""
    return Step(None, data, commands)


def go(state: S, data: D, *commands: C | MachineAction) -> Step[S, D, C]:
    """Change to `state`. To go to the present state is to stay, in every row."""
    return Step(state, data, commands)
