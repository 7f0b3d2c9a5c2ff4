"""This node's lease: a row that it renews, and that another node takes once it is over."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import attrs
import psycopg

from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.nodes.notice import NOTICES_KEPT_SECONDS
from greenroom.delivery.journal.postgres.node_reads import (
    NoticePlace,
    notices_begin,
)
from greenroom.delivery.journal.sql.nodes.clocks import Clocks
from greenroom.delivery.journal.sql.nodes.node_runs import FROM_QUEUE
from greenroom.delivery.journal.sql.nodes.shared_nodes import LEASE_SECONDS, ListeningAt

_TAKE: Final = """
    INSERT INTO node (name, version, expires)
    VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s)) RETURNING number
"""
_HOLD: Final = "SELECT hold(%s)"
_RENEW: Final = """
    UPDATE node SET expires = clock_timestamp() + make_interval(secs => %s), address = %s
    WHERE number = %s
"""
# A node whose row is locked appends just now. While the server has not been up for the length of a
# lease, no node could renew.
_OVER: Final = """
    DELETE FROM node WHERE number IN (
        SELECT number FROM node WHERE expires < clock_timestamp() AND number != %s
            AND (expires = '-infinity'
                OR pg_postmaster_start_time() + make_interval(secs => %s) < clock_timestamp())
        FOR UPDATE SKIP LOCKED)
    RETURNING number
"""
# A statement of its own, which sees what was appended before the rows were deleted. What came from
# the queue goes back there, for another worker.
_TAKE_OVER: Final = f"""
    UPDATE open_run SET queued = CASE WHEN queued IS NOT NULL THEN clock_timestamp() END,
        node = CASE WHEN {FROM_QUEUE} THEN 0 ELSE %s END
    WHERE node IS NULL
        OR (node != 0 AND NOT EXISTS (SELECT 1 FROM node WHERE number = open_run.node))
    RETURNING "user", run, node
"""
_GIVE_UP: Final = "UPDATE node SET expires = '-infinity' WHERE number = %s"
_LEAVE: Final = """
    DELETE FROM node WHERE number = %s AND NOT EXISTS (
        SELECT 1 FROM open_run WHERE open_run.node = node.number)
"""
_FORGET_NOTICES: Final = """
    DELETE FROM notice WHERE at < clock_timestamp() - make_interval(secs => %s)
"""
_OTHERS: Final = """
    SELECT count(*), min(number), CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)
    FROM node
"""


@attrs.define
class Lease:
    """The lease of this node. Used on the journal's thread; raises `psycopg.Error`, also if the
    lease was taken (`TAKEN`).

    `number` is None until a lease is taken, and once it was lost. `others`: whether there are other
    nodes. `leads`: whether no older node is there. `notices`: where those begin that this node, or
    what it was before it lost its lease, must read. `place`: where it listens, if it does.
    `inherited`: see `NodeLease`.
    """

    name: str
    version: str
    seconds: float = LEASE_SECONDS
    number: int | None = None
    others: bool = False
    leads: bool = True
    notices: NoticePlace | None = None
    place: ListeningAt | None = None
    inherited: Sequence[tuple[UserId, RunId]] = ()
    clocks: Clocks = attrs.field(factory=Clocks)

    def take(self, connection: psycopg.Connection[Any]) -> None:
        """Begin as a new node."""
        self.notices = self.notices or notices_begin(connection)
        row = connection.execute(_TAKE, (self.name, self.version, self.seconds)).fetchone()
        self.number = None if row is None else int(row[0])
        self._look(connection)

    def renew(self, connection: psycopg.Connection[Any]) -> None:
        """Keep the lease. A power cut at the server may undo that: it is no loss."""
        with connection.transaction():
            connection.execute("SET LOCAL synchronous_commit TO off")
            connection.execute(_HOLD, (self.number,))
            address = (
                None
                if self.place is None
                else self.place.seen_from(partial(_address_of, connection))
            )
            connection.execute(_RENEW, (self.seconds, address, self.number))
            self._look(connection)

    def take_over(
        self, connection: psycopg.Connection[Any], *, always: bool = False
    ) -> Sequence[tuple[UserId, RunId]]:
        """End the leases that are over, and have their open runs, but for those that workers are to
        have. `always`: have those of no node, too."""
        with connection.transaction():
            connection.execute(_HOLD, (self.number,))
            over = connection.execute(_OVER, (self.number, self.seconds)).fetchall()
            if not over and not always:
                return ()
            runs = connection.execute(_TAKE_OVER, (self.number,)).fetchall()
        return [(UserId.trusted(user), RunId.trusted(run)) for user, run, node in runs if node]

    def forget_notices(self, connection: psycopg.Connection[Any]) -> None:
        """Forget the old notices of all nodes. A power cut at the server may undo that."""
        with connection.transaction():
            connection.execute("SET LOCAL synchronous_commit TO off")
            connection.execute(_FORGET_NOTICES, (NOTICES_KEPT_SECONDS,))

    def give_up(self, connection: psycopg.Connection[Any]) -> None:
        """This node stops: others may have its open runs at once."""
        if self.number is not None:
            connection.execute(_GIVE_UP, (self.number,))
            connection.execute(_LEAVE, (self.number,))

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        asked = self.clocks.now()
        nodes, oldest, at = connection.execute(_OTHERS).fetchone() or (1, self.number, asked)
        self.clocks.compare(asked, at, "Postgres")
        self.others, self.leads = nodes > 1, oldest == self.number


def _address_of(connection: psycopg.Connection[Any]) -> str:
    """This machine's, on the way to Postgres: that of a Unix socket is the loopback's."""
    with socket.socket(fileno=os.dup(connection.fileno())) as own:
        name = own.getsockname()
    return str(name[0]) if isinstance(name, tuple) else "127.0.0.1"
