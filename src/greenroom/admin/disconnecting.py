"""Throwing a user out: the connections end at once, and may be refused until some time."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime

import attrs
import trio

from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply
from greenroom.actors.text.wording import kind_of
from greenroom.delivery.errors import JournalError
from greenroom.delivery.events.ban import Ban
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.nodes.notice import Notice, What
from greenroom.delivery.events.record import Entry
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.nodes import notices_of
from greenroom.delivery.log_context import bound
from greenroom.delivery.user.bans import Bans, TooManyBans
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.users import Users
from greenroom.supervisor.errors import SupervisorError
from greenroom.transport.connection.machine.events import Disconnected, Draining

BANS_AT_ONCE = 10_000
LONGEST_REASON = 500
"""Characters of a reason: it is shown to the user."""

RECONNECT = (500, 2_000)
"""When a client that may come back does: ms to wait, and the most ms of jitter to add."""

logger = logging.getLogger("greenroom")


@attrs.frozen
class Disconnects:
    """What `Runtime.disconnect` and `Runtime.readmit` do."""

    users: Users
    bans: Bans
    journal: Journal

    async def load(self) -> None:
        """Take over the refusals that the journal has. A journal that cannot be read serves no
        user, and keeps no server from starting. From now on other nodes' refusals are followed."""
        self.users.access = self
        found: list[Ban] = []
        try:
            while page := await self.journal.bans(after=_last(found), limit=BANS_AT_ONCE):
                found += page
        except JournalError as error:
            logger.error("who is refused could not be read from the journal: %s", error)
        else:
            self.bans.load(found)

    async def disconnect(
        self,
        user: UserId,
        *,
        reason: str | None = None,
        until: datetime | float | None = None,
        reconnect: bool = False,
        cancel_runs: bool = False,
    ) -> int:
        """Return once none of the user's connections is sent anything any more, and the journal has
        kept the refusal and that cancelled runs do not go on; the number of the connections."""
        reason, seconds = _checked_reason(reason), None if until is None else _seconds(until)
        banned = self._banned(user, seconds)
        ms = 0 if seconds is None else round(seconds * 1000)
        of = reason or "", int(reconnect), int(cancel_runs), ms
        notices = notices_of(self.journal, user, What.DISCONNECTED, *of)
        owed = self._keep([*banned, *notices])
        words = Disconnected(reason, RECONNECT if reconnect else None)
        handle = self.users.find(user)
        refs = [] if handle is None else list(connections_of(handle))
        for ref in refs:
            ref.tell_owed(words)
        if cancel_runs:
            owed += await self._cancel_runs(user)
        with bound(user=str(user)):
            logger.info("disconnected by the service: %d connections", len(refs))
        await _wait_stopped(refs)
        for kept in owed:
            await kept.wait()
        return len(refs)

    async def _cancel_runs(self, user: UserId) -> list[Reply[None]]:
        """Also those of a user whom no server has in memory: they wait for a worker. Raises
        `UserUnavailable`."""
        if self.journal.nodes is None and self.users.find(user) is None:
            return []
        async with self.users.lease(user) as handle:
            return handle.cancel_all()

    def noticed(self, notice: Notice) -> None:
        """Another node has disconnected the user, or lets the user in again; the journal knows."""
        if notice.what is What.READMITTED:
            self.bans.lift(notice.user)
            return
        reason, reconnect, cancel_runs, until, *_ = notice.of
        if until:
            with suppress(ValueError, TooManyBans):  # it is over by this clock, or there is no room
                self.bans.ban(notice.user, int(until) / 1000)
        if (handle := self.users.find(notice.user)) is not None:
            words = Disconnected(str(reason) or None, RECONNECT if reconnect else None)
            for ref in connections_of(handle):
                ref.tell_owed(words)
            if cancel_runs:
                handle.cancel_all()

    def _banned(self, user: UserId, until: float | None) -> list[Entry]:
        """What is to be kept of the ban, which is in force at once."""
        if until is None:
            return []
        self.bans.ban(user, until)
        return [self.bans.entry(user)]

    def _keep(self, entries: Sequence[Entry]) -> list[Reply[None]]:
        """On their way to the journal at once, whatever becomes of the caller."""
        return [self.journal.append_soon(entries)] if entries else []

    async def readmit(self, user: UserId) -> bool:
        """Let the user in again; False if that was so already."""
        was_banned = self.bans.lift(user)
        with bound(user=str(user)):
            logger.info("admitted again" if was_banned else "admitted again, and always was")
        notices = notices_of(self.journal, user, What.READMITTED)
        await self.journal.append_soon([self.bans.entry(user), *notices]).wait()
        return was_banned


def _last(bans: Sequence[Ban]) -> UserId | None:
    return bans[-1].user if bans else None


class UserAccess:
    """The part of a runtime that says who may connect."""

    def __init__(self, disconnects: Disconnects) -> None:
        self._disconnects = disconnects

    async def disconnect(
        self,
        user: str,
        *,
        reason: str | None = None,
        until: datetime | float | None = None,
        reconnect: bool = False,
        cancel_runs: bool = False,
    ) -> int:
        """End every connection of a user at once, with close code 4509; their number.

        The user sees `reason`. `until` (with a time zone, or in seconds since the Unix epoch) no
        connection of the user is admitted. With `reconnect` clients come back by themselves, and
        bring a new token if they can. Runs go on, unless `cancel_runs`. Raises `BadId`,
        `ValueError` for a time that is past or a long reason, `TooManyBans`, and a `JournalError`
        if the user is disconnected but a restart would forget `until`, or other nodes do not know.
        """
        return await self._disconnects.disconnect(
            UserId.parse(user),
            reason=reason,
            until=until,
            reconnect=reconnect,
            cancel_runs=cancel_runs,
        )

    async def readmit(self, user: str) -> bool:
        """Admit a user again before the `until` of `disconnect`; False if none was in force. Raises
        `BadId`, or a `JournalError` if the user is admitted but a restart would forget that."""
        return await self._disconnects.readmit(UserId.parse(user))


def connections_of(user: UserHandle) -> Iterator[Ref[Disconnected | Draining]]:
    """The user's connections, whether or not they are ready."""
    with suppress(SupervisorError):  # the user's actors restart: there is no connection now
        for child in user.connections.which_children():
            if isinstance(child.value, Ref):
                yield child.value


async def _wait_stopped(refs: list[Ref[Disconnected | Draining]]) -> None:
    async with trio.open_nursery() as nursery:
        for ref in refs:
            nursery.start_soon(ref.wait_stopped)


def _checked_reason(reason: str | None) -> str | None:
    if reason is not None and not _is_shown(reason):
        raise ValueError(f"`reason` must be a text of at most {LONGEST_REASON} characters")
    return reason or None


def _is_shown(reason: object) -> bool:
    """Half a surrogate pair is no text that JSON could hold."""
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in reason)


def _seconds(until: object) -> float:
    """Since the Unix epoch. A time without a zone could mean any of them."""
    if isinstance(until, datetime):
        if until.utcoffset() is None:
            raise ValueError(f"`until` must have a time zone, unlike {until!r}")
        return until.timestamp()
    if isinstance(until, int | float) and not isinstance(until, bool):
        return until
    words = "a datetime, or a number of seconds since the Unix epoch"
    raise ValueError(f"`until` must be {words}, not {kind_of(until)}")
