"""The admin endpoints: with a token or a session, look into the tree and settle dead letters.

| request | answers |
|---|---|
| `GET /admin/tree` | the tree; `?children=n` shows the first n children of each supervisor (100) |
| `GET /admin/explanations/EVENT` | an event with the cause of what failed |
| `POST /admin/dead-letters/EVENT` | emits the event again; its new id and offset |
| `DELETE /admin/dead-letters/EVENT` | forgets the letter; its id |

`GET /admin/tree?node=n` is refused unless this is node n of the servers that share a journal.
What concerns crashes is in `crashes`, what concerns a user in `users_door`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial

import attrs
import orjson

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.admin.guard import Guard, LooksOnly
from greenroom.admin.queries import asked_in, whole_number
from greenroom.delivery.dead_letters import DeadLetters
from greenroom.delivery.errors import UnknownEvent, UnknownUser
from greenroom.delivery.events.threads import UnknownThread
from greenroom.delivery.history.explanation import explain
from greenroom.delivery.journal.journal import Journal
from greenroom.supervisor.inspection.as_json import dump_tree
from greenroom.supervisor.inspection.tree import snapshot
from greenroom.supervisor.static_supervisor_ref import StaticSupervisorRef
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response, json_answer
from greenroom.visitors import Role

TREE, DEAD_LETTERS = "/admin/tree", "/admin/dead-letters"
EXPLANATIONS = "/admin/explanations"
REQUEUED, DROPPED = "greenroom.requeued/1", "greenroom.dropped/1"
MOST_CHILDREN = 1000

logger = logging.getLogger("greenroom")


class AnotherNode(GreenroomError):
    """Another node of the cluster was asked for than the one that answers."""

    fault = Fault.CALLER


@attrs.frozen
class AdminDoor:
    """Checks the visitor, then answers from the tree below `root`. Looking sends no message.

    `more`: other routes, for the same visitors.
    """

    root: StaticSupervisorRef
    dead_letters: DeadLetters
    journal: Journal
    guard: Guard
    clock: Callable[[], float] = time.time
    more: Mapping[str, Handler] = attrs.field(factory=dict, repr=False)

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to a front door."""
        answers: Mapping[str, Handler] = {
            TREE: self._tree,
            f"{EXPLANATIONS}/*": self._explain,
            f"POST {DEAD_LETTERS}/*": self._requeue,
            f"DELETE {DEAD_LETTERS}/*": self._drop,
            **self.more,
        }
        return {path: partial(self._guarded, answer) for path, answer in answers.items()}

    async def _guarded(self, answer: Handler, head: RequestHead) -> Response:
        try:
            self.guard.check(head)
            return await answer(head)
        except BadRequest:
            raise
        except GreenroomError as error:
            return _refusal(error)

    async def _tree(self, head: RequestHead) -> Response:
        self._check_node(head)
        tree = snapshot(self.root, children=_asked_children(head))
        return json_answer(dump_tree(tree, at=self.clock()))

    def _check_node(self, head: RequestHead) -> None:
        """Raises `AnotherNode` if one is meant that listened here before, or on another machine."""
        asked, nodes = asked_in(head).get("node"), self.journal.nodes
        here = None if nodes is None else nodes.number
        if asked is not None and whole_number("node", asked[-1], digits=18) != here:
            raise AnotherNode(
                f"node {here} answers here, not {asked[-1]}",
                advice="run `greenroom nodes` again; an address like 127.0.0.1 is of one machine",
            )

    async def _explain(self, head: RequestHead) -> Response:
        found = await explain(self.journal, _last(head))
        may_read = self.guard.check(head) is Role.ACT
        return json_answer((found if may_read else found.without_data()).as_json())

    async def _requeue(self, head: RequestHead) -> Response:
        event = _last(head)
        again = await self.dead_letters.requeue(event)
        logger.info("dead letter %s was requeued by an admin, as %s", event, again.event)
        answer = {"schema": REQUEUED, "event": again.event, "offset": again.offset}
        return json_answer(orjson.dumps(answer))

    async def _drop(self, head: RequestHead) -> Response:
        event = _last(head)
        await self.dead_letters.drop(event)
        logger.info("dead letter %s was dropped by an admin", event)
        return json_answer(orjson.dumps({"schema": DROPPED, "event": event}))


def _refusal(error: GreenroomError) -> Response:
    """A visitor who was admitted may read the whole error."""
    said = {"error": error.message, "advice": error.advice}
    return json_answer(orjson.dumps(said), _status(error))


def _status(error: GreenroomError) -> int:
    if isinstance(error, LooksOnly):
        return 403
    if isinstance(error, AnotherNode):
        return 421  # RFC 9110 15.5.20: Misdirected Request
    if isinstance(error, UnknownThread | UnknownEvent | UnknownUser):
        return 404
    return 400 if error.fault is Fault.CALLER else 503


def _last(head: RequestHead) -> str:
    return head.path.rpartition("/")[2]


def _asked_children(head: RequestHead) -> int:
    asked = asked_in(head).get("children", ["100"])[-1]
    return min(whole_number("children", asked, digits=8), MOST_CHILDREN)
