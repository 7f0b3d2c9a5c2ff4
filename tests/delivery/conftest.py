"""Every backend of the journal, for the tests that hold each to the same promise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from greenroom.delivery.journal.journal import Journal
from tests.delivery.journal.journal_conformance import BACKENDS, OpenJournal
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES
from tests.delivery.journal.redis_server import NEEDS_REDIS

if TYPE_CHECKING:
    from tests.delivery.shared.shared_place import SharedPlace


@pytest.fixture(params=BACKENDS)
def open_journal(request: pytest.FixtureRequest) -> OpenJournal:
    return BACKENDS[request.param]


@pytest.fixture(
    params=[
        pytest.param("InPostgres", marks=NEEDS_POSTGRES, id="postgres"),
        pytest.param("InRedis", marks=NEEDS_REDIS, id="redis"),
    ]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> SharedPlace:
    """Where several nodes have their journal, in each engine that they can share."""
    return _place(str(request.param), tmp_path)


@pytest.fixture(params=[pytest.param("InPostgres", marks=NEEDS_POSTGRES, id="postgres")])
def in_postgres(request: pytest.FixtureRequest, tmp_path: Path) -> SharedPlace:
    """The same for what takes long, and is the same for each engine."""
    return _place(str(request.param), tmp_path)


def _place(name: str, directory: Path) -> SharedPlace:
    module = import_module("tests.delivery.shared.shared_place")  # which needs both packages
    return cast("SharedPlace", getattr(module, name)(directory))


@pytest.fixture
async def journal(open_journal: OpenJournal, tmp_path: Path) -> AsyncIterator[Journal]:
    async with open_journal(tmp_path) as journal:
        yield journal
