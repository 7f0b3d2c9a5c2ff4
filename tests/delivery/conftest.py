"""Every backend of the journal, for the tests that hold each to the same promise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from greenroom.delivery.journal.journal import Journal
from tests.delivery.journal.journal_conformance import BACKENDS, OpenJournal


@pytest.fixture(params=BACKENDS)
def open_journal(request: pytest.FixtureRequest) -> OpenJournal:
    return BACKENDS[request.param]


@pytest.fixture
async def journal(open_journal: OpenJournal, tmp_path: Path) -> AsyncIterator[Journal]:
    async with open_journal(tmp_path) as journal:
        yield journal
