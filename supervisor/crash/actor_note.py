"""Notes of an actor from outside: its last messages, its machine, how to replay it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import cast

import attrs

from greenroom.actors.actor import Actor
from greenroom.actors.guard import call_guarded
from greenroom.actors.machine.runner import MachineRunner, Transition
from greenroom.actors.recording.recent import TooLarge
from greenroom.actors.recording.weight import weight_of
from greenroom.actors.ref import Ask, Ref
from greenroom.supervisor.crash.message_codec import (
    JSON,
    SHOWN,
    WHOLE,
    EncodingLimits,
    encode,
    path_of,
    was_kept,
)

NOTE_BYTES = 256 * 1024
"""The bytes that the last messages of one actor may take in a crash report."""

RECORDED_BYTES = 4 * 1024 * 1024
"""The bytes that the messages of a recorded actor may take, in memory and in a crash report."""


@attrs.frozen
class Move:
    """A transition of a machine: names of states, and of the event's type."""

    old: str
    event: str
    new: str


@attrs.frozen
class Recording:
    """An actor's messages kept whole, for `greenroom replay`.

    `factory` is `{"class": "module:Class", "args": […], "kwargs": {…}}`, or None when the actor
    was not made by a class or a `functools.partial` of one.
    """

    factory: JSON
    messages: tuple[JSON, ...]

    @property
    def makes_actor(self) -> bool:
        """Whether it says how to make the actor: a class to import, arguments that were kept."""
        if not isinstance(self.factory, Mapping):
            return False
        return "<locals>" not in str(self.factory.get("class")) and was_kept(self.factory)


@attrs.frozen
class ActorNote:
    """An actor at one moment. `messages` are its last, encoded, secrets left out, the newest last.

    `forgotten` counts the earlier ones; `phase` is its machine's state, `moves` the machine's
    last transitions. `let_go`: its recording was dropped to make room for newer reports.
    """

    type: str
    messages: tuple[JSON, ...]
    forgotten: int
    machine: str | None = None
    phase: str | None = None
    moves: tuple[Move, ...] = ()
    recording: Recording | None = None
    let_go: bool = False


def actor_of(value: object) -> Actor[object] | None:
    """The actor behind what a child started with, if that is an actor's ref."""
    return cast("Actor[object] | None", value._actor) if isinstance(value, Ref) else None


def runner_of(actor: Actor[object]) -> MachineRunner[enum.Enum, object, object] | None:
    """The runner of the actor's machine, once it has started."""
    runner = getattr(actor, "runner", None)
    return runner if isinstance(runner, MachineRunner) else None


def note_actor(
    value: object, factory: Callable[[], object] | None = None, *, record: bool = False
) -> ActorNote | None:
    """Take notes of the actor behind a ref; None for anything else, and if that fails."""
    actor = actor_of(value)
    notes: list[ActorNote] = []
    if actor is not None:
        what = f"no notes could be taken of {path_of(type(actor))}"
        call_guarded(what, lambda: notes.append(_note(actor, factory, record=record)))
    return notes[0] if notes else None


def _note(actor: Actor[object], factory: Callable[[], object] | None, *, record: bool) -> ActorNote:
    mailbox = actor.ref.statistics()
    runner = runner_of(actor)
    messages = _newest(actor.recent.kept(), SHOWN, NOTE_BYTES)
    return ActorNote(
        type=path_of(type(actor)),
        messages=messages,
        forgotten=max(0, mailbox.taken - mailbox.in_hand - len(messages)),
        machine=runner.machine.name if runner else None,
        phase=runner.state.name if runner else None,
        moves=moves_of(runner.log) if runner else (),
        recording=_record(factory, actor.recent.kept()) if record else None,
    )


def moves_of(log: Iterable[Transition]) -> tuple[Move, ...]:
    return tuple(Move(each.old.name, each.event, each.new.name) for each in log)


def last_message(actor: Actor[object]) -> str | None:
    """The name of the type of the message it took last."""
    if not actor.recent:
        return None
    return _type_of(actor.recent[-1]).__name__


def _record(factory: Callable[[], object] | None, messages: Sequence[object]) -> Recording:
    return Recording(_factory(factory), _newest(messages, WHOLE, RECORDED_BYTES))


def _newest(messages: Sequence[object], limits: EncodingLimits, limit: int) -> tuple[JSON, ...]:
    """As many of the newest messages as `limit` bytes hold, encoded; at least the type of the last.

    An actor crashes on the last one before it is weighed.
    """
    kept: list[JSON] = []
    left = limit
    for message in reversed(messages):
        form = encode(message, limits)
        left -= weight_of(form, limit)
        if left < 0:
            return tuple(reversed(kept or [encode(TooLarge(_type_of(message), limit))]))
        kept.append(form)
    return tuple(reversed(kept))


def _type_of(message: object) -> type[object]:
    if isinstance(message, TooLarge):
        return message.type
    return type(message.request if isinstance(message, Ask) else message)


def _factory(factory: object) -> JSON:
    made = _encoded_factory(factory)
    return made if weight_of(made, RECORDED_BYTES) <= RECORDED_BYTES else None


def _encoded_factory(factory: object) -> JSON:
    if isinstance(factory, type):
        return {"class": path_of(factory), "args": [], "kwargs": {}}
    if isinstance(factory, partial) and isinstance(factory.func, type):
        return {
            "class": path_of(factory.func),
            "args": [encode(each, WHOLE) for each in factory.args],
            "kwargs": {name: encode(each, WHOLE) for name, each in factory.keywords.items()},
        }
    return None
