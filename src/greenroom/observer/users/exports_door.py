"""The observer's endpoint that exports all that is kept of a user, a piece at a time.

| request | answers |
|---|---|
| `GET /admin/users/USER/export` | some lines of the export, for those who may act; `?after=` as the answer before said |

The lines of all answers together are the export that `greenroom users export` prints.
"""  # noqa: E501  # a table

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Mapping
from typing import Final

import attrs
import orjson

from greenroom.admin.guard import Guard
from greenroom.admin.users_door import USERS, user_of
from greenroom.delivery.events.exported import ExportPiece, ExportPlace
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.upkeep import journal_lines
from greenroom.delivery.user_data import ReadUserRows, check_kept, header_line, lines_of
from greenroom.observer.asking import text_asked
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response, json_answer

SCHEMA: Final = "greenroom.export/1"
ENOUGH: Final = 512 * 1024
"""Bytes after which an answer ends."""

logger = logging.getLogger("greenroom")


@attrs.frozen
class ExportsDoor:
    """Answers visitors that were checked.

    Where an export goes on is signed, for it names a table of the journal.
    """

    journal: Journal
    guard: Guard

    def routes(self) -> Mapping[str, Handler]:
        """The route to add to an admin door."""
        return {f"{USERS}/*/export": self._export}

    async def _export(self, head: RequestHead) -> Response:
        self.guard.check_reader(head)
        user, after = user_of(head), text_asked(head, "after")
        if after is None:
            await check_kept(self.journal, user)
            logger.info("the export of a user was asked for by an admin")
            lines, place, rows = header_line(user, self.journal.epoch), None, 0
        else:
            place, rows = self._place_of(user, after)
            lines = b""
        is_over = False
        while not is_over and len(lines) < ENOUGH:
            piece = await self._piece(user, place)
            lines += b"".join(lines_of(piece))
            rows, place, is_over = rows + len(piece.rows), piece.after, piece.after is None
        if is_over:
            lines += journal_lines.end_line(rows)
        said = {
            "schema": SCHEMA,
            "user": user,
            "lines": lines.decode(),
            "after": None if place is None else self._mark_of(user, place, rows),
        }
        return json_answer(orjson.dumps(said))

    async def _piece(self, user: UserId, place: ExportPlace | None) -> ExportPiece:
        return await self.journal.ask(ReadUserRows(user, place), whose=user).wait()

    def _mark_of(self, user: UserId, place: ExportPlace, rows: int) -> str:
        body = orjson.dumps([user, place.table, list(place.key), rows])
        return base64.urlsafe_b64encode(self._signature(body) + body).decode()

    def _place_of(self, user: UserId, mark: str) -> tuple[ExportPlace, int]:
        """Raises `BadRequest` for a mark that this server did not give out for the user."""
        try:
            signed = base64.urlsafe_b64decode(mark.encode())
        except ValueError:
            signed = b""
        size = hashlib.sha256().digest_size
        if hmac.compare_digest(self._signature(signed[size:]), signed[:size]):
            whose, table, key, rows = orjson.loads(signed[size:])
            if whose == user:
                return ExportPlace(table, tuple(key)), rows
        raise BadRequest("`after` must be what the answer before said.")

    def _signature(self, body: bytes) -> bytes:
        key = self.guard.tokens.act or ""  # without one, there is no visitor who may read
        return hmac.digest(key.encode(), b"export" + body, "sha256")
