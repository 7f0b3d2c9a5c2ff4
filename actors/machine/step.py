"""What one step of a machine decides: the next state, the data, actions and commands (pure)."""

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

    Returned with a change of state it belongs to the state that is entered. Set again, it
    replaces the one that runs. After 0 seconds means before any event from outside
    (gen_statem(3), `state_timeout()`).
    """

    after: float
    event: object


@attrs.frozen
class StartTimer:
    """Deliver `event` in `after` seconds, whatever the state; the same name replaces."""

    name: Hashable
    after: float
    event: object


@attrs.frozen
class CancelTimer:
    """Forget a named timer; one that does not run is fine. `STATE_TIMEOUT` is a name too."""

    name: Hashable


@attrs.frozen
class Postpone:
    """Deliver the current event again after the next change of state."""


@attrs.frozen
class Next:
    """Handle `event` before anything that waits, in the order given."""

    event: object


@attrs.frozen
class Stop:
    """End the machine after this step, in whatever state: normally, or failing with `error`.

    What the step answers and commands is still done (gen_statem(3), `stop` and
    `stop_and_reply`); what waits is forgotten, every timer cancelled.
    """

    error: Exception | None = None


class StateTimeoutName(enum.Enum):
    """The type of `STATE_TIMEOUT`, so that no name of yours can equal it."""

    STATE_TIMEOUT = "state timeout"


STATE_TIMEOUT = StateTimeoutName.STATE_TIMEOUT

MachineAction = StateTimeout | StartTimer | CancelTimer | Postpone | Next | Stop


class Step(NamedTuple, Generic[S_co, D_co, C_co]):
    """What a handler decided. `state` None stays; commands are for the shell or the runner."""

    state: S_co | None
    data: D_co
    commands: tuple[C_co | MachineAction, ...] = ()


def stay(data: D, *commands: C | MachineAction) -> Step[Never, D, C]:
    """Keep the state."""
    return Step(None, data, commands)


def go(state: S, data: D, *commands: C | MachineAction) -> Step[S, D, C]:
    """Change to `state`. To go to the state that the machine is in is to stay, in every row."""
    return Step(state, data, commands)
