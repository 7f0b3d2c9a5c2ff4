"""An exception as data: what it was, where it came from, what caused it."""

from __future__ import annotations

import traceback
from typing import Literal

import attrs

from greenroom.actors.exit import members_of
from greenroom.actors.recording.weight import weight_of
from greenroom.actors.text.safe import safe_str, type_name
from greenroom.supervisor.crash.message_codec import path_of

FRAMES, CAUSES, TEXT, LINE = 50, 8, 2_000, 500

ERROR_BYTES = 256 * 1024
"""The bytes that the notes of an error, its causes and its group may take."""


@attrs.frozen
class FrameNote:
    """A line of a traceback. `source` is the line's text where it could be read."""

    file: str
    line: int
    function: str
    source: str


@attrs.frozen
class ErrorNote:
    """`type` as `module:Class`; `frames` outermost first, the last raised it.

    `cause` is the error this one was raised from (`link` "cause"), or was raised while handling
    ("context"). `errors` are the members of an exception group.
    """

    type: str
    message: str
    frames: tuple[FrameNote, ...] = ()
    notes: tuple[str, ...] = ()
    link: Literal["cause", "context"] | None = None
    cause: ErrorNote | None = None
    errors: tuple[ErrorNote, ...] = ()

    @property
    def name(self) -> str:
        """The type without its module."""
        return self.type.rpartition(":")[2]

    @property
    def root(self) -> ErrorNote:
        """The true cause: the end of the chain of causes."""
        return self.cause.root if self.cause is not None and self.link == "cause" else self


def note_within(error: BaseException, limit: int = ERROR_BYTES) -> ErrorNote:
    """Take notes of an exception: as deep as `limit` bytes allow, at least of itself."""
    notes = (note_error(error, depth) for depth in (CAUSES, CAUSES // 2, 2))
    return next((each for each in notes if weight_of(each, limit) <= limit), note_error(error, 0))


def note_error(error: BaseException, depth: int = CAUSES) -> ErrorNote:
    """Take notes of an exception; chains and groups are followed `depth` errors deep.

    An exception that cannot be read (a property raises) is noted by its type and message.
    """
    try:
        return _note(error, depth)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  # the exception's own code failed
        return ErrorNote(_path(error), safe_str(error, TEXT))


def _note(error: BaseException, depth: int) -> ErrorNote:
    link, cause = _cause(error)
    group = members_of(error)
    return ErrorNote(
        type=_path(error),
        message=safe_str(error, TEXT),
        frames=tuple(_frames(error)),
        notes=tuple(
            safe_str(note, TEXT) for note in list(getattr(error, "__notes__", ()))[:CAUSES]
        ),
        link=link if cause is not None and depth > 0 else None,
        cause=note_error(cause, depth - 1) if cause is not None and depth > 0 else None,
        errors=tuple(note_error(each, depth - 2) for each in group[:CAUSES]) if depth > 0 else (),
    )


def traceback_text(error: BaseException) -> str:
    """The traceback as Python prints it; of a very long one, the end."""
    try:
        return "".join(traceback.format_exception(error))[-40 * TEXT :]
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  # the exception's own code failed
        return f"{_path(error)}: {safe_str(error, TEXT)}\n"


def _path(error: BaseException) -> str:
    """`module:Class`, or as much of it as the class tells."""
    try:
        return path_of(type(error))[:LINE]
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  # a metaclass's own code failed
        return type_name(error)


def _cause(
    error: BaseException,
) -> tuple[Literal["cause", "context"] | None, BaseException | None]:
    if error.__cause__ is not None:
        return "cause", error.__cause__
    if error.__context__ is not None and not error.__suppress_context__:
        return "context", error.__context__
    return None, None


def _notes(error: BaseException) -> list[object]:
    return list(getattr(error, "__notes__", ()))[:CAUSES]


def _frames(error: BaseException) -> list[FrameNote]:
    stack = traceback.extract_tb(error.__traceback__, limit=-FRAMES)
    return [FrameNote(f.filename, f.lineno or 0, f.name, (f.line or "")[:LINE]) for f in stack]
