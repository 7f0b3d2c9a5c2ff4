"""The actor that writes for all users (questions: `look_up`).

It drains its mailbox into one `Journal.append`: a group commit for all users, whatever
the backend. Entries that arrive while the disk works form the next group.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

import attrs
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.errors import GreenroomError
from greenroom.actors.exit import ended_by
from greenroom.actors.ref import ActorStopped, Ask, Request
from greenroom.delivery.events.record import Entry, Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.observer import NO_OBSERVER, Observer

R = TypeVar("R")

HEAVY_BYTES = 64 * 1024
"""A user's entries with more bytes than this are committed after the other users' entries."""


@attrs.frozen
class Append(Request[None]):
    """Keep one user's entries. Answered when they and all entries sent before are durable."""

    entries: Sequence[Entry]


Group: TypeAlias = Sequence[Ask[Any]]  # Any: asks of a batch differ in the types of their answers


class JournalWriter(Actor[Append]):
    """Appends the entries of all users, a group at a time."""

    capacity = 100_000

    def __init__(self, journal: Journal, observer: Observer = NO_OBSERVER) -> None:
        self._journal = journal
        self._observer = observer

    async def receive_many(self, messages: deque[Append | Ask[object]]) -> None:
        group = [message for message in messages if isinstance(message, Ask)]
        self.recent.extend(group)
        try:
            for part in _light_first(group):
                await self._commit(part)
        except BaseException as error:
            for ask in group:
                ask.reply.fail(ActorStopped(self.ref.name, ended_by(error)))
            raise
        finally:
            messages.clear()

    async def _commit(self, group: Group) -> None:
        """Append the group at once; if refused, each ask alone, so that only the culprit fails."""
        try:
            await self._append([e for ask in group for e in _entries(ask)])
        except GreenroomError as error:  # a `JournalError`, or a `BadId` that is the user's fault
            self._observer.append_failed(type(error).__name__)
            if len(group) == 1:
                group[0].reply.fail(error)
            else:
                for ask in group:
                    await self._commit([ask])
        else:
            for ask in group:
                ask.reply.succeed(None)

    async def _append(self, entries: list[Entry]) -> None:
        if not entries:
            return  # an ask without entries waits for the entries before it, which are durable
        began = trio.current_time()
        await self._journal.append(entries)
        size = sum(len(entry.body) for entry in entries if type(entry) is Record)
        self._observer.appended(trio.current_time() - began, len(entries), size)


def _light_first(group: Group) -> Iterator[Group]:
    """Split a group so that a user with many entries does not hold up the other users' commit.
    Asks without entries wait for all entries before them, so they come last."""
    heavy = [ask for ask in group if _bytes(ask) > HEAVY_BYTES]
    if not heavy or len(heavy) == len(group):
        yield group
        return
    known = set(map(id, heavy))
    yield [ask for ask in group if id(ask) not in known and _entries(ask)]
    yield [ask for ask in group if id(ask) in known or not _entries(ask)]


def _bytes(ask: Ask[Any]) -> int:
    return sum(len(entry.body) for entry in _entries(ask) if type(entry) is Record)


def _entries(ask: Ask[Any]) -> Sequence[Entry]:
    assert isinstance(ask.request, Append), "the writer accepts no other request"
    return ask.request.entries
