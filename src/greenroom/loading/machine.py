"""Finding a machine by its name on the command line, `MODULE_OR_FILE:MACHINE`."""

from __future__ import annotations

import enum

from greenroom.actors.machine.machine import Machine
from greenroom.actors.text.wording import a
from greenroom.loading.agent import BadTarget, load_object

EXAMPLE = "name it as MODULE_OR_FILE:MACHINE, for example app:gate or machines/gate.py:gate"
SHAPE = "a machine is `gate = Machine(name=…, states=…, …)`"


def load_machine(target: str) -> Machine[enum.Enum, object, object]:
    """The machine a target names, or that the actor class it names has as `machine`.

    Raises `BadTarget` or `TargetFailed`, as for agents.
    """
    found = load_object(target, "machine", EXAMPLE, SHAPE)
    found = getattr(found, "machine", found)
    if not isinstance(found, Machine):
        raise BadTarget(f"{target} must be a Machine, not {a(type(found).__name__)}", advice=SHAPE)
    return found
