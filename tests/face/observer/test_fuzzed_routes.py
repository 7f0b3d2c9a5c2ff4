"""Whatever is asked of an admin route, no answer is an internal error."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.face.http_get import get
from tests.face.observer.browsing import LOOK
from tests.face.observer.users.accounts import HOSTILE, asked, report
from tests.protocol.server import ADMIN, Server, serving

pytestmark = pytest.mark.requirement("R42")

ID = "01m8hm2m8heknawvtyvaj4vv9x"
PARTS = [
    *("%00", "%ff", "%ed%a0%80", "%zz", "..%2F..", "-1", "1e308", "9" * 16, "a" * 3_000),
    *(quote(text, safe="") for text in (HOSTILE, "a\u202eb\x1b[31m", "\U0010ffff", "_%'\"\\")),
    *(f"{kind}_{ID}" for kind in ("evt", "run", "thread", "sess")),
]
"""What stands where an id, or the value of a parameter, is expected: percent-encoded."""

PARAMETERS = {
    "/admin/tree": "children",
    "/admin/node": "path",
    "/admin/nodes": "under open sort search offset limit",
    "/admin/users": "begins after limit active",
    "/admin/users/*": "before texts",
    "/admin/users/*/export": "after",
    "/admin/users/*/disconnect": "reason until reconnect runs",
    "/admin/runs/*": "after limit texts user&say say&user",
    "/admin/threads/*": "user title&user archived&user",
    "/admin/dead-letters": "user outcome after limit",
    "/admin/usage": "by days names",
}


def requests_to(server: Server) -> Iterator[tuple[str, str]]:
    """The method and the address of each."""
    run = report(server, "alice")
    subjects = {"users": "alice", "runs": run, "threads": asked(server, f"runs/{run}")["thread"]}
    for route in server.runtime.listening._admin_routes():
        method, _, path = route.rpartition(" ")
        if path.startswith("/admin/") and path not in ("/admin/session", "/admin/nodes/changes"):
            for part in PARTS:
                yield method or "GET", path.replace("*", part)
            subject = subjects.get(path.split("/")[2], "")
            for query in queries_of(path):
                yield method or "GET", f"{path.replace('*', subject)}?{query}"


def queries_of(path: str) -> Iterator[str]:
    for names in PARAMETERS.get(path, "").split():
        name, _, also = names.partition("&")
        for part in PARTS:
            yield f"{name}={part}&{also}=nobody" if also else f"{name}={part}"


def test_no_answer_of_an_admin_route_is_an_internal_error() -> None:
    with serving(admin_token=ADMIN, look_token=LOOK) as server:
        answers = [
            (get(server, path, method=method)[0], method, path)
            for method, path in requests_to(server)
        ]
    assert len(answers) > 700
    assert [each for each in answers if each[0] >= 500] == []
