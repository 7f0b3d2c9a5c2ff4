"""Feeding an actor the messages of a crash, to see whether it crashes again.

The actor runs alone, on a clock that jumps whenever everything waits: hours pass at once.

`trio.testing` imports pytest where it is installed. Servers import this module to write tests, and
replay nothing: only a replay imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePath
from typing import TypeAlias

import attrs
import trio

from greenroom.actors.actor import Actor, run_actor
from greenroom.actors.errors import GreenroomError
from greenroom.actors.exit import ended_by, must_go_on
from greenroom.actors.machine.machine import MachineError
from greenroom.actors.machine.runner import MachineRunner
from greenroom.actors.ref import Ask, Request
from greenroom.actors.reply import Reply
from greenroom.actors.text.wording import a
from greenroom.actors.timers import hold_alarms
from greenroom.supervisor.crash.actor_note import runner_of
from greenroom.supervisor.crash.crash_report import CrashReport
from greenroom.supervisor.crash.error_note import ErrorNote, FrameNote, note_error
from greenroom.supervisor.crash.message_codec import path_of

LONGEST = 30 * 24 * 3600.0
"""Seconds (of the jumping clock) that an actor has to handle everything."""

LINGER = 3600.0
"""Seconds (of the jumping clock) in which it may still fall, with everything handled."""

MACHINES = frozenset({MachineError.__module__, MachineRunner.__module__})
"""Where machines' own errors are defined."""

Factory: TypeAlias = Callable[[], Actor[object]]


class NoActor(GreenroomError):
    """The factory did not make an actor."""


@attrs.frozen
class Asked:
    """A request that somebody awaited the answer of when it was recorded."""

    request: Request[object]


@attrs.frozen
class Replayed:
    """How it went. `error` is None when the actor did not crash; `handled` counts messages, that
    which it died of among them. `phase` is the last state of its machine, None if it drives none.
    """

    error: ErrorNote | None
    handled: int
    messages: int
    phase: str | None = None

    @property
    def crashed(self) -> bool:
        return self.error is not None

    @property
    def raised(self) -> str:
        """The error's type, `module:Class`; empty without a crash."""
        return self.error.type if self.error is not None else ""

    @property
    def place(self) -> str:
        """Where it was raised (see `place_of`); empty without a crash."""
        return place_of(self.error) if self.error is not None else ""

    def is_like(self, report: CrashReport) -> bool:
        """Whether the recorded crash came again; the messages must be those of the report."""
        return self.difference(report) is None

    def difference(self, report: CrashReport) -> str | None:
        """The first thing that tells it from a recorded crash; None if it is the same.

        The same is: an error of the same type, raised in the same place, by the last message, the
        actor's machine (if it has one) in the same state.
        """
        crash, phase = report.error, report.actor.phase if report.actor is not None else None
        if self.error is None or crash is None:
            return "one of the two did not crash"
        if self.raised != crash.type:
            return f"{self.raised}, not {crash.type}"
        if self.place != place_of(crash):
            return f"{self.place}, not {place_of(crash)}"
        if self.handled != self.messages:
            return f"by message {self.handled} of {self.messages}, not by the last"
        if self.phase != phase:
            return f"with its machine in {self.phase}, not in {phase}"
        return None


def place_of(error: ErrorNote) -> str:
    """Where it was raised, as `file.py, function: source line`.

    That is the last line of the traceback, by its text: line numbers change with every edit above.
    What a machine refuses is always raised by the same line of greenroom, so it is identified by
    the words that name state and event, without the other events that the state takes.
    """
    if error.type.partition(":")[0] in MACHINES:
        return error.message.partition(", only ")[0]
    frame = error.frames[-1] if error.frames else FrameNote("?", 0, "?", "")
    name = PurePath(frame.file.replace("\\", "/")).name
    return f"{name}, {frame.function}: {frame.source or frame.line}"


def replay(factory: Factory, messages: Iterable[object]) -> Replayed:
    """Run a fresh actor on these messages, in a trio run of its own.

    Its timers never fire: their messages are among the recorded ones. Raises what
    `factory` raises, or `NoActor`; an actor that fails to start has crashed.
    """
    from trio.testing import MockClock

    return trio.run(_replay, factory, tuple(messages), clock=MockClock(0, 0))


async def _replay(factory: Factory, messages: tuple[object, ...]) -> Replayed:
    from trio.testing import wait_all_tasks_blocked

    hold_alarms()
    life = _ReplayedLife(_made_by(factory))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(life.run)
        await wait_all_tasks_blocked()
        life.feed(messages)
        with trio.move_on_after(LONGEST):
            await life.handled()
        with trio.move_on_after(LINGER):
            await life.over.wait()
        seen = life.actor.ref.statistics()
        nursery.cancel_scope.cancel()
    error = note_error(life.error) if life.error is not None else None
    runner = runner_of(life.actor)
    phase = runner.state.name if runner is not None else None
    return Replayed(error, seen.taken - seen.in_hand, len(messages), phase)


def _made_by(factory: Factory) -> Actor[object]:
    actor: object = factory()
    if not isinstance(actor, Actor):
        raise NoActor(
            f"the factory must make an actor, not {a(path_of(type(actor)))}",
            advice="give a class of actors, or a function that returns a fresh one",
        )
    return actor


@attrs.define(eq=False)
class _ReplayedLife:
    actor: Actor[object]
    error: BaseException | None = None
    over: trio.Event = attrs.field(factory=trio.Event)

    async def run(self) -> None:
        try:
            await run_actor(self.actor, name="replayed")
        except BaseException as error:  # whether it crashes is the question
            self.error = ended_by(error).error
            if must_go_on(error):
                raise
        finally:
            self.over.set()

    async def handled(self) -> None:
        """Wait until it has ended or waits for messages, looking ever more rarely."""
        pause = 0.001
        while not (self.over.is_set() or self.actor.ref._mailbox.awaited):
            await trio.sleep(pause)
            pause *= 2

    def feed(self, messages: Iterable[object]) -> None:
        """All at once, whatever the mailbox's capacity: they were handled one after another."""
        if self.over.is_set():
            return
        for message in messages:
            if isinstance(message, Asked):
                self.actor.ref._mailbox.put_owed(Ask(message.request, Reply()))
            else:
                self.actor.ref.tell_owed(message)
