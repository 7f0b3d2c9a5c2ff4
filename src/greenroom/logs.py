"""Logs of a server process: every room logs through `logging`, this says how it looks.

A library does not configure logging; only the commands and `greenroom.serve` do. One event is one
line of JSON. Tracebacks come without local variables: those hold tokens and what users say.
"""

from __future__ import annotations

import ast
import hashlib
import hmac
import logging
import re
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import attrs
import structlog

from greenroom.delivery.log_context import log_context
from greenroom.delivery.user_names import QUOTED, unquoted
from greenroom.settings import Settings
from greenroom.supervisor.error_note import ErrorNote, note_error

Event: TypeAlias = structlog.types.EventDict

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
    logger.handlers = [handler]
    logger.setLevel(settings.log_level.upper())
    logger.propagate = False


def log_formatter(
    settings: Settings, *, colors: bool = False
) -> structlog.stdlib.ProcessorFormatter:
    """How greenroom's records look; a service may give it to a handler of its own."""
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_context,
    ]
    last: list[structlog.types.Processor] = [
        Errors(messages=settings.log_errors, as_data=settings.log_format == "json")
    ]
    if not settings.log_users:
        last.append(Pseudonyms(_pseudonym_key(settings)))
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


def _with_context(_: object, __: str, event: Event) -> Event:
    return {**event, **log_context()}


@attrs.frozen
class Errors:
    """The processor for `exc_info`: type, message and frames, never the frames' variables.

    Without `messages` only greenroom's own errors say theirs: what an agent raises may hold what
    its user said.
    """

    messages: bool
    as_data: bool

    def __call__(self, _: object, __: str, event: Event) -> Event:
        error = _error_in(event.pop("exc_info", None))
        if error is not None:
            note = note_error(error)
            event["exception"] = self._data(note) if self.as_data else "\n".join(self._text(note))
        return event

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

    def __call__(self, _: object, __: str, event: Event) -> Event:
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
