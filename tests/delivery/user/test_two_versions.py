"""Nodes of two versions beside each other: what the newer one adds harms no older one."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import orjson
import pytest
import trio

from greenroom.delivery.errors import JournalTooNew
from greenroom.delivery.events.nodes.notice import What
from greenroom.delivery.journal.postgres import opening
from greenroom.delivery.journal.postgres.journal import open_postgres_journal
from greenroom.delivery.journal.postgres.tables import MIGRATIONS
from tests.delivery.backstage import ALICE, Backstage
from tests.delivery.journal.postgres_server import (
    NEEDS_POSTGRES,
    database_of,
    name_of,
    postgres_server,
)
from tests.delivery.user.nodes_on_postgres import node, until

BESIDE_OLDER = 6
"""The schema's version from which on a newer one may be made under an older node."""

TAKES_AWAY = re.compile(r"\b(DROP|RENAME|TRUNCATE|SET NOT NULL|ALTER COLUMN \S+ TYPE)\b", re.I)
NEXT = """
CREATE TABLE dream ("user" TEXT COLLATE "C" PRIMARY KEY, deep BIGINT NOT NULL);
ALTER TABLE log ADD COLUMN mood TEXT COLLATE "C";
ALTER TABLE node ADD COLUMN zone TEXT DEFAULT 'here';
"""
UNDONE = f"""
DROP TABLE greenroom.dream;
ALTER TABLE greenroom.log DROP COLUMN mood;
ALTER TABLE greenroom.node DROP COLUMN zone;
UPDATE greenroom.meta SET value = '{len(MIGRATIONS)}' WHERE name = 'version';
"""
DREAM = """
SET search_path = greenroom;
WITH moved AS (
    UPDATE log_end SET last = last + 1, writer = -1 WHERE "user" = 'alice' RETURNING last)
INSERT INTO log ("user", "offset", id, kind, class, thread, run, request, at, body)
    SELECT "user", moved.last, 'evt_01m8hmefvwe21bcsz4g8kj06ng', 'agent_dreamed', class,
        thread, run, request, at, body
    FROM log, moved WHERE "user" = 'alice' AND "offset" = moved.last - 1
"""


async def sql(directory: Path, statements: str) -> None:
    """What a node of a newer version would do."""
    database = name_of(database_of(directory))
    await trio.to_thread.run_sync(postgres_server().command, statements, database)


@contextmanager
def newer_version(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What starts inside the block has a schema that adds to the present one."""
    with monkeypatch.context() as patched:
        patched.setattr(opening, "MIGRATIONS", (*MIGRATIONS, NEXT))
        yield


async def report(stage: Backstage, user: str, text: str) -> None:
    async with stage.run(user) as run:
        await run.final_report(report=text)


@NEEDS_POSTGRES
async def test_a_node_works_on_beside_one_with_a_newer_schema_and_does_not_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node(tmp_path) as older, older.client() as client:
        await report(older, "alice", "one")
        with newer_version(monkeypatch):
            async with node(tmp_path) as newer:
                await report(newer, "alice", "two")
                await report(older, "alice", "three")
                await until(lambda: client.kinds.count("final_report") == 3)
        older_again = partial(open_postgres_journal, database_of(tmp_path))
        with pytest.raises(JournalTooNew, match=r"schema version \d+, but this greenroom reads up"):
            async with older_again():
                pass
        await report(older, "alice", "four")
    await sql(tmp_path, UNDONE)  # the database is another test's next


def test_a_newer_schema_only_adds_to_that_of_older_nodes() -> None:
    """An older node's statements and functions must find all that they name as it was."""
    for number, migration in enumerate((*MIGRATIONS[BESIDE_OLDER:], NEXT), BESIDE_OLDER + 1):
        assert not TAKES_AWAY.search(migration), f"migration {number} takes something away"
        for column in re.findall(r"ADD COLUMN[^;,]*", migration):
            assert "NOT NULL" not in column or "DEFAULT" in column, f"migration {number}: {column}"


@NEEDS_POSTGRES
async def test_an_event_of_an_unknown_kind_lets_its_users_clients_go_elsewhere_and_no_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    async with (
        node(tmp_path) as older,
        older.client("bob") as bob,
        older.client() as client,
        older.users.lease(ALICE) as handle,
    ):
        await report(older, "alice", "one")
        await until(lambda: len(client.offsets) == 3)
        actor = handle.actor
        await sql(tmp_path, DREAM)
        with trio.fail_after(60):
            await actor.wait_stopped()  # its connections are closed with 4105
        await until(lambda: older.is_back(handle, actor))
        await report(older, "alice", "what this node does itself goes on")
        await report(older, "bob", "one")
        await until(lambda: bob.kinds[-1] == "agent_completed")
    assert len(caplog.messages) == 1
    assert "outbox crashed: JournalTooNew" in caplog.messages[0]
    assert "has an event of the kind 'agent_dreamed', which this version does not" in caplog.text


@NEEDS_POSTGRES
async def test_what_a_newer_version_adds_to_notices_is_passed_over(tmp_path: Path) -> None:
    async with node(tmp_path) as older:
        with trio.fail_after(60):
            async with older.run() as run:
                for what, of in [
                    ("dreams", ["of", "sheep"]),
                    (What.THREAD_ERASED, ["thread_01m8hmefvwe21bcsz4g8kj06ng", 0, "and more"]),
                    (What.CANCEL, [str(run.context.run), "and more"]),
                ]:
                    values = f"-1, 'alice', '{what}', '{orjson.dumps(of).decode()}'"
                    statement = "INSERT INTO greenroom.notice (node, about, what, of)"
                    await sql(tmp_path, f"{statement} VALUES ({values})")
                await trio.sleep_forever()
        assert run.cancelled
        assert older.root.crashes() == ()
