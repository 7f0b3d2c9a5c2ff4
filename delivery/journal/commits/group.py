"""The appends of a group commit, and the order in which they are committed (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeAlias

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import Cursor, Entry, KeptCrash, Record, size_of

if TYPE_CHECKING:
    from greenroom.actors.reply import Reply

_user_of: Final = attrgetter("user")

HEAVY_BYTES: Final = 64 * 1024
"""A caller's entries with more bytes than this are committed after the other callers' entries."""


class Append:
    """One caller's entries, the place of its answer, the users of events, and the bytes of event
    bodies."""

    __slots__ = ("emitters", "entries", "reply", "size")

    def __init__(self, entries: Sequence[Entry], reply: Reply[None]) -> None:
        self.entries = entries
        self.reply = reply
        if entries and type(event := entries[0]) is Record and _at_most_a_cursor(entries[1:]):
            self.emitters, self.size = {event.user}, len(event.body)  # nearly always
            return
        records = [entry for entry in entries if type(entry) is Record]
        self.emitters = set(map(_user_of, records))
        self.size = size_of(records) + _size_of_crashes(entries)

    @property
    def users(self) -> set[UserId]:
        return {entry.user for entry in self.entries if entry.user is not None}


def _at_most_a_cursor(rest: Sequence[Entry]) -> bool:
    return not rest or (len(rest) == 1 and type(rest[0]) is Cursor)


def _size_of_crashes(entries: Sequence[Entry]) -> int:
    return sum(len(entry.report) for entry in entries if type(entry) is KeptCrash)


Group: TypeAlias = Sequence[Append]


def emitters(group: Iterable[Append]) -> set[UserId]:
    """The users with an event in a group."""
    return set().union(*[append.emitters for append in group])


def light_first(group: Group) -> Iterator[Group]:
    """Split a group so that a caller with many bytes does not hold up the other callers' commit.

    Appends without entries wait for all entries before them, so they come last. So do those of a
    user with a heavy append: a user's entries stay in their order.
    """
    heavy = [append for append in group if append.size > HEAVY_BYTES]
    if not heavy or len(heavy) == len(group):
        yield group
        return
    late = {user for append in heavy for user in append.users}
    light = [each for each in group if each.entries and late.isdisjoint(each.users)]
    known = set(map(id, light))
    if light:
        yield light
    yield [append for append in group if id(append) not in known]
