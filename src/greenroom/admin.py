"""The admin endpoints: whoever has the admin token may look into the tree, and only look.

| path | answers |
|---|---|
| `/admin/tree` | the tree; `?children=n` shows the first n of each supervisor's (100) |
| `/admin/crashes` | the kept crash reports in a line each, oldest first |
| `/admin/crashes/ID` | a whole one |
"""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import attrs
import orjson

from greenroom.supervisor.looking_json import dump_crash, dump_crashes, dump_tree
from greenroom.transport.auth import extract_token
from greenroom.transport.errors import BadRequest, BadToken
from greenroom.transport.front_door import Handler
from greenroom.transport.request_head import RequestHead
from greenroom.transport.responses import Response, json_answer

if TYPE_CHECKING:
    from greenroom.runtime import Runtime

TREE, CRASHES = "/admin/tree", "/admin/crashes"
MOST_CHILDREN = 1000
PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-real-ip")

Answer = Callable[[RequestHead], Response]


@attrs.frozen
class AdminDoor:
    """Checks who asks, then answers from the running `runtime`; nothing is told to any actor.

    The peer must be of this machine unless `anywhere`: a request that a proxy passed on is not.
    """

    runtime: Runtime
    token: str = attrs.field(repr=False)
    anywhere: bool = False
    clock: Callable[[], float] = time.time

    def routes(self) -> Mapping[str, Handler]:
        """What to add to a front door."""
        answers: Mapping[str, Answer] = {
            TREE: self._tree,
            CRASHES: self._crashes,
            f"{CRASHES}/*": self._crash,
        }
        return {path: partial(self._guarded, answer) for path, answer in answers.items()}

    async def _guarded(self, answer: Answer, head: RequestHead) -> Response:
        check_visitor(head, self.token, anywhere=self.anywhere)
        return answer(head)

    def _tree(self, head: RequestHead) -> Response:
        tree = self.runtime.tree(children=_asked_children(head))
        return json_answer(dump_tree(tree, at=self.clock()))

    def _crashes(self, _: RequestHead) -> Response:
        return json_answer(dump_crashes(self.runtime.crashes()))

    def _crash(self, head: RequestHead) -> Response:
        id_ = head.path.rpartition("/")[2]
        report = self.runtime.crash(id_)
        if report is None:
            said = {"error": f"no crash {id_[:20]!r} is kept"}
            return json_answer(orjson.dumps(said), 404)
        return json_answer(dump_crash(report))


def check_visitor(head: RequestHead, token: str | None, *, anywhere: bool) -> None:
    """Raise `BadRequest` for who is not of this machine (unless `anywhere`) or lacks the token."""
    if not (anywhere or _is_local(head)):
        raise BadRequest("Only this machine may look in.", status=403)
    if token is not None and not hmac.compare_digest(_token_of(head).encode(), token.encode()):
        raise BadRequest(
            "The admin token is needed.", status=401, headers={"WWW-Authenticate": "Bearer"}
        )


def _token_of(head: RequestHead) -> str:
    try:
        return extract_token(head) or ""
    except BadToken:
        return ""


def _asked_children(head: RequestHead) -> int:
    asked = parse_qs(head.query).get("children", ["100"])[-1]
    if not (asked.isascii() and asked.isdigit() and len(asked) < 9):
        raise BadRequest("children is a whole number.")
    return min(int(asked), MOST_CHILDREN)


def _is_local(head: RequestHead) -> bool:
    if head.peer is None or any(next(head.all(name), None) for name in PROXY_HEADERS):
        return False
    address = ipaddress.ip_address(head.peer.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
