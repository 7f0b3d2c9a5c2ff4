"""What is known of an actor from outside: its last messages, its machine, how to replay it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import cast

import attrs

from greenroom.actors.actor import Actor
from greenroom.actors.guard import call_guarded
from greenroom.actors.machine_runner import MachineRunner, Transition
from greenroom.actors.ref import Ask, Ref
from greenroom.supervisor.message_codec import JSON, WHOLE, encode, path_of, was_kept


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
    last transitions.
    """

    type: str
    messages: tuple[JSON, ...]
    forgotten: int
    machine: str | None = None
    phase: str | None = None
    moves: tuple[Move, ...] = ()
    recording: Recording | None = None


def actor_of(value: object) -> Actor[object] | None:
    """The actor behind what a child started with, if that is an actor's ref."""
    return cast("Actor[object] | None", value._actor) if isinstance(value, Ref) else None


def runner_of(actor: Actor[object]) -> MachineRunner[enum.Enum, object, object] | None:
    """The machine an actor drives, once it is entered."""
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
    messages = tuple(actor.recent)
    return ActorNote(
        type=path_of(type(actor)),
        messages=tuple(encode(message) for message in messages),
        forgotten=max(0, mailbox.taken - mailbox.in_hand - len(messages)),
        machine=runner.machine.name if runner else None,
        phase=runner.state.name if runner else None,
        moves=moves_of(runner.log) if runner else (),
        recording=_record(factory, messages) if record else None,
    )


def moves_of(log: Iterable[Transition]) -> tuple[Move, ...]:
    return tuple(Move(each.old.name, each.event, each.new.name) for each in log)


def last_message(actor: Actor[object]) -> str | None:
    """The name of the type of the message it took last."""
    if not actor.recent:
        return None
    message = actor.recent[-1]
    return type(message.request if isinstance(message, Ask) else message).__name__


def _record(factory: Callable[[], object] | None, messages: tuple[object, ...]) -> Recording:
    return Recording(_factory(factory), tuple(encode(message, WHOLE) for message in messages))


def _factory(factory: object) -> JSON:
    if isinstance(factory, type):
        return {"class": path_of(factory), "args": [], "kwargs": {}}
    if isinstance(factory, partial) and isinstance(factory.func, type):
        return {
            "class": path_of(factory.func),
            "args": [encode(each, WHOLE) for each in factory.args],
            "kwargs": {name: encode(each, WHOLE) for name, each in factory.keywords.items()},
        }
    return None
