"""The other nodes of a journal in a database, and this one's lease among theirs."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Generic, Never, Protocol, TypeAlias, TypeVar

import attrs
import trio

from greenroom.actors.reactors.callbacks import default_callbacks
from greenroom.delivery.errors import JournalError, LeaseLost
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.nodes.notice import Notice
from greenroom.delivery.events.record import Entry
from greenroom.delivery.journal.nodes import Claims, Follower

D = TypeVar("D", contravariant=True)
"""What the lease needs of the database."""

Heard: TypeAlias = Callable[[Sequence[UserId], Sequence[Notice]], None]

LEASE_SECONDS: Final = 10.0
"""Seconds after which the runs of a node that does not renew its lease are taken over."""

AGAIN_SECONDS: Final = 1.0
"""Seconds until what broke is tried again."""

FORGET_SECONDS: Final = 60.0
"""Seconds between two times at which old notices are forgotten."""

BEAT_SECONDS: Final = 1.0
"""The most seconds between two renewals of the lease; fewer if the lease is short."""

logger = logging.getLogger("greenroom.delivery")


EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})


@attrs.frozen
class ListeningAt:
    """A host, which may be `0.0.0.0`, and a port."""

    host: str
    port: int

    def seen_from(self, own: Callable[[], str]) -> str:
        """The URL for other machines. One that listens at all of its addresses has among them its
        `own` one, from which it reaches the journal."""
        host = self.host if self.host not in EVERYWHERE else own()
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class NodeLease(Protocol[D]):
    """The lease of this node, used on the journal's thread. `number` is None until it is taken.

    `others`: whether there are other nodes. `leads`: whether no older one is there. `notices`: the
    place of the first notice that this node must read. `place`: where it listens, if it does.
    `inherited`: the open runs that it took over as it began.
    """

    number: int | None
    others: bool
    leads: bool
    place: ListeningAt | None
    inherited: Sequence[tuple[UserId, RunId]]

    @property
    def seconds(self) -> float: ...
    @property
    def notices(self) -> object: ...

    def take(self, database: D, /) -> None:
        """Begin as a new node."""

    def renew(self, database: D, /) -> None:
        """Keep the lease. Raises the database's error, or `LeaseLost`, if it was taken."""

    def take_over(self, database: D, /) -> Sequence[tuple[UserId, RunId]]:
        """End the leases that are over, and have their open runs, but for those that workers are to
        have."""
        ...

    def forget_notices(self, database: D, /) -> None:
        """Forget the old notices of all nodes."""

    def give_up(self, database: D, /) -> None:
        """This node stops: others may have its open runs at once."""


class NodeWakeUps(Protocol):
    """Tells other nodes of users and notices, and hears of them; either may be lost."""

    @property
    def hears(self) -> bool: ...
    def tell(self, users: Iterable[UserId], notices: Iterable[Notice] = ()) -> None: ...
    async def speak(self) -> Never: ...
    async def listen(self, heard: Heard, /) -> Never: ...


class SharedNodes(Generic[D]):
    """Implements `Nodes`. Those who lost their lease keep nothing until their runs are cut."""

    def __init__(
        self,
        lease: NodeLease[D],
        wake_ups: NodeWakeUps,
        claims: Claims,
        begin_again: Callable[[], Awaitable[None]],
        silent: Callable[[], None],
    ) -> None:
        """`begin_again` refuses all that was appended so far, and has `rejoin` called. `silent` is
        called when the lease was not renewed in its time: the server may be waited for."""
        self.claims: Claims = claims
        self._lease = lease
        self._wake_ups = wake_ups
        self._begin_again = begin_again
        self._silent = silent
        self._callbacks = default_callbacks()
        self._beat = min(BEAT_SECONDS, lease.seconds / 4)
        self._beat_at = self._take_over_at = self._forget_at = 0.0
        self._renewed_at = time.monotonic()
        self._lost = False
        self._is_lost = trio.Event()
        self._follower: Follower | None = None

    # On the journal's thread

    def check(self) -> None:
        """Raises `LeaseLost`."""
        if self._lost:
            raise LeaseLost(
                "another node has the runs of this one",
                advice="nothing; this server goes on as a new node in a moment",
            )

    def look(self, database: D) -> None:
        """Renew the lease, and take over those that are over, if it is time."""
        if self._lost and self._follower is None:  # without runs
            self.rejoin(database)
        self.check()
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat_at = now + self._beat
            self._lease.renew(database)
            self._renewed_at = time.monotonic()
            self._forget(database, now)
            if self._lease.others and self._follower is not None and now >= self._take_over_at:
                self._take_over(database, self._follower)

    def _forget(self, database: D, now: float) -> None:
        if self._lease.leads and now >= self._forget_at:
            self._forget_at = now + FORGET_SECONDS
            self._lease.forget_notices(database)

    def lose(self) -> None:
        """The lease was taken."""
        if not self._lost:
            self._lost = True
            logger.warning("this server was away for longer than its lease: its runs are cut")
            self._post(self._tell)

    def rejoin(self, database: D) -> None:
        """Go on as a new node."""
        self._lease.take(database)
        self._lost = False
        self.reconnected()

    def reconnected(self) -> None:
        """Other nodes may just have been cut off, too: let them renew their leases first."""
        self._take_over_at = time.monotonic() + self._lease.seconds

    def appended(self, entries: Sequence[Entry]) -> None:
        """These entries are durable."""
        if self._lease.others and self._follower is not None:
            notices = [entry for entry in entries if type(entry) is Notice]
            users = {entry.user for entry in entries if entry.user is not None}
            self._wake_ups.tell(users, notices)

    def close(self, database: D) -> None:
        """This node stops."""
        if not self._lost:
            self._lease.give_up(database)

    def _take_over(self, database: D, follower: Follower) -> None:
        runs = self._lease.take_over(database)
        if runs:
            logger.info("took over %d open runs of a node that is gone", len(runs))
            self._post(partial(follower.taken_over, runs))

    def _post(self, callback: Callable[[], None]) -> None:
        with suppress(trio.RunFinishedError):
            self._callbacks.post(callback)

    # In trio

    @property
    def number(self) -> int | None:
        return None if self._lost else self._lease.number

    def listens(self, host: str, port: int) -> None:
        self._lease.place = ListeningAt(host, port)
        self._beat_at = 0.0

    @property
    def leads(self) -> bool:
        return self._lease.leads and not self._lost

    @property
    def hears(self) -> bool:
        return self._wake_ups.hears

    @property
    def place(self) -> object:
        return self._lease.notices

    def send(self, notice: Notice) -> None:
        if self._lease.others:
            self._wake_ups.tell((), [notice])

    async def follow(self, follower: Follower) -> Never:
        self._follower = follower
        inherited, self._lease.inherited = self._lease.inherited, ()
        if inherited:  # their users may never come to this node
            follower.taken_over(inherited)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._cut, follower)
                nursery.start_soon(self._watch)
                nursery.start_soon(self._wake_ups.speak)
                await self._wake_ups.listen(partial(self._heard, follower))
        finally:
            self._follower = None
        raise AssertionError("it listens until it is cancelled")

    def _heard(
        self, follower: Follower, users: Sequence[UserId], notices: Sequence[Notice]
    ) -> None:
        self._lease.others = True
        follower.appended(users)
        for notice in notices:
            follower.noticed(notice)

    async def _watch(self) -> Never:
        """A network that drops everything is no error until TCP gives up."""
        while True:
            await trio.sleep(self._beat)
            if time.monotonic() - self._renewed_at > self._lease.seconds:
                self._silent()

    def _tell(self) -> None:
        self._is_lost.set()

    async def _cut(self, follower: Follower) -> Never:
        while True:
            await self._is_lost.wait()
            self._is_lost = trio.Event()
            await follower.lease_lost()
            while self._lost:
                try:
                    await self._begin_again()
                except JournalError:
                    await trio.sleep(AGAIN_SECONDS)
