"""The journals of greenroom pass the suite that everybody's journal can be held to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance import Feature, JournalConformance
from tests.delivery.journal.journal_conformance import BACKENDS
from tests.delivery.journal.postgres.conformance import PostgresConformance
from tests.delivery.journal.postgres_server import (
    NEEDS_POSTGRES,
)
from tests.delivery.journal.redis.conformance import RedisConformance
from tests.delivery.journal.redis_server import NEEDS_REDIS, needs

pytestmark = [
    *map(pytest.mark.requirement, ("R02", "R20", "R42", "R44", "R47", "R50", "R52", "R55")),
    *map(pytest.mark.fault, ("P11", "S11", "S16")),
]

ONE_PROCESS = "one process writes it"


class TestMemory(JournalConformance):
    lacks: ClassVar[Mapping[Feature, str]] = {
        "durability": "it keeps nothing",
        "nodes": ONE_PROCESS,
        "answers": "no answer can be lost",
        "copies": "it has no files",
    }

    def open_journal(self, place: Path) -> AbstractAsyncContextManager[Journal]:
        return BACKENDS["memory"](place)


class TestSqlite(JournalConformance):
    lacks: ClassVar[Mapping[Feature, str]] = {
        "nodes": ONE_PROCESS,
        "answers": "no answer can be lost",
    }

    def open_journal(self, place: Path) -> AbstractAsyncContextManager[Journal]:
        return BACKENDS["sqlite"](place)

    async def copy(self, place: Path) -> None:
        shutil.copy(place / "journal.db", place / "copy.db")

    async def fail_over(self, place: Path, to: Literal["empty", "copy"]) -> None:
        replace_files(place, to)


def replace_files(place: Path, to: Literal["empty", "copy"]) -> None:
    for each in place.glob("journal.db*"):
        each.unlink()
    if to == "copy":
        (place / "copy.db").rename(place / "journal.db")


@NEEDS_POSTGRES
class TestPostgres(PostgresConformance):
    pass


@NEEDS_REDIS
class TestRedis(RedisConformance):
    pass


@NEEDS_REDIS
@needs("valkey-server")
class TestValkey(RedisConformance):
    program = "valkey-server"
    examples = 1  # Redis has the others
    node_examples = 1
