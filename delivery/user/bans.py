"""The users whose connections are refused until some time (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from greenroom.actors.errors import Fault
from greenroom.actors.text.safe import safe_repr
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.events.ban import Ban
from greenroom.delivery.events.ids import UserId

MOST_BANS = 100_000
"""Some 20 MB."""


LATEST: Final = 253_402_300_800
"""What `datetime.max` is rounded to. A journal keeps ms in 64 bits."""


class TooManyBans(DeliveryError):
    """As many users are banned as may be. The user was not banned."""

    fault = Fault.CALLER
    temporary = True


class Bans:
    """Until when each user is banned, by `now` (seconds since the Unix epoch).

    At most `limit` of them are kept. A ban that is over is forgotten when its place is needed, and
    no sooner: it is in force again if the clock was ahead, and is then set right.
    """

    __slots__ = ("_limit", "_now", "_until")

    def __init__(self, now: Callable[[], float], limit: int = MOST_BANS) -> None:
        self._now = now
        self._limit = limit
        self._until: dict[UserId, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def ban(self, user: UserId, until: float) -> None:
        """Ban until then, in place of an earlier ban. Raises `ValueError` for a time that is past
        or too far off, and `TooManyBans`."""
        if not self._now() < until <= LATEST:
            words = "a time to come, in seconds since the Unix epoch, up to the year 10000"
            raise ValueError(f"`until` must be {words}, not {safe_repr(until)}")
        if user not in self._until and len(self._until) >= self._limit:
            self._forget_past()
            if len(self._until) >= self._limit:
                raise TooManyBans(
                    f"{self._limit} users are banned, and no more can be",
                    advice="let some of them in again, or ban users for less long",
                )
        self._until[user] = until

    def load(self, bans: Iterable[Ban]) -> None:
        """Take over what a journal has."""
        self._until = {ban.user: ban.until / 1000 for ban in bans}

    def entry(self, user: UserId) -> Ban:
        """What a journal must keep of the user's ban, or of there being none."""
        now = round(self._now() * 1000)
        until = self.until(user)
        return Ban(user, now if until is None else round(until * 1000), now)

    def lift(self, user: UserId) -> bool:
        """Let the user in again; False if the user was not banned."""
        was_banned = self.until(user) is not None
        self._until.pop(user, None)
        return was_banned

    def until(self, user: UserId) -> float | None:
        """When the user's ban ends; None if the user is not banned."""
        until = self._until.get(user)
        return None if until is None or until <= self._now() else until

    def _forget_past(self) -> None:
        now = self._now()
        self._until = {user: until for user, until in self._until.items() if until > now}
