"""The admin endpoints that show dead letters; `POST` and `DELETE` settle one (see `AdminDoor`).

| request | answers |
|---|---|
| `GET /admin/dead-letters` | a page of dead letters, oldest first: see `_Wanted` |
| `GET /admin/dead-letters/EVENT` | a dead letter and its event, for who may read texts |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import orjson

from greenroom.admin.door import DEAD_LETTERS
from greenroom.admin.guard import Guard
from greenroom.admin.queries import asked_in, whole_number_to
from greenroom.delivery.dead_letters import letter_json, no_letter
from greenroom.delivery.events.ids import EventId, UserId
from greenroom.delivery.events.record import DeadLetter
from greenroom.delivery.journal.journal import Journal
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response, json_answer

LETTERS, LETTER = "greenroom.dead-letters/1", "greenroom.dead-letter/1"
MOST: Final = 200
EXAMINED: Final = 1_000
"""Letters that one request reads at most. If few of them are wanted, the page is short."""

OUTCOMES: Final = ("expired", "dead_lettered")


@attrs.frozen
class _Wanted:
    """`?user=` and `?outcome=` choose, `?after=EVENT` is where the last page ended, `?limit=` how
    many (100)."""

    user: UserId | None
    outcome: str | None
    after: EventId | None
    limit: int

    @classmethod
    def by(cls, head: RequestHead) -> _Wanted:
        """Raises `BadRequest` and `BadId`."""
        asked = {name: values[-1] for name, values in asked_in(head).items()}
        user, outcome, after = asked.get("user"), asked.get("outcome"), asked.get("after")
        if outcome is not None and outcome not in OUTCOMES:
            raise BadRequest(f"`outcome` must be one of {', '.join(OUTCOMES)}.")
        return cls(
            UserId.parse(user) if user is not None else None,
            outcome,
            EventId.parse(after) if after is not None else None,
            whole_number_to("limit", asked.get("limit", "100"), MOST),
        )


@attrs.frozen
class LettersDoor:
    """Answers visitors that were checked."""

    journal: Journal
    guard: Guard

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to an admin door."""
        return {DEAD_LETTERS: self._list, f"{DEAD_LETTERS}/*": self._show}

    async def _list(self, head: RequestHead) -> Response:
        found, after = await self._page(_Wanted.by(head))
        shown = [orjson.Fragment(letter_json(letter)) for letter in found]
        return json_answer(orjson.dumps({"schema": LETTERS, "letters": shown, "after": after}))

    async def _page(self, wanted: _Wanted) -> tuple[list[DeadLetter], EventId | None]:
        """The letters, and where the next page begins; None if there is none."""
        read = await self.journal.dead_letters(
            user=wanted.user, after=wanted.after, limit=EXAMINED + 1
        )
        found = [each for each in read[:EXAMINED] if wanted.outcome in (None, each.outcome)]
        if len(found) > wanted.limit:
            return found[: wanted.limit], found[wanted.limit - 1].event
        return found, read[EXAMINED - 1].event if len(read) > EXAMINED else None

    async def _show(self, head: RequestHead) -> Response:
        self.guard.check_reader(head)
        event = EventId.parse(head.path.rpartition("/")[2])
        letter = await self.journal.dead_letter(event)
        if letter is None:
            raise no_letter(event)
        shown = letter_json(letter, await self.journal.find(event))
        said = {"schema": LETTER, "letter": orjson.Fragment(shown)}
        return json_answer(orjson.dumps(said))
