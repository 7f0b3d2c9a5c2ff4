"""The observer's endpoints on users.

| request | answers |
|---|---|
| `GET /admin/users` | users by their ids: `?begins=` how the id begins, `?after=` the last id of the page before, `?limit=` (50, at most 200), `?active=yes` only those served now |
| `GET /admin/users/USER` | what is known of a user; `?before=` an offset before which runs are looked for, `?texts=yes` with the titles of threads, for those who may act |

A user id is in UTF-8 and percent-encoded (RFC 3986), as are all values.
"""  # noqa: E501  # a table

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Final

import attrs
import orjson

from greenroom.admin.guard import Guard
from greenroom.admin.users_door import USERS, user_of
from greenroom.admin.why_door import LookedAt
from greenroom.delivery.errors import UnknownUser
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.threads import Thread
from greenroom.delivery.history.unseen.evidence import LiveUser
from greenroom.delivery.history.user_account import ReadUserAccount, UserAccount
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.user.handle import UserHandle
from greenroom.observer.asking import number_asked, text_asked, texts_asked
from greenroom.supervisor.errors import SupervisorError
from greenroom.supervisor.inspection.tree import TreeNode, snapshot
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response, json_answer

LIST, ACCOUNT = "greenroom.users/1", "greenroom.account/1"
USUAL: Final = 50
MOST: Final = 200
LATEST: Final = 2**53
CONNECTIONS: Final = 50
"""Connections of a user that are shown."""


@attrs.frozen
class ReadUsers(Question[Sequence[UserId]]):
    """Users that a journal knows, by how their ids begin."""

    begins: str
    after: UserId | None
    limit: int

    def answer(self, reads: Reads) -> Sequence[UserId]:
        return reads.user_list.page(self.begins, self.after, self.limit)


@attrs.frozen
class AccountsDoor:
    """Answers visitors that were checked. Looking sends no message to an actor."""

    looked: LookedAt
    guard: Guard

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to an admin door."""
        return {USERS: self._list, f"{USERS}/*": self._account}

    async def _list(self, head: RequestHead) -> Response:
        begins, after = text_asked(head, "begins") or "", text_asked(head, "after") or ""
        limit = max(1, number_asked(head, "limit", usual=USUAL, most=MOST) or 1)
        active = (each.user for each in self.looked.users.active())
        known = [user for user in active if user.startswith(begins) and user > after]
        if text_asked(head, "active") != "yes":
            question = ReadUsers(begins, UserId.trusted(after) if after else None, limit + 1)
            known += await self.looked.journal.ask(question, whose=USERS).wait()
        page = nsmallest(limit + 1, set(known))
        said = {
            "schema": LIST,
            "at": self._now(),
            "users": [self._line(user) for user in page[:limit]],
            "more": len(page) > limit,
        }
        return json_answer(orjson.dumps(said))

    def _line(self, user: UserId) -> Mapping[str, object]:
        handle = self.looked.users.find(user)
        return {
            "user": user,
            "active": handle is not None,
            "connections": handle.gauge.listening if handle else 0,
            "runs": len(handle.live_runs) if handle else 0,
            "behind": handle.gauge.behind if handle else 0,
            "banned_until": _ms(self.looked.bans.until(user)),
        }

    async def _account(self, head: RequestHead) -> Response:
        user = user_of(head)
        before = number_asked(head, "before", usual=None, most=LATEST)
        texts = texts_asked(head, self.guard)
        question = ReadUserAccount(user, before)
        kept = await self.looked.journal.ask(question, whose=user).wait()
        live, handle = self.looked.live(user), self.looked.users.find(user)
        if not (kept.is_kept or handle or live.past or live.banned_until):
            raise UnknownUser(f"nothing is known of {user}", advice="check the user's id")
        said = {
            "schema": ACCOUNT,
            "at": self._now(),
            "texts": texts,
            **_kept(kept, texts=texts),
            **_live(live, handle),
        }
        return json_answer(orjson.dumps(said))

    def _now(self) -> int:
        return round(self.looked.wall_clock() * 1000)


def _kept(account: UserAccount, *, texts: bool) -> Mapping[str, object]:
    fields = attrs.asdict(account)
    fields["threads"] = [_thread(each, texts=texts) for each in account.threads]
    return fields


def _thread(thread: Thread, *, texts: bool) -> Mapping[str, object]:
    fields = thread.as_json()
    return fields if texts else {**fields, "title": None, "last": {"kind": thread.last.kind}}


def _live(live: LiveUser, handle: UserHandle | None) -> Mapping[str, object]:
    return {
        "active": handle is not None,
        "live_runs": list(handle.live_runs) if handle else [],
        "connections": _connections(live, handle),
        "past": [{**attrs.asdict(each), "at": _ms(each.at)} for each in live.past],
        "banned_until": _ms(live.banned_until),
        "crashes": [{**attrs.asdict(each), "at": _ms(each.at)} for each in live.crashes],
    }


def _connections(live: LiveUser, handle: UserHandle | None) -> Sequence[Mapping[str, object]]:
    """Those that are open, ready or not."""
    standings = {str(each.connection): each for each in live.connections}
    return [
        {
            "connection": node.id,
            "phase": node.phase,
            "path": node.path,
            "seconds": round(node.uptime, 3),
            "waiting": node.waiting,
            "standing": attrs.asdict(standings[node.id]) if node.id in standings else None,
        }
        for node in _nodes(handle)
    ]


def _nodes(handle: UserHandle | None) -> Iterable[TreeNode]:
    try:
        return snapshot(handle.connections, children=CONNECTIONS).children if handle else ()
    except SupervisorError:  # the user's actors restart, or stop
        return ()


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
