"""What an export of a user costs: no piece looks at all rows again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.events.exported import ExportPlace
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.sql.tables import user_rows
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal

pytestmark = pytest.mark.requirement("R55")

ALICE = UserId("alice")
_ATTEMPT = """
    INSERT INTO attempt (user, session, connection, after, through, attempt, at)
    VALUES ('alice', 's', 'c', 0, ?, 1, 0)
"""


async def test_no_piece_of_an_export_sorts_what_is_left_of_the_users_rows(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path):
        pass
    with closing(apsw.Connection(str(path))) as database:
        asked: list[tuple[str, apsw.Bindings | None]] = []
        database.exec_trace = lambda _, sql, values: asked.append((sql, values)) or True
        place = user_rows.user_rows(database, ALICE, None).after
        while place is not None:
            place = user_rows.user_rows(database, ALICE, place).after
        database.exec_trace = None
        of_user = [each for each in asked if "WHERE user = ?" in each[0]]
        assert len(of_user) > 10
        for sql, values in of_user:
            plan = database.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
            assert "TEMP B-TREE" not in str(plan), sql


async def test_pieces_that_end_amid_attempts_for_the_same_offset_miss_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_rows, "PIECE_ROWS", 2)
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path):
        pass
    with closing(apsw.Connection(str(path))) as database:
        database.executemany(_ATTEMPT, [(through,) for through in (7, 5, 7, 7, 5, 7, 9)])
        place, found = ExportPlace("ask", ()), list[object]()  # attempts are next
        while True:
            piece = user_rows.user_rows(database, ALICE, place)
            found += [row.values["number"] for row in piece.rows]
            if piece.after is None or not piece.after.key:
                break
            place = piece.after
    assert found == [2, 5, 1, 3, 4, 6, 7]
