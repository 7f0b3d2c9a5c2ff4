"""The endpoint that finds a thread by its id alone.

`GET /admin/threads/THREAD` answers with `greenroom.thread/1`: the thread and whose it is; with
`?texts=yes` its title, too, for those who may act.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import orjson

from greenroom.admin.data_door import THREADS
from greenroom.admin.guard import Guard
from greenroom.delivery.events.ids import ThreadId
from greenroom.delivery.events.threads import UnknownThread
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import ReadThread, ReadThreadOwner
from greenroom.observer.asking import texts_asked
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response, json_answer

SCHEMA: Final = "greenroom.thread/1"


@attrs.frozen
class ThreadDoor:
    """Answers visitors that were checked."""

    journal: Journal
    guard: Guard

    def routes(self) -> Mapping[str, Handler]:
        """The route to add to an admin door."""
        return {f"{THREADS}/*": self._find}

    async def _find(self, head: RequestHead) -> Response:
        thread = ThreadId.parse(head.path.rpartition("/")[2])
        texts = texts_asked(head, self.guard)
        owner = await self.journal.ask(ReadThreadOwner(thread), whose=thread).wait()
        if owner is None:
            raise UnknownThread(
                f"no thread {thread} is kept that began when its id was made",
                advice="search for its user, or for an event or a run of it",
            )
        found = await self.journal.ask(ReadThread(owner, thread), whose=owner).wait()
        title = found.title if found is not None and texts else None
        said = {"schema": SCHEMA, "thread": thread, "user": owner, "title": title}
        return json_answer(orjson.dumps(said))
