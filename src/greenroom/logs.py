"""The format of a server's logs: every room logs through `logging`, and this module formats it.

A library does not configure logging; only the commands and `greenroom.serve` do. One event is one
line; behind it, for people, stands its traceback, indented. Tracebacks come without local
variables: those hold tokens and what users say. Text of others is escaped, cut, and counted when it
comes too fast.
"""

from __future__ import annotations

import ast
import hashlib
import hmac
import logging
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

import attrs
import structlog
from structlog.types import EventDict

from greenroom.actors.text.escaping import one_line
from greenroom.delivery.log_context import log_context
from greenroom.delivery.run.failures.secrets import Secrets
from greenroom.delivery.user.names import QUOTED, unquoted
from greenroom.log_limit import LimitedHandler
from greenroom.settings import Settings
from greenroom.settings.keys import secrets_of
from greenroom.supervisor.crash.error_note import ErrorNote, note_error

TRACEBACK = "exception"  # the field that structlog prints behind the others
LONGEST, LONGEST_TRACEBACK = 8_000, 64_000
"""Characters of a text in a line, and of the traceback that follows it."""

USER_NAMES = re.compile(
    rf"(?P<before>\b(?:user|outbox):)(?P<name>{QUOTED})"
    r"|(?P<words>\b(?:user:? |for |UserId\())"
    r"(?P<literal>'(?:[^'\\]|\\.)*['…]|\"(?:[^\"\\]|\\.)*[\"…])"
)
"""Where our own lines name a user: in the tree's paths and actors' names, and in sentences.

In sentences it is a Python literal, or the beginning of a long one.
"""


def configure_logs(settings: Settings) -> None:
    """Send greenroom's log to stderr, for people or as one JSON object per line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(log_formatter(settings, colors=sys.stderr.isatty()))
    logger = logging.getLogger("greenroom")
    logger.handlers = [LimitedHandler(handler)]
    logger.setLevel(settings.log_level.upper())
    logger.propagate = False


def log_formatter(
    settings: Settings, *, colors: bool = False
) -> structlog.stdlib.ProcessorFormatter:
    """How greenroom's records look; a service may give it to a handler of its own.

    Put that handler into a `LimitedHandler`, so that no client can flood the log.
    """
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_context,
    ]
    last: list[structlog.types.Processor] = [
        Errors(messages=settings.log_errors, as_data=settings.log_format == "json"),
        WithoutSecrets(secrets_of(settings)),
    ]
    if not settings.log_users:
        last.append(Pseudonyms(_pseudonym_key(settings)))
    last.append(_in_one_line)
    last.append(_renderer(settings.log_format, colors=colors))
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def _renderer(log_format: str, *, colors: bool) -> structlog.types.Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )


def _with_context(_: object, __: str, event: EventDict) -> EventDict:
    return {**event, **log_context()}


def _in_one_line(_: object, __: str, event: EventDict) -> EventDict:
    """The processor that lets no text of others end a line, or reach a terminal as a command."""
    return {
        name: value if name == TRACEBACK and isinstance(value, str) else _harmless(value)
        for name, value in event.items()
    }


def _harmless(value: object) -> object:
    return _with_texts(value, _short_line)


def _short_line(text: str) -> str:
    return one_line(text if len(text) <= LONGEST else f"{text[:LONGEST]}… (cut)")


def _with_texts(value: object, changed: Callable[[str], str]) -> object:
    """The value with every text in it changed."""
    if isinstance(value, str):
        return changed(value)
    if isinstance(value, Mapping):
        return {key: _with_texts(each, changed) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_with_texts(each, changed) for each in value]
    return value


@attrs.frozen
class WithoutSecrets:
    """The processor that hides secrets, such as the password of a URL in what an agent raised."""

    secrets: Secrets

    def __call__(self, _: object, __: str, event: EventDict) -> EventDict:
        return {name: _with_texts(value, self.secrets.hidden) for name, value in event.items()}


@attrs.frozen
class Errors:
    """The processor for `exc_info`: type, message and frames, never the frames' variables.

    Without `messages` only greenroom's own errors say theirs: what an agent raises may hold what
    its user said. Of a group without end, or a chain of large errors, only the outermost is logged.
    """

    messages: bool
    as_data: bool

    def __call__(self, _: object, __: str, event: EventDict) -> EventDict:
        error = _error_in(event.pop("exc_info", None))
        if error is not None:
            event[TRACEBACK] = self._shown(note_error(error))
        return event

    def _shown(self, note: ErrorNote) -> object:
        shown = self._data(note) if self.as_data else self._traceback(note)
        if len(str(shown)) <= LONGEST_TRACEBACK:
            return shown
        alone = attrs.evolve(note, cause=None, errors=())
        cut = {"cut": True, **self._data(alone)}
        return cut if self.as_data else f"{self._traceback(alone)}\n  (cut)"

    def _traceback(self, note: ErrorNote) -> str:
        """Lines made harmless one by one, and indented: none looks like a line of the log."""
        return "\n".join(f"  {one_line(line)}" for line in self._text(note))

    def _message(self, note: ErrorNote) -> str:
        ours = note.type.startswith("greenroom.")
        return note.message if self.messages or ours else "(message not logged)"

    def _data(self, note: ErrorNote) -> Mapping[str, object]:
        data: dict[str, object] = {
            "type": note.type,
            "message": self._message(note),
            "frames": [f"{f.file}:{f.line} {f.function}" for f in note.frames],
        }
        if note.cause is not None:
            data["cause"] = self._data(note.cause)
        if note.errors:
            data["errors"] = [self._data(each) for each in note.errors]
        return data

    def _text(self, note: ErrorNote) -> Iterator[str]:
        if note.cause is not None:
            yield from self._text(note.cause)
            yield f"-- {note.link} of:"
        for frame in note.frames:
            yield f'  File "{frame.file}", line {frame.line}, in {frame.function}'
            yield f"    {frame.source}"
        yield f"{note.name}: {self._message(note)}"
        for each in note.errors:
            yield from (f"  | {line}" for line in self._text(each))


def _error_in(exc_info: object) -> BaseException | None:
    if exc_info is True:
        exc_info = sys.exc_info()
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    return exc_info if isinstance(exc_info, BaseException) else None


@attrs.frozen
class Pseudonyms:
    """The processor that replaces names of users: the same name for a user as long as `key` is."""

    key: bytes = attrs.field(repr=False)

    def __call__(self, _: object, __: str, event: EventDict) -> EventDict:
        return {name: self._masked(value, name) for name, value in event.items()}

    def _masked(self, value: object, name: str = "") -> object:
        if isinstance(value, str):
            return self.of(value) if name == "user" else USER_NAMES.sub(self._replacement, value)
        if isinstance(value, Mapping):
            return {key: self._masked(each) for key, each in value.items()}
        if isinstance(value, Sequence):
            return [self._masked(each) for each in value]
        return value

    def _replacement(self, found: re.Match[str]) -> str:
        if found["name"] is not None:
            return found["before"] + self.of(unquoted(found["name"]))
        literal = found["literal"]
        return f"{found['words']}{literal[0]}{self.of(_value_of(literal))}{literal[-1]}"

    def of(self, user: str) -> str:
        """What a user is called in the log."""
        return "~" + hmac.new(self.key, user.encode(), hashlib.sha256).hexdigest()[:10]


def _value_of(literal: str) -> str:
    try:
        return str(ast.literal_eval(literal))
    except (SyntaxError, ValueError):
        return literal  # cut short


def _pseudonym_key(settings: Settings) -> bytes:
    """From the shared secret, where there is one: then a user has one name over restarts."""
    if settings.secret is None:
        return secrets.token_bytes(32)
    return hmac.new(settings.secret.encode(), b"names in logs", hashlib.sha256).digest()
