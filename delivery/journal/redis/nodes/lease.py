"""This node's lease: a row that another node removes once it is over, and the time in Redis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, cast

import attrs

from greenroom.delivery.errors import LeaseLost
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.nodes.notice import NOTICES_KEPT_SECONDS
from greenroom.delivery.journal.redis.holding import StillAlive
from greenroom.delivery.journal.redis.mirror import Mirror
from greenroom.delivery.journal.redis.nodes.node_reads import (
    forget_notices,
    notices_begin,
)
from greenroom.delivery.journal.redis.server_check import seconds_up
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.nodes.clocks import Clocks
from greenroom.delivery.journal.sql.nodes.node_runs import FROM_QUEUE
from greenroom.delivery.journal.sql.nodes.shared_nodes import LEASE_SECONDS, ListeningAt

_TAKE: Final = "INSERT INTO node (number, name, version, started, agents) VALUES (?, ?, ?, ?, '[]')"
_IS_THERE: Final = "SELECT 1 FROM node WHERE number = ?"
_OTHERS: Final = "SELECT number FROM node WHERE number != ?"
_OVER: Final = "DELETE FROM node WHERE number = ?"
# What came from the queue goes back there, for another worker.
_TAKE_OVER: Final = f"""
    UPDATE open_run SET queued = CASE WHEN queued IS NOT NULL THEN ?1 END,
        node = CASE WHEN {FROM_QUEUE} THEN 0 ELSE ?2 END
    WHERE node IS NULL
        OR (node != 0 AND NOT EXISTS (SELECT 1 FROM node WHERE number = open_run.node))
    RETURNING user, run, node
"""
_LEAVE: Final = """
    DELETE FROM node WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM open_run WHERE node = ?1)
"""
_MOVE: Final = "UPDATE node SET address = ?2 WHERE number = ?1 AND address IS NOT ?2"
_NODES: Final = "SELECT count(*), min(number) FROM node"


@attrs.define
class RedisLease:
    """The lease of this node. Used on the journal's thread; raises the errors of Redis, and
    `LeaseLost`.

    `number` is None until a lease is taken, and once it was lost. `others`: whether there are other
    nodes. `leads`: whether no older node is there. `notices`: the place of the first notice that
    this node, or what it was before it lost its lease, must read. `place`: where it listens, if it
    does. `inherited`: see `NodeLease`.
    """

    name: str
    version: str
    seconds: float = LEASE_SECONDS
    number: int | None = None
    others: bool = False
    leads: bool = True
    notices: int | None = None
    place: ListeningAt | None = None
    inherited: Sequence[tuple[UserId, RunId]] = ()
    clocks: Clocks = attrs.field(factory=Clocks)
    _address: tuple[ListeningAt, str] | None = None

    def take(self, mirror: Mirror) -> None:
        """Begin as a new node."""
        holding = mirror.holding
        mirror.follow()
        if self.notices is None:
            self.notices = notices_begin(mirror.database)
        if self.number is not None or not holding.me:
            holding.join(anew=True)
        self.number = int(holding.me)
        row = (self.number, self.name, self.version, holding.beat.now)
        mirror.carry_out(partial(mirror.database.execute, _TAKE, row))
        self.renew(mirror)

    def renew(self, mirror: Mirror) -> None:
        """Keep the lease."""
        asked = self.clocks.now()
        mirror.holding.renew()
        self.clocks.compare(asked, mirror.holding.beat.at / 1000, mirror.holding.where)
        self.hold(mirror.database)
        nodes, oldest = cast("tuple[int, int]", mirror.database.execute(_NODES).get)
        self.others, self.leads = nodes > 1, oldest == self.number
        if self.place is not None:
            values = self.number, self._address_of(self.place, mirror)
            mirror.carry_out(partial(mirror.database.execute, _MOVE, values))

    def hold(self, database: Database) -> None:
        """Raises `LeaseLost` if another node has removed the row, as the copy knows."""
        if not database.execute(_IS_THERE, (self.number,)).get:
            raise LeaseLost(
                "another node has the runs of this one",
                advice="nothing; this server goes on as a new node in a moment",
            )

    def take_over(self, mirror: Mirror, *, always: bool = False) -> Sequence[tuple[UserId, RunId]]:
        """End the leases that are over, and have their open runs, but for those that workers are to
        have. `always`: have those of no node, too."""
        over = list(self._over(mirror))
        if not over and not always:
            return ()
        try:
            with mirror.holding.only_if_over(over):
                return mirror.carry_out(partial(self._take_over, mirror, over))
        except StillAlive:
            return ()

    def forget_notices(self, mirror: Mirror) -> None:
        """Forget the old notices of all nodes."""
        before = mirror.holding.beat.now - round(NOTICES_KEPT_SECONDS * 1000)
        mirror.carry_out(partial(forget_notices, mirror.database, before))

    def give_up(self, mirror: Mirror) -> None:
        """This node stops: others may have its open runs at once."""
        if self.number is not None:
            number, self.number = self.number, None
            mirror.holding.renew(give_up=True)
            mirror.check = _nothing_to_hold
            with mirror.holding.only_if_over([number]):
                mirror.carry_out(partial(mirror.database.execute, _LEAVE, (number,)))

    def _address_of(self, place: ListeningAt, mirror: Mirror) -> str:
        """Asked for once: the machine's name server may be slow."""
        if self._address is None or self._address[0] != place:
            self._address = place, place.seen_from(mirror.holding.own_address)
        return self._address[1]

    def _over(self, mirror: Mirror) -> Iterator[int]:
        """While the server has not been up for the length of a lease, no node could renew."""
        beat = mirror.holding.beat
        others = mirror.database.execute(_OTHERS, (self.number,)).fetchall()
        over = [number for (number,) in cast("list[tuple[int]]", others) if beat.is_over(number)]
        if all(map(beat.is_given_up, over)) or seconds_up(mirror.holding.client) > self.seconds:
            yield from over
        else:
            yield from filter(beat.is_given_up, over)

    def _take_over(self, mirror: Mirror, over: Sequence[int]) -> list[tuple[UserId, RunId]]:
        values = (mirror.holding.beat.now, self.number)
        with mirror.database as database:
            database.executemany(_OVER, [(number,) for number in over])
            rows = database.execute(_TAKE_OVER, values).fetchall()
        return [
            (UserId.trusted(str(user)), RunId.trusted(str(run))) for user, run, node in rows if node
        ]


def _nothing_to_hold() -> None:
    """Of a node that leaves."""
