"""What can be seen of an actor without a message: its messages' kinds, its timers, its machine."""

from __future__ import annotations

import enum
from collections.abc import Hashable, Iterable
from typing import Final

import trio

from greenroom.actors.machine.runner import MachineRunner, TimerFired
from greenroom.actors.recording.recent import TooLarge
from greenroom.actors.ref import Ask, Ref
from greenroom.actors.text.safe import safe_str
from greenroom.actors.timers import RunningTimer
from greenroom.delivery.events.kinds import JSON
from greenroom.observer.tree.drawings import Drawings
from greenroom.supervisor.crash.actor_note import actor_of, moves_of, runner_of
from greenroom.supervisor.crash.message_codec import path_of
from greenroom.supervisor.inspection.survey import held_by

MOST_SHOWN: Final = 50
MOST_CHARACTERS: Final = 100

Runner = MachineRunner[enum.Enum, object, object]


async def facts_of_actor(value: object, drawings: Drawings) -> dict[str, JSON]:
    """Nothing for what is no actor."""
    actor = actor_of(value)
    if not isinstance(value, Ref) or actor is None:
        return {}
    runner = runner_of(actor)
    said: dict[str, JSON] = {
        "actor": path_of(type(actor)),
        "held": held_by(value),
        "waiting": kinds_of(value._mailbox.first(MOST_SHOWN)),
        "recent": kinds_of(actor.recent.kept()),
        "timers": [_timer(each) for each in actor.timers.running()[:MOST_SHOWN]],
        "machine": None if runner is None else _machine(runner),
    }
    if runner is not None:
        said["drawing"] = await drawings.of(runner.machine)
    return said


def kinds_of(messages: Iterable[object]) -> list[JSON]:
    """The names of their types."""
    return [_kind_of(each) for each in messages]


def _kind_of(message: object) -> str:
    if isinstance(message, TooLarge):
        return message.type.__name__
    if isinstance(message, TimerFired):
        return f"{type(message).__name__} {_name(message.name)}"
    return type(message.request if isinstance(message, Ask) else message).__name__


def _timer(timer: RunningTimer) -> dict[str, JSON]:
    left = max(0.0, timer.deadline - trio.current_time())
    return {"name": _name(timer.name), "message": _kind_of(timer.message), "in": round(left, 3)}


def _name(name: Hashable) -> str:
    return name.__name__ if isinstance(name, type) else safe_str(name)[:MOST_CHARACTERS]


def _machine(runner: Runner) -> dict[str, JSON]:
    return {
        "name": runner.machine.name,
        "phase": runner.state.name,
        "states": [state.name for state in runner.machine.states],
        "postponed": kinds_of(runner.waiting[:MOST_SHOWN]),
        "moves": [
            {"old": each.old, "event": each.event, "new": each.new} for each in moves_of(runner.log)
        ],
    }
