"""The admin endpoints that change or erase what is kept of a user.

| request | answers |
|---|---|
| `DELETE /admin/users/USER` | erases all that is kept of the user, whose connections and runs end first |
| `POST /admin/threads/THREAD?user=USER` | changes a thread: `&title=` names it, `&archived=yes` or `no` |
| `DELETE /admin/threads/THREAD?user=USER` | erases the thread |

Of a user or a thread of which nothing is kept, the answer has status 404.

A user id is in UTF-8 and percent-encoded (RFC 3986), as are all values.
"""  # noqa: E501  # a table

from __future__ import annotations

from collections.abc import Mapping

import attrs
import orjson

from greenroom.admin.queries import asked_in
from greenroom.admin.user_data import UserData
from greenroom.admin.users_door import USERS, user_of
from greenroom.delivery.threads import Threads
from greenroom.delivery.user_data import check_kept
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response, json_answer

THREADS = "/admin/threads"
ERASED, CHANGED = "greenroom.erased/1", "greenroom.thread/1"
_FLAGS = {"yes": True, "no": False}


@attrs.frozen
class DataDoor:
    """Answers about what is kept of users, to visitors that were checked."""

    data: UserData

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to an admin door."""
        return {
            f"DELETE {USERS}/*": self._erase_user,
            f"POST {THREADS}/*": self._change,
            f"DELETE {THREADS}/*": self._erase,
        }

    async def _erase_user(self, head: RequestHead) -> Response:
        user = user_of(head)
        await check_kept(self.data.journal, user)
        await self.data.erase_user(user)
        return _done(ERASED, user=user)

    async def _change(self, head: RequestHead) -> Response:
        threads, thread, asked = self._asked(head)
        title, archived = asked.get("title"), asked.get("archived")
        if title is None and archived not in _FLAGS:
            raise BadRequest("The query must have a `title`, or `archived` with `yes` or `no`.")
        try:
            if title is not None:
                await threads.title(thread, title)
        except ValueError as error:
            return json_answer(orjson.dumps({"error": str(error), "advice": ""}), 400)
        if archived in _FLAGS:
            await threads.archive(thread, archived=_FLAGS[archived])
        return _done(CHANGED, thread=thread)

    async def _erase(self, head: RequestHead) -> Response:
        threads, thread, _ = self._asked(head)
        await threads.show(thread)  # an id that is misspelt is not erased
        await threads.erase(thread)
        return _done(ERASED, thread=thread)

    def _asked(self, head: RequestHead) -> tuple[Threads, str, Mapping[str, str]]:
        asked = {name: values[-1] for name, values in asked_in(head).items()}
        if "user" not in asked:
            raise BadRequest("The query must have the thread's `user`.")
        return self.data.threads(user=asked["user"]), head.path.rpartition("/")[2], asked


def _done(schema: str, **fields: str) -> Response:
    return json_answer(orjson.dumps({"schema": schema, **fields}))
