"""Threads as their user sees them: the list, its pages, a title, and what an erased event leaves
behind (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import orjson

from greenroom.actors.errors import Fault
from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.events.draft import superseded
from greenroom.delivery.events.ids import NO_ID, RequestId, RunId, ThreadId
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.events.record import RUN_OPENS, Record

MOST_THREADS: Final = 100
"""The largest page of threads."""

TITLE_CHARACTERS: Final = 200
"""The longest title that may be set."""

SAID_CHARACTERS: Final = 80
"""The longest title that is taken from what was said."""

LAST_CHARACTERS: Final = 200
"""The longest text of a thread's last event in a list."""

ERASED_THREAD: Final = ThreadId.trusted(f"{ThreadId.prefix}_{NO_ID}")
"""The thread of an event that was erased: it says neither where it was nor in which run."""
_ERASED_RUN: Final = RunId.trusted(f"{RunId.prefix}_{NO_ID}")
_ERASED_REQUEST: Final = RequestId.trusted(f"{RequestId.prefix}_{NO_ID}")

_SAYING: Final = ("body", "input")
_WORDS: Final = ("text", "report", "body", "message", "prompt", "input")
_INNER: Final = ("text", "content", "message", "prompt")


class UnknownThread(DeliveryError):
    """The user has no such thread, or it was erased."""

    fault = Fault.CLIENT


@attrs.frozen
class Last:
    """A thread's last event: its kind, and the beginning of its text if it has one."""

    kind: Kind
    text: str | None = attrs.field(metadata=SECRET)


@attrs.frozen
class Thread:
    """A thread in the user's list.

    `title` comes from the first thing said unless it was set; None if that was no text. `created`
    and `updated` are the times of the first and the last event (ms since the Unix epoch); `runs`
    counts the runs that began in it, without sub-agents'.
    """

    thread: ThreadId
    title: str | None = attrs.field(metadata=SECRET)
    created: int
    updated: int
    runs: int
    last: Last
    archived: bool

    def as_json(self) -> dict[str, JSON]:
        """The thread as the wire has it."""
        last: dict[str, JSON] = {"kind": self.last.kind}
        if self.last.text is not None:
            last["text"] = self.last.text
        return {
            "thread": self.thread,
            "title": self.title,
            "created": self.created,
            "updated": self.updated,
            "runs": self.runs,
            "last": last,
            "archived": self.archived,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, JSON]) -> Thread:
        """Read a thread from its parsed JSON object."""
        last, title = fields["last"], fields["title"]
        if not isinstance(last, Mapping):
            raise TypeError("`last` of a thread must be a JSON object")
        text = last.get("text")
        return cls(
            thread=ThreadId.trusted(str(fields["thread"])),
            title=None if title is None else str(title),
            created=int(str(fields["created"])),
            updated=int(str(fields["updated"])),
            runs=int(str(fields["runs"])),
            last=Last(Kind(str(last["kind"])), None if text is None else str(text)),
            archived=fields["archived"] is True,
        )


@attrs.frozen
class ThreadsPage:
    """Threads, the most recently used first; `more`: there are others after them."""

    threads: tuple[Thread, ...]
    more: bool


def page_of_threads(found: Sequence[Thread], limit: int) -> ThreadsPage:
    """A page of the first `limit` of the found threads, of which there is one more if there are
    more. Threads with the same time are not split, so that `before` a time misses none; unless
    they alone fill the page: then `before` a thread goes on."""
    if len(found) <= limit:
        return ThreadsPage(tuple(found), more=False)
    end = limit
    while end and found[end - 1].updated == found[limit].updated:
        end -= 1
    return ThreadsPage(tuple(found[: end or limit]), more=True)


def title_of(record: Record) -> str | None:
    """The title that a thread gets from this event: one line of what was said."""
    if record.kind not in RUN_OPENS:
        return None
    words = _first_text(_data(record), _SAYING)
    return _cut(words, SAID_CHARACTERS) if words else None


def checked_title(title: str) -> str:
    """The title. Raises `ValueError` if it is not a text of 1 to 200 characters, or only spaces."""
    if not isinstance(title, str) or len(title) > TITLE_CHARACTERS or not title.strip():
        wanted = f"1 to {TITLE_CHARACTERS} characters, not only spaces"
        raise ValueError(f"a title must have {wanted}: {title!r:.40}")
    title.encode()  # half a surrogate pair: a UnicodeEncodeError, which is a ValueError
    return title


def last_of(record: Record) -> Last:
    """What the list shows of a thread's last event."""
    words = _first_text(_data(record), _WORDS)
    return Last(record.kind, _cut(words, LAST_CHARACTERS) if words else None)


def erased(record: Record) -> Record:
    """What stands in the log for an erased event: its offset, id and time, and nothing else.

    The id stays so that clients which saw the event can resume after it.
    """
    nowhere = attrs.evolve(
        record, thread=ERASED_THREAD, run=_ERASED_RUN, parent=None, request=_ERASED_REQUEST
    )
    return superseded(nowhere, record.offset)


def _data(record: Record) -> Mapping[str, JSON]:
    try:
        event = orjson.loads(record.body)
    except ValueError:
        return {}  # damaged: reading the event itself raises the error
    data = event.get("data") if isinstance(event, dict) else None
    return data if isinstance(data, dict) else {}


def _first_text(data: Mapping[str, JSON], names: Sequence[str]) -> str | None:
    """The first of these fields that is a text, or an object with a text."""
    for name in names:
        value = data.get(name)
        if isinstance(value, Mapping):
            value = next((value[each] for each in _INNER if isinstance(value.get(each), str)), None)
        if isinstance(value, str) and value.strip():
            return value
    return None


def _cut(words: str, most: int) -> str:
    """One line, of at most `most` characters."""
    return " ".join(words[: 8 * most].split())[:most].rstrip()
