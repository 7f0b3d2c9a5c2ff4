"""Actors and reactors to be done things to, and a model of what becomes of them."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import attrs
import trio
import trio.testing
from hypothesis import strategies as st

from greenroom.actors import Actor, ActorStopped, Reactor, Ref, Request, run_actor
from greenroom.actors.exit import ExitReason

COUNT = 3


class Crash(Exception):
    """What a message may ask for."""


@attrs.frozen
class Ask(Request[int]):
    """How many messages were handled before."""


@attrs.frozen
class Do:
    """A message: `what` is note, stop, crash, cancel, or forward (a note, to the actor `to`)."""

    what: str
    number: int
    to: int = 0


Message = Do | Ask


@attrs.define
class Life:
    """What became of one of them: what it noted, and its end."""

    notes: list[int] = attrs.field(factory=list)
    asked: list[int | str] = attrs.field(factory=list)
    end: str = "alive"


@attrs.define
class World:
    """`COUNT` actors or reactors, their cancel scopes and what became of them. `kinds`: of the
    first one, the second one, and so on; then from the beginning."""

    kinds: Sequence[type[Actor[Message]]]
    refs: list[Ref[Message]] = attrs.field(factory=list)
    scopes: list[trio.CancelScope] = attrs.field(factory=list)
    lives: list[Life] = attrs.field(factory=lambda: [Life() for _ in range(COUNT)])

    def make(self, place: int) -> Actor[Message]:
        actor = self.kinds[place % len(self.kinds)]()
        actor.world, actor.place = self, place  # type: ignore[attr-defined]  # both kinds have them
        return actor

    async def begin(self, nursery: trio.Nursery, place: int) -> Ref[Message]:
        self.scopes.append(trio.CancelScope())
        ref: Ref[Message] = await nursery.start(self._live, place)
        return ref

    def cancel(self, place: int) -> None:
        self.scopes[place].cancel()

    async def _live(self, place: int, *, task_status: trio.TaskStatus[Ref[Message]]) -> None:
        try:
            with self.scopes[place]:
                await run_actor(self.make(place), name=str(place), task_status=task_status)
        except Crash:
            return

    def handle(self, actor: Actor[Message], place: int, message: Message) -> int | None:
        life = self.lives[place]
        if isinstance(message, Ask):
            return len(life.notes)
        life.notes.append(message.number)
        match message.what:
            case "stop":
                actor.stop()
            case "crash":
                raise Crash(message.number)
            case "cancel":
                self.cancel(place)
            case "forward":
                self.tell(message.to, Do("note", message.number))
        return None

    def tell(self, place: int, message: Message) -> None:
        try:
            self.refs[place].tell(message)
        except ActorStopped:
            return

    async def ask(self, place: int) -> None:
        try:
            self.lives[place].asked.append(await self.refs[place].ask(Ask()))
        except ActorStopped:
            self.lives[place].asked.append("stopped")

    def ended(self, place: int, reason: ExitReason) -> None:
        self.lives[place].end = reason.kind.value


class AsTask(Actor[Message]):
    world: World
    place: int

    async def receive(self, message: Message) -> int | None:
        return self.world.handle(self, self.place, message)


class AsReactor(Reactor[Message]):
    world: World
    place: int

    def handle(self, message: Message) -> int | None:
        return self.world.handle(self, self.place, message)


class Model:
    """The same, without mailboxes or tasks. A step is over before the next one begins."""

    def __init__(self) -> None:
        self.lives = [Life() for _ in range(COUNT)]

    def tell(self, place: int, messages: list[Do]) -> None:
        """Messages that wait when it stops or crashes are not handled; those that wait when it
        cancels itself are, since they were in its hands already."""
        life, cancelled, forwards = self.lives[place], False, list[Do]()
        for message in messages:
            if life.end != "alive":
                break
            life.notes.append(message.number)
            if message.what == "stop":
                life.end = "normal"
            elif message.what == "crash":
                life.end = "crashed"
            elif message.what == "forward":
                forwards.append(message)
            cancelled = cancelled or message.what == "cancel"
        if cancelled and life.end == "alive":
            life.end = "shutdown"
        for message in forwards:
            self.tell(message.to, [Do("note", message.number)])

    def ask(self, place: int) -> None:
        life = self.lives[place]
        life.asked.append(len(life.notes) if life.end == "alive" else "stopped")

    def cancel(self, place: int) -> None:
        if self.lives[place].end == "alive":
            self.lives[place].end = "shutdown"


places = st.integers(0, COUNT - 1)
deeds = st.sampled_from(["note", "note", "note", "forward", "stop", "crash", "cancel"])
messages = st.lists(st.builds(Do, deeds, st.integers(0, 99), places), min_size=1, max_size=4)
steps = st.one_of(
    st.tuples(st.just("tell"), places, messages),
    st.tuples(st.just("ask"), places, st.just([])),
    st.tuples(st.just("cancel"), places, st.just([])),
)
Steps = list[tuple[str, int, list[Do]]]


async def settled(world: World, step: Awaitable[None] | None) -> None:
    if step is not None:
        await step
    await trio.testing.wait_all_tasks_blocked()


async def play(world: World, script: Steps) -> list[Life]:
    async with trio.open_nursery() as nursery:
        for place in range(COUNT):
            world.refs.append(await world.begin(nursery, place))
            world.refs[place].when_stopped(lambda reason, at=place: world.ended(at, reason))
        for what, place, batch in script:
            for message in batch:
                world.tell(place, message)
            if what == "cancel":
                world.cancel(place)
            await settled(world, world.ask(place) if what == "ask" else None)
        found = [attrs.evolve(life) for life in world.lives]
        nursery.cancel_scope.cancel()
    return found


scripts = st.lists(steps, max_size=12)


def modelled(script: Steps) -> tuple[Steps, list[Life]]:
    """The script without messages that one forwards to itself, and what becomes of them all."""
    script = [
        (what, place, [m for m in batch if not (m.what == "forward" and m.to == place)])
        for what, place, batch in script
    ]
    model = Model()
    for what, place, batch in script:
        model.tell(place, batch)
        if what == "cancel":
            model.cancel(place)
        elif what == "ask":
            model.ask(place)
    return script, model.lives
