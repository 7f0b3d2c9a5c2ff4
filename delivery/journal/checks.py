"""Checks that every backend makes before it keeps entries: kinds of ids, gaps (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter

from greenroom.delivery.errors import AlreadySaid, OutOfSequence
from greenroom.delivery.events.ban import Ban
from greenroom.delivery.events.going_on import GoesOn, NotAgain, StepResult
from greenroom.delivery.events.ids import EventId, RequestId, RunId, SessionId, ThreadId, UserId
from greenroom.delivery.events.nodes.notice import Notice
from greenroom.delivery.events.policy import RunPolicy, RunSettled
from greenroom.delivery.events.record import (
    Cursor,
    DeadLetter,
    Entry,
    FailureCause,
    KeptCrash,
    Record,
    Said,
    Settled,
    Unsaid,
)
from greenroom.delivery.files.entries import FileEntry, FilesSaid


def last_offsets(entries: Iterable[Entry], last: Callable[[UserId], int]) -> dict[UserId, int]:
    """The last offset of each user after a batch; `last(user)` is the one before it.

    Raises `OutOfSequence` at the first record that does not continue its user's log.
    """
    lasts: dict[UserId, int] = {}
    for entry in entries:
        if type(entry) is Record:
            user = entry.user
            known = lasts.get(user)
            expected = (last(user) if known is None else known) + 1
            if entry.offset != expected:
                raise OutOfSequence(user, expected, entry.offset)
            lasts[user] = expected
    return lasts


_RIGHT = frozenset(
    (UserId, EventId, ThreadId, RunId, parent, RequestId) for parent in (RunId, type(None))
)


_RIGHT_CURSOR = UserId, SessionId

_ids_of = attrgetter("user", "id", "thread", "run", "parent", "request")


def check_unsaid(entries: Iterable[Entry], said: Callable[[UserId, str], Said | None]) -> None:
    """Raise `AlreadySaid` at the first key that must be new and is not."""
    for entry in entries:
        if type(entry) is Unsaid and (before := said(entry.user, entry.say)) is not None:
            raise AlreadySaid(entry.say, before)


_OF_A_USER = Settled | Unsaid | Ban | Notice | KeptCrash | FileEntry


def check_ids(entries: Iterable[Entry]) -> None:
    """Raise `BadId` if an id is of the wrong kind, before any storage is touched."""
    for entry in entries:
        if type(entry) is Record and tuple(map(type, _ids_of(entry))) in _RIGHT:
            continue
        if type(entry) is Cursor and (type(entry.user), type(entry.session)) == _RIGHT_CURSOR:
            continue
        if entry.user is None:
            continue
        UserId.parse(entry.user)
        if isinstance(entry, Record):
            EventId.parse(entry.id)
            ThreadId.parse(entry.thread)
            RunId.parse(entry.run)
            RunId.parse(entry.parent or entry.run)
            RequestId.parse(entry.request)
        elif isinstance(entry, DeadLetter | FailureCause):
            EventId.parse(entry.event)
        elif isinstance(entry, GoesOn | NotAgain | StepResult | RunPolicy | RunSettled | FilesSaid):
            RunId.parse(entry.run)
        elif not isinstance(entry, _OF_A_USER):
            SessionId.parse(entry.session)
