"""A failure: what an operator finds by the reference that the user has."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Literal

import attrs

from greenroom.actors.exit import must_go_on
from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.ids import EventId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.record import TEXT_CHARS, TRACEBACK_CHARS, FailureCause, Record
from greenroom.delivery.run.failures.secrets import Secrets
from greenroom.supervisor.crash.error_note import note_error, traceback_text

NOT_KEPT = "(not kept: `log_errors` is off)"


@attrs.frozen
class CauseDraft:
    """Travels with the draft of an event, and is kept beside it as its `FailureCause`."""

    type: str
    text: str = attrs.field(metadata=SECRET)
    traceback: str = attrs.field(default="", metadata=SECRET)

    @classmethod
    def of(cls, error: BaseException, secrets: Secrets, *, texts: bool = True) -> CauseDraft:
        """What is kept of an error, without secrets; without any text of its own unless `texts`."""
        note = note_error(error, 0)
        if not texts:
            return cls(note.type, NOT_KEPT, _frames(error)[-TRACEBACK_CHARS:])
        trace = secrets.hidden(traceback_text(error))
        return cls(note.type, _sound(secrets.hidden(note.message))[:TEXT_CHARS], _end(trace))

    def entries(self, record: Record) -> Iterator[FailureCause]:
        """The cause of the event with this record."""
        yield FailureCause(
            record.user,
            record.id,
            record.run,
            record.at,
            self.type,
            self.text,
            self.traceback,
        )


@attrs.frozen
class RunFailure:
    """How a run failed: in the words for its user, and what is kept for operators."""

    error: str
    message: str
    reason: Literal["crash", "timeout", "lost"]
    cause: CauseDraft

    def data(self, reference: EventId) -> JSON:
        """The data of the run's `agent_failed`, which has this id."""
        return {
            "error": self.error,
            "message": self.message,
            "reason": self.reason,
            "reference": reference,
        }


def _end(trace: str) -> str:
    """The end of a long traceback: the frames nearest to the error."""
    return _sound(trace)[-TRACEBACK_CHARS:]


def _sound(text: str) -> str:
    """Text that SQLite takes: no lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()


def _frames(error: BaseException) -> str:
    """The lines of the traceback, without the error's own text."""
    try:
        return _sound("".join(traceback.format_tb(error.__traceback__)))
    except BaseException as broken:
        if must_go_on(broken):
            raise
        return ""
