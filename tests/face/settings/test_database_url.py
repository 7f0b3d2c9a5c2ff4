"""A journal in a database: named by a URL, wherever settings come from, without its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom import Settings
from greenroom.settings.database_url import DatabaseUrl

URL = "postgresql://ann:top-secret@db:5432/journal?sslmode=require&password=also-secret"


@pytest.mark.parametrize("given", [URL, Path(URL), "postgres" + URL.removeprefix("postgresql")])
def test_a_url_of_a_database_is_no_path_even_if_it_came_as_one(given: str | Path) -> None:
    assert Settings(journal=given).journal == DatabaseUrl(URL)
    assert Settings.load(environ={"GREENROOM_JOURNAL": str(given)}).journal == DatabaseUrl(URL)


def test_as_text_a_url_has_no_password() -> None:
    settings = Settings(journal=URL)
    for text in (str(settings.journal), repr(settings.journal), repr(settings)):
        assert "secret" not in text
        assert "ann:***@db:5432/journal?sslmode=require" in text
    assert str(DatabaseUrl("postgresql://db/journal")) == "postgresql://db/journal"
