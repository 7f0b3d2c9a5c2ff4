"""The admin endpoint about usage.

`GET /admin/usage?by=day&days=7` answers with `greenroom.usage/1`. Users are pseudonyms, the same
for one user as long as the admin token is, unless a visitor who may act asks for `names=yes`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import attrs

from greenroom.admin.guard import Guard, LooksOnly
from greenroom.admin.queries import asked_in, whole_number_to
from greenroom.delivery.history.usage import OTHERS, By
from greenroom.delivery.history.usage_json import as_json, itself
from greenroom.observer.usage_counts import UsageCounts
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response, json_answer
from greenroom.visitors import Role

USAGE: Final = "/admin/usage"
MOST_DAYS: Final = 366


@attrs.frozen
class UsageDoor:
    """Answers visitors that were checked. `key` makes the pseudonyms."""

    counts: UsageCounts
    guard: Guard
    key: str = attrs.field(repr=False)

    def routes(self) -> Mapping[str, Handler]:
        """The route to add to an admin door."""
        return {USAGE: self._usage}

    async def _usage(self, head: RequestHead) -> Response:
        asked = {name: values[-1] for name, values in asked_in(head).items()}
        by = _by(asked.get("by", By.DAY))
        days = whole_number_to("days", asked.get("days", "7"), MOST_DAYS)
        named = self._may_name(head, asked.get("names", "no"))
        counted = await self.counts.of(days, by)
        called = itself if named or by is not By.USER else self._pseudonym
        return json_answer(as_json(counted.usage, counted.period, called))

    def _may_name(self, head: RequestHead, asked: str) -> bool:
        if asked not in ("yes", "no"):
            raise BadRequest(f"`names` must be `yes` or `no`, not {asked[:20]!r}.")
        if asked == "yes" and self.guard.check(head) is not Role.ACT:
            raise LooksOnly(
                "this token may not see the names of users", advice="use the server's `admin_token`"
            )
        return asked == "yes"

    def _pseudonym(self, user: str) -> str:
        if user == OTHERS:
            return user
        digest = hmac.new(self.key.encode(), user.encode(), hashlib.sha256).hexdigest()
        return f"user-{digest[:12]}"


def _by(text: str) -> By:
    try:
        return By(text)
    except ValueError as error:
        known = ", ".join(By)
        raise BadRequest(f"`by` must be one of {known}, not {text[:20]!r}.") from error
