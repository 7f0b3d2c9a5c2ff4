"""The admin endpoints that concern a user.

| request | answers |
|---|---|
| `POST /admin/users/USER/disconnect` | ends the user's connections; their number. `?reason=` is shown to the user, `?until=` (seconds since the Unix epoch) refuses the user till then, `?reconnect=yes` lets clients come back, `?runs=cancel` cancels the user's runs |
| `DELETE /admin/users/USER/disconnect` | admits the user again; whether the user was refused |

A user id is in UTF-8 and percent-encoded (RFC 3986), as are all values.
"""  # noqa: E501  # a table

from __future__ import annotations

import math
from collections.abc import Mapping
from urllib.parse import unquote

import attrs
import orjson

from greenroom.admin.disconnecting import Disconnects
from greenroom.admin.queries import asked_in
from greenroom.delivery.events.ids import UserId
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response, json_answer

USERS = "/admin/users"
DISCONNECTED, READMITTED = "greenroom.disconnected/1", "greenroom.readmitted/1"


@attrs.frozen
class UsersDoor:
    """Answers about users, to visitors that were checked."""

    disconnects: Disconnects

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to an admin door."""
        return {
            f"POST {USERS}/*/disconnect": self._disconnect,
            f"DELETE {USERS}/*/disconnect": self._readmit,
        }

    async def _disconnect(self, head: RequestHead) -> Response:
        user, asked = user_of(head), _asked(head)
        until = _time_of(asked.get("until"))
        try:
            ended = await self.disconnects.disconnect(
                user,
                reason=asked.get("reason"),
                until=until,
                reconnect=_is(asked, "reconnect", "yes"),
                cancel_runs=_is(asked, "runs", "cancel"),
            )
        except ValueError as error:
            return json_answer(orjson.dumps({"error": str(error), "advice": ""}), 400)
        said = {"schema": DISCONNECTED, "user": user, "connections": ended, "until": until}
        return json_answer(orjson.dumps(said))

    async def _readmit(self, head: RequestHead) -> Response:
        user = user_of(head)
        was_refused = await self.disconnects.readmit(user)
        said = {"schema": READMITTED, "user": user, "was_refused": was_refused}
        return json_answer(orjson.dumps(said))


def user_of(head: RequestHead) -> UserId:
    """The user in `/admin/users/USER/…`. Raises `BadId` or `BadRequest`."""
    try:
        return UserId.parse(unquote(head.path.split("/")[3], errors="strict"))
    except UnicodeDecodeError as error:
        raise BadRequest("The user id must be in UTF-8.") from error


def _asked(head: RequestHead) -> Mapping[str, str]:
    """What the query asks for. Raises `BadRequest` for what is not known: a misspelt `until` must
    not let a user in."""
    asked = asked_in(head, keep_blank=True)
    known = {"reason", "until", "reconnect", "runs"}
    if any(name not in known or len(values) > 1 for name, values in asked.items()):
        raise BadRequest(f"The query may have each of {', '.join(sorted(known))} once.")
    return {name: values[0] for name, values in asked.items()}


def _is(asked: Mapping[str, str], name: str, wanted: str) -> bool:
    if asked.get(name, wanted) != wanted:
        raise BadRequest(f"`{name}` must be `{wanted}`, or be left out.")
    return name in asked


def _time_of(text: str | None) -> float | None:
    try:
        until = None if text is None else float(text)
    except ValueError:
        until = math.nan
    if until is not None and not math.isfinite(until):
        raise BadRequest("`until` must be a time in seconds since the Unix epoch.")
    return until
