"""Checks, exports and imports a journal in Redis, beside its servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

import apsw
import attrs

from greenroom.delivery.errors import JournalBusy
from greenroom.delivery.journal.redis.errors import in_our_words
from greenroom.delivery.journal.redis.holding import Behind, Holding
from greenroom.delivery.journal.redis.mirror import Mirror, mirror_of
from greenroom.delivery.journal.redis.mirrored import Shapes, changes_of
from greenroom.delivery.journal.redis.reader import LEASE_SECONDS, RedisReader
from greenroom.delivery.journal.redis.rows import Change
from greenroom.delivery.journal.redis.server_check import check_server
from greenroom.delivery.journal.sql.tables.threads import fill_in
from greenroom.delivery.journal.sqlite import schema as sqlite_schema
from greenroom.delivery.journal.sqlite.errors import in_our_words as of_the_copy
from greenroom.delivery.upkeep import journal_lines
from greenroom.delivery.upkeep.journal_check import check
from greenroom.delivery.upkeep.journal_export import (
    REFUSALS,
    SHOWN,
    Imported,
    export_entries,
)
from greenroom.delivery.upkeep.journal_intake import insert_all
from greenroom.delivery.upkeep.journal_lines import BadExport, TableRow
from greenroom.delivery.upkeep.journal_upkeep import TellProgress, settle_mapped
from greenroom.delivery.upkeep.redis.staging import staging


@attrs.frozen
class WholeRedis:
    """A `WholeJournal` in Redis. Its servers go on meanwhile: what is read is of one moment."""

    url: str

    def flaws(self, progress: TellProgress) -> Iterator[str]:
        with RedisReader(self.url).look() as database:
            yield from check(database, progress)

    def export_to(self, write: Callable[[bytes], object], progress: TellProgress) -> int:
        reader = RedisReader(self.url)
        with reader.look() as database:
            return export_entries(database, reader.epoch(), write, progress)

    def import_from(self, lines: Iterable[bytes], progress: TellProgress) -> Imported:
        """A new journal takes the export's epoch, so that clients can resume in it. One that exists
        keeps its own epoch, and must have no user of the export. Raises `BadExport`, `NotMixed`,
        `JournalBusy` and other `JournalError`s."""
        lines = iter(lines)
        header = journal_lines.read_header(next(lines, b""), sqlite_schema.VERSION)
        rows = journal_lines.read_rows(lines)
        with held(self.url, header.epoch) as mirror, mirror.copy.database as copy:
            session = apsw.Session(copy, "main")
            session.attach()
            count = _insert(copy, rows, progress)
            _keep(mirror.holding, changes_of(session.changeset(), Shapes(copy)))
            session.close()
        return Imported(count, None)


def _insert(copy: apsw.Connection, rows: Iterable[TableRow], progress: TellProgress) -> int:
    count = insert_all(copy, rows, REFUSALS, progress)
    settle_mapped(copy)
    fill_in(copy)
    if found := list(islice(check(copy, progress, strict=False), SHOWN)):
        raise BadExport("the export's rows do not form a sound journal\n" + "\n".join(found))
    return count


def _keep(holding: Holding, changes: Iterable[Change]) -> None:
    with staging(holding) as stage:
        stage.bring(changes)
        stage.take()


@contextmanager
def held(url: str, new_epoch: str) -> Iterator[Mirror]:
    holding = Holding(url, LEASE_SECONDS)
    try:
        with in_our_words(holding.where), of_the_copy(f"the copy of {holding.where}"):
            check_server(holding.client, holding.where)
            yield mirror_of(holding, new_epoch)
    except Behind as error:
        raise JournalBusy(
            f"a server wrote to {holding.where} meanwhile, and nothing was imported",
            advice="stop its servers, or try again",
        ) from error
    finally:
        holding.client.close()
