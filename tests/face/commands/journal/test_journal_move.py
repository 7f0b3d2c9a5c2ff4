"""`greenroom journal move`: from a file to Postgres."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from greenroom.delivery.journal.sqlite.file import open_file
from greenroom.delivery.journal.sqlite.moved import check_not_moved
from tests.delivery.journal.journal_story import write_story
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES, database_of
from tests.face.cli import SECRET, greenroom


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "greenroom.db"
    write_story(path, "alice")
    return path


@NEEDS_POSTGRES
def test_each_round_says_what_is_next(journal: Path, tmp_path: Path) -> None:
    url = database_of(tmp_path)
    with closing(open_file(journal, new_epoch=None)):
        beside = greenroom("journal", "move", url, cwd=tmp_path)
    assert beside.code == 0
    assert " rows copied to postgresql://" in beside.out
    assert "greenroom.db open: stop it, and repeat this command to end the move\n" in beside.out
    last = greenroom("journal", "move", url, cwd=tmp_path)
    assert last.out.startswith("0 rows copied")
    assert f" rows compared: start servers with --journal {url}\n" in last.out
    again = greenroom("journal", "move", url, cwd=tmp_path)
    assert (again.code, again.out.count("nothing was changed")) == (0, 1)
    (tmp_path / "app.py").write_text("async def agent(run, said): ...")
    server = greenroom("serve", "app.py:agent", "--port", "0", cwd=tmp_path, secret=SECRET)
    assert (server.code, "Traceback" in server.err) == (1, False)
    assert "greenroom.db was moved to Postgres at " in server.err
    assert "run `greenroom journal move --back`" in server.err
    back = greenroom("journal", "move", "--back", cwd=tmp_path)
    assert "greenroom.db is what it was when it was moved to Postgres at " in back.out
    with closing(open_file(journal, new_epoch=None)) as file:
        check_not_moved(file.database)
    assert "was not moved: servers" in greenroom("journal", "move", "--back", cwd=tmp_path).out
    both = greenroom("journal", "move", url, "--back", cwd=tmp_path)
    assert (both.code, "--back takes no URL" in both.err) == (2, True)


def test_a_file_is_no_target(journal: Path, tmp_path: Path) -> None:
    refused = greenroom("journal", "move", "copy.db", cwd=tmp_path)
    assert refused.code == 2
    assert "a journal moves to a database" in refused.err


def test_redis_is_no_target_and_the_way_there_is_named(journal: Path, tmp_path: Path) -> None:
    refused = greenroom("journal", "move", "redis://ann:secret@h/0", cwd=tmp_path)
    assert refused.code == 2
    assert "run `greenroom journal export FILE`, then `import FILE --journal redis" in refused.err
    assert "secret" not in refused.err
