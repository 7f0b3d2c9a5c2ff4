"""A shop of three actors, each of which can be brought down: practice for looking in.

Run it with `python examples/corner_shop.py`: it crashes all three and saves what is to be
replayed: `greenroom replay till.json --actor examples/corner_shop.py:Till`, likewise
`shelf.json` with `Shelf` and `door.json` with `DoorActor`. `shop_service.py` has the same three
in a server.
"""

from __future__ import annotations

import enum
from functools import partial
from pathlib import Path

import attrs
import trio
import trio.testing

from greenroom.actors import (
    SECRET,
    Actor,
    Machine,
    MachineActor,
    On,
    Ref,
    Request,
    StateTimeout,
    Step,
    go,
    stay,
)
from greenroom.delivery.journal.private_files import replace_private
from greenroom.supervisor import ChildSpec, Restart, SupervisorRef, actor_child, open_supervisor
from greenroom.supervisor.inspection.as_json import dump_crash

# A till: shares its takings among the staff, and forgets that everybody may have gone home.


@attrs.frozen
class Sold:
    pence: int
    card: str = attrs.field(default="", metadata=SECRET)


@attrs.frozen
class StaffLeft:
    names: tuple[str, ...]


class Till(Actor[Sold | StaffLeft]):
    def __init__(self, staff: int) -> None:
        self.staff = staff
        self.share = 0

    async def receive(self, message: Sold | StaffLeft) -> None:
        if isinstance(message, StaffLeft):
            self.staff -= len(message.names)
        else:
            self.share += message.pence // self.staff


# A shelf: asked for things, and surprised by requests for what was never put on it.


@attrs.frozen
class Stock:
    thing: str
    count: int


@attrs.frozen
class Take(Request[int]):
    thing: str


class Shelf(Actor[Stock | Take]):
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    async def receive(self, message: Stock | Take) -> int | None:
        if isinstance(message, Stock):
            self.counts[message.thing] = self.counts.get(message.thing, 0) + message.count
            return None
        self.counts[message.thing] -= 1
        return self.counts[message.thing]


# A door: locks itself when it is open for too long, and knows no key.


class Door(enum.Enum):
    SHUT = "shut"
    OPEN = "open"
    LOCKED = "locked"
    GONE = "gone"


@attrs.frozen
class Push:
    pass


@attrs.frozen
class TooLong:
    pass


@attrs.frozen
class TakeDown:
    pass


def push(visitors: int, _: Push) -> Step[Door, int, None]:
    return go(Door.OPEN, visitors + 1, StateTimeout(30.0, TooLong()))


def push_open(visitors: int, _: Push) -> Step[Door, int, None]:
    return stay(visitors + 1)


def lock(visitors: int, _: TooLong) -> Step[Door, int, None]:
    return go(Door.LOCKED, visitors)


def take_down(visitors: int, _: TakeDown) -> Step[Door, int, None]:
    return go(Door.GONE, visitors)


class DoorActor(MachineActor[Push | TakeDown, Door, int, None]):
    machine = Machine(
        name="door",
        states=Door,
        initial=Door.SHUT,
        final={Door.GONE},
        transitions=[
            On(Door.SHUT, Push, push, to={Door.OPEN}),
            On(Door.OPEN, Push, push_open),
            On(Door.OPEN, TooLong, lock, to={Door.LOCKED}),
            On({Door.SHUT, Door.OPEN, Door.LOCKED}, TakeDown, take_down, to={Door.GONE}),
        ],
    )

    def initial_data(self) -> int:
        return 0


def staff() -> list[ChildSpec]:
    """The shop's children; the last hundred messages of each are kept for a replay."""
    record = partial(actor_child, record=100, restart=Restart.TRANSIENT)
    return [
        record("till", partial(Till, staff=2)),
        record("shelf", Shelf),
        record("door", DoorActor),
    ]


def ref_of(shop: SupervisorRef, name: str) -> Ref[object]:
    ref = shop.child(name)
    assert isinstance(ref, Ref)
    return ref


async def bring_down() -> None:
    """Crash each of them once, and save the reports."""
    async with open_supervisor("shop", staff()) as shop:
        till, shelf, door = (ref_of(shop, name) for name in ("till", "shelf", "door"))
        for sale in (Sold(250, "4929 1234"), StaffLeft(("Ann", "Bob")), Sold(100)):
            till.tell(sale)
        shelf.tell(Stock("soap", 2))
        shelf.request(Take("soap"))
        shelf.request(Take("milk"))
        door.tell(Push())
        await trio.sleep(31)
        door.tell(Push())
        await trio.sleep(1)
        for report in shop.crashes():
            with replace_private(Path(f"{report.child}.json")) as file:  # it holds messages
                file.write(dump_crash(report))


if __name__ == "__main__":
    trio.run(bring_down, clock=trio.testing.MockClock(0, 0))
