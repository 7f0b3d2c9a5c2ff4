"""A journal in a database: named by a URL, wherever settings come from, without its password."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom import BadSettings, Settings
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


@pytest.mark.parametrize("scheme", ["redis+clustr", "redis-cluster", "mysql", "sqlite"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_url_of_another_scheme_is_refused_and_not_taken_for_a_file(
    scheme: str, kind: type[str | Path]
) -> None:
    with pytest.raises(BadSettings, match=r"or redis\+cluster://…, got") as refused:
        Settings(journal=kind(f"{scheme}://ann:top-secret@db:6379/chat"))
    assert "top-secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["a:b.db", "C:/journals/chat.db", "/data/redis:/chat.db"])
def test_a_file_whose_name_has_a_colon_is_a_file(name: str) -> None:
    assert Settings(journal=name).journal == Path(name)
