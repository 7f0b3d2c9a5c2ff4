"""Which event is explained: what was asked about need not be one event (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from greenroom.delivery.errors import UnknownEvent, UnknownUser
from greenroom.delivery.events.ids import (
    BadId,
    EventId,
    RunId,
    ThreadId,
    UserId,
    born_beside,
    named,
    type_of,
)
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.events.threads import UnknownThread
from greenroom.delivery.journal.paging import PAGE_BYTES
from greenroom.delivery.journal.reads import Reads

LOOKED_THROUGH: Final = 100
"""The newest events of a user, and reports on one event, that are looked through."""

Subject: TypeAlias = EventId | RunId | ThreadId | UserId


def subject_of(text: str) -> Subject:
    """What an operator asks about: an event (a reference is its id), a run, a thread or a user.
    Raises `BadId` for other ids, for what is no id, and for those of what was erased."""
    kind = type_of(text)
    if kind is EventId or kind is RunId or kind is ThreadId:
        return named(kind.parse(text))
    if kind is not None:
        raise BadId("event, run, thread or user", kind.kind, text)
    return UserId.parse(text)


def chosen_record(reads: Reads, subject: Subject) -> tuple[Record, str]:
    """The event, and the words for which one it is. Raises `UnknownEvent`, `UnknownThread` and
    `UnknownUser`."""
    match subject:
        case EventId():
            return _event(reads, subject), "the event that was asked about"
        case RunId():
            page = _page_of_run(reads, subject)
            return _choice(reads, page, subject)
        case ThreadId():
            page = newest_of(reads, _owner(reads, subject), subject)
        case _:
            page = newest_of(reads, subject)
            if not page:
                return _place_of_erased(reads, subject), "the last event of the user"
    return _choice(reads, page, page[-1].parent or page[-1].run)


def newest_of(reads: Reads, user: UserId, thread: ThreadId | None = None) -> list[Record]:
    """The newest events of a user, or of a thread."""
    return list(reads.history(user, thread, None, LOOKED_THROUGH, PAGE_BYTES).records)


def _choice(reads: Reads, page: Sequence[Record], run: RunId) -> tuple[Record, str]:
    """What a person asks about: of the run, what was given up or reached no tab."""
    user, lost = page[-1].user, _unreceived(reads, run)
    given_up = reads.dead_letters(user, born_beside(run)[0], LOOKED_THROUGH)
    letters = {letter.event for letter in given_up}
    for record in lost:
        if record.id in letters:
            return record, f"the first event of {run} that was given up"
    if lost:
        return lost[0], f"the first event of {run} that no tab received"
    mine = _for_user(page, run) or [each for each in page if each.run == run] or page
    return mine[-1], f"the newest event of {run}; tabs received all that it has for the user"


def _unreceived(reads: Reads, run: RunId) -> list[Record]:
    """Some of what the run has for its user and no tab received, the first of it first."""
    if (first := reads.runs.first(run)) is None:
        return []
    received = reads.received_through(first.user, first.offset - 1)
    return _for_user(reads.read(first.user, received, LOOKED_THROUGH, PAGE_BYTES), run)


def _for_user(records: Sequence[Record], run: RunId) -> list[Record]:
    """Those of a run and its sub-runs that the user did not say."""
    mine = [each for each in records if run in (each.run, each.parent)]
    return [each for each in mine if each.kind is not Kind.USER_SAID]


def _event(reads: Reads, event: EventId) -> Record:
    if (record := reads.find(event)) is None:
        raise UnknownEvent(
            f"there is no event {event}: it was trimmed, or it is of another journal",
            advice="ask about its user",
        )
    return record


def _page_of_run(reads: Reads, run: RunId) -> list[Record]:
    if (first := reads.runs.first(run)) is None:
        raise UnknownEvent(
            f"there is no event of {run}: it was erased with its thread, or trimmed, or it is of "
            "another journal",
            advice="ask about its user",
        )
    of_run = [each for each in newest_of(reads, first.user) if run in (each.run, each.parent)]
    return of_run or [first]


def _owner(reads: Reads, thread: ThreadId) -> UserId:
    if (owner := reads.thread_list.owner(thread)) is None:
        raise UnknownThread(
            f"nothing is kept of {thread}: it was erased, or trimmed, or it is of another journal",
            advice="ask about its user",
        )
    return owner


def _place_of_erased(reads: Reads, user: UserId) -> Record:
    """What is left of the last event of a user whose threads were all erased."""
    last = reads.bounds(user).last
    for record in reads.read(user, last - 1, 1, PAGE_BYTES):
        return record
    raise UnknownUser(
        f"nothing is kept of user {str(user)!r}: the user was erased, or was never here",
        advice="check the user's id",
    )
