"""`greenroom threads` and `greenroom users export|erase`, on a file and beside a running server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import attrs
import pytest

from tests.face.cli import Result, greenroom
from tests.protocol.client import Client, Json
from tests.protocol.server import ADMIN, Server, serving, token_for

USER = "user-of-the-command-line"


@attrs.frozen
class Place:
    """A directory with a journal; `options` name the server that has it open, if one has."""

    directory: Path
    thread: str
    options: tuple[str, ...] = ()

    def call(self, *words: str) -> Result:
        return greenroom(*words, "--journal", "g.db", cwd=self.directory)

    def change(self, *words: str) -> Result:
        return self.call(*words, *self.options)

    def listed(self, *words: str) -> list[Json]:
        out = self.call("threads", "list", USER, "--json", *words).out
        return [json.loads(line) for line in out.splitlines()]


def talk(server: Server) -> str:
    with Client(server.port, token_for(USER)) as client:
        client.hello()
        thread: str = client.story("my diagnosis")[0]["thread"]
    return thread


@pytest.fixture(params=["at rest", "beside a server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with serving(journal=tmp_path / "g.db", admin_token=ADMIN) as server:
        thread = talk(server)
        if request.param == "beside a server":
            url = f"http://127.0.0.1:{server.port}"
            yield Place(tmp_path, thread, ("--url", url, "--token", ADMIN))
            return
    yield Place(tmp_path, thread)


@pytest.mark.requirement("R50")
def test_an_operator_lists_names_and_archives_a_users_threads(place: Place) -> None:
    [thread] = place.listed()
    assert (thread["thread"], thread["title"]) == (place.thread, "my diagnosis")
    assert place.change("threads", "title", USER, place.thread, "Rome").code == 0
    assert "Rome" in place.call("threads", "list", USER).out
    assert json.loads(place.call("threads", "show", USER, place.thread).out)["title"] == "Rome"
    assert place.change("threads", "archive", USER, place.thread).code == 0
    assert place.listed() == []
    assert [each["title"] for each in place.listed("--archived")] == ["Rome"]
    assert place.change("threads", "archive", USER, place.thread, "--back").code == 0
    assert len(place.listed()) == 1


@pytest.mark.requirement("R50")
def test_an_operator_erases_a_thread_only_with_yes(place: Place) -> None:
    refused = place.change("threads", "erase", USER, place.thread)
    assert (refused.code, refused.out) == (2, "")
    assert f"nothing was erased\ngreenroom: add --yes to erase {place.thread}" in refused.err
    assert len(place.listed()) == 1
    assert place.change("threads", "erase", USER, place.thread, "--yes").code == 0
    assert place.listed() == []
    assert all(b"diagnosis" not in each.read_bytes() for each in place.directory.glob("g.db*"))


def test_a_thread_that_the_user_does_not_have_is_an_error(place: Place) -> None:
    for words in (
        ("title", "somebody", place.thread, "mine"),
        ("erase", "somebody", place.thread, "--yes"),
    ):
        done = place.change("threads", *words)
        assert (done.code, done.out) == (1, "")
        assert "no thread" in done.err
    for title in ("", "x" * 201, " \t\u2003"):
        refused = place.change("threads", "title", USER, place.thread, title)
        assert (refused.code, "ValueError" in refused.err) == (2, False)
        assert "a title must have 1 to 200 characters, not only spaces" in refused.err


@pytest.mark.requirement("R55")
def test_an_operator_exports_and_erases_a_user(place: Place) -> None:
    lines = [json.loads(each) for each in place.call("users", "export", USER).out.splitlines()]
    assert lines[0]["schema"] == "greenroom.user/1"
    assert lines[-1] == {"end": len(lines) - 2}
    [said] = [each["log"]["body"] for each in lines if each.get("log", {}).get("say")]
    assert said["data"]["body"] == "my diagnosis"
    refused = place.change("users", "erase", USER)
    assert (refused.code, refused.out) == (2, "")
    assert (
        f"nothing was erased\ngreenroom: add --yes to erase all that is kept of {USER}"
        in refused.err
    )
    erased = place.change("users", "erase", USER, "--yes").out
    assert erased == f"all that was kept of {USER} is erased\n"
    left = place.call("users", "export", USER).out.splitlines()
    assert [json.loads(each).keys() for each in left] == [{"schema", "user", "epoch"}, {"end"}]
    for file in place.directory.glob("g.db*"):
        assert USER.encode() not in file.read_bytes()
    again = place.change("users", "erase", USER, "--yes")
    assert (again.code, again.out) == (1, "")
    assert f"nothing is kept of {USER}" in again.err


def test_a_user_of_whom_nothing_is_kept_is_not_said_to_be_exported(
    tmp_path: Path,
) -> None:
    with serving(journal=tmp_path / "g.db") as server:
        place = Place(tmp_path, talk(server))
        assert place.call("users", "export", "misspelt").err == "nothing is kept of misspelt\n"
        assert place.call("users", "export", USER).err == ""


@pytest.mark.requirement("R55")
def test_an_export_has_the_title_that_the_list_shows_also_of_a_thread_of_an_older_version(
    tmp_path: Path,
) -> None:
    with serving(journal=tmp_path / "g.db") as server:
        place = Place(tmp_path, talk(server))
    with closing(apsw.Connection(str(tmp_path / "g.db"))) as database:
        database.execute("UPDATE thread SET title = NULL")
    [thread] = place.listed()
    lines = [json.loads(each) for each in place.call("users", "export", USER).out.splitlines()]
    [exported] = [each["thread"] for each in lines if "thread" in each]
    assert exported["title"] == thread["title"] == "my diagnosis"
    assert "text" not in thread["last"], "as on the wire: its last event has none"
