"""What users and agents say is for those who may act: no other visitor reads it anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from tests.face.cli import greenroom
from tests.face.http_get import get
from tests.face.observer.browsing import LOOK
from tests.face.observer.users.accounts import asked, report
from tests.protocol.server import ADMIN, Server, serving

pytestmark = pytest.mark.requirement("R42")

SAID = "a secret word"


def events_of(server: Server, run: str) -> list[str]:
    return [each["event"]["id"] for each in asked(server, f"runs/{run}")["moments"]]


def paths(server: Server, run: str) -> Iterator[str]:
    """Of each answer that may be looked at and is about the run, its events, user and thread."""
    (thread,) = asked(server, "users/alice")["threads"]
    get(server, f"/admin/threads/{thread['thread']}?user=alice&title={quote(SAID)}", method="POST")
    yield from ("tree", "users", "users/alice", "crashes", "dead-letters", "overview")
    yield from (f"runs/{run}", f"threads/{thread['thread']}", "why/alice", f"why/{run}")
    for event in events_of(server, run):
        yield from (f"why/{event}", f"explanations/{event}")
    for node in asked(server, "nodes?search=alice")["rows"]:
        yield f"node?path={quote(node['path'])}"


def test_no_answer_has_the_texts_of_users_and_agents_for_a_visitor_who_may_look() -> None:
    with serving(admin_token=ADMIN, look_token=LOOK) as server:
        run = report(server, "alice", SAID)
        asked_for = list(paths(server, run))
        assert len(asked_for) > 20
        for path in asked_for:
            said = orjson.dumps(asked(server, path, LOOK)).decode()
            assert SAID not in said, path


def test_who_may_look_is_told_what_failed_and_not_what_was_said(tmp_path: Path) -> None:
    with serving(admin_token=ADMIN, look_token=LOOK) as server:
        event = events_of(server, report(server, "alice", SAID))[-1]
        found: Any = asked(server, f"explanations/{event}", LOOK)
        assert found["event"]["id"] == event
        assert "data" not in found["event"]
        assert "data" in asked(server, f"explanations/{event}")["event"]
        url = f"http://127.0.0.1:{server.port}"
        printed = greenroom("explain", event, "--url", url, "--token", LOOK, cwd=tmp_path)
        assert "what the event says needs the server's `admin_token`" in printed.out
