"""What the statements of `sql/` do otherwise with a copy of Redis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from greenroom.delivery.events.going_on import GoesOn
from greenroom.delivery.events.nodes.notice import Notice
from greenroom.delivery.events.record import RUN_OPENS, Entry, Record
from greenroom.delivery.journal.node import Node, NoticePage
from greenroom.delivery.journal.redis.nodes.beat import Beat
from greenroom.delivery.journal.redis.nodes.claims import QUEUE
from greenroom.delivery.journal.redis.nodes.node_reads import notice_write, read_nodes, read_notices
from greenroom.delivery.journal.redis.rows import Changed
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.log_ends import LogEnds
from greenroom.delivery.journal.sql.nodes.node_runs import NodeRuns
from greenroom.delivery.journal.sql.rows import Write
from greenroom.delivery.journal.sql.store import SqlStore

_MINE = "UPDATE open_run SET node = ? WHERE user = ? AND run = ? AND node IS NULL"


class RedisStore(SqlStore):
    """All that is written is written in a transaction, which Redis keeps as a whole. `beat`: what
    is known of all nodes."""

    def __init__(
        self, database: Database, me: Callable[[], int | None], beat: Callable[[], Beat]
    ) -> None:
        super().__init__(database)
        self.runs = NodeRuns(database, me)
        self._me = me
        self._beat = beat

    def nodes(self) -> list[Node]:
        return read_nodes(self._database, self._beat())

    def notices(self, place: object, limit: int) -> NoticePage:
        return read_notices(self._database, self._me(), place, limit)

    def followed(self, changed: Changed | None) -> None:
        """Look the ends of these logs up again: another node changed them. Of all, if it is not
        known which."""
        if changed is None:
            self.forget_ends()
            return
        for user in changed.users:
            self._tails.pop(user, None)  # type: ignore[call-overload]  # text, as in its key

    def _writes(
        self, entries: Sequence[Entry], records: list[Record], ends: LogEnds
    ) -> list[Write]:
        writes = super()._writes(entries, records, ends)
        me, now = self._me(), self._beat().now
        if opened := [each for each in records if each.kind in RUN_OPENS]:
            writes.append((_MINE, [(me, each.user, each.run) for each in opened]))
        if queued := [each for each in entries if type(each) is GoesOn and each.queued]:
            writes.append((QUEUE, [(now, each.user, each.run) for each in queued]))
        if notices := [each for each in entries if type(each) is Notice]:
            writes.append(notice_write(me, now, notices))
        return writes

    def _write(self, writes: Sequence[Write]) -> None:
        if writes:
            with self._transaction():
                self._carry_out(writes)
