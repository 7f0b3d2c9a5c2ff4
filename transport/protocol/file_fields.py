"""What the fields of frames about files may hold (pure)."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Final

from greenroom.delivery.files.taken import MOST_FILES, File
from greenroom.transport.protocol.wire_fields import (
    MAX_ID_LENGTH,
    MAX_OFFSET,
    FieldCheck,
    WrongField,
    bounded_text,
    described,
    shown,
    whole_number,
)

NAME_LENGTH: Final = 255
MEDIA_LENGTH: Final = 127


def in_base64(name: str) -> FieldCheck[bytes]:
    """Bytes as base64 (RFC 4648 §4), with its padding."""

    def check(value: object, _: object) -> bytes:
        try:
            return b64decode(value, validate=True)  # type: ignore[arg-type]  # else it raises
        except (binascii.Error, TypeError, ValueError):
            raise WrongField(name, "base64", described(value)) from None

    return check


def files(name: str) -> FieldCheck[tuple[File, ...]]:
    """A list of files: objects with `file`, `name`, `media` and `size`."""
    key = bounded_text(f"{name}[].file", MAX_ID_LENGTH, shortest=1)
    called = bounded_text(f"{name}[].name", NAME_LENGTH, shortest=1)
    media = bounded_text(f"{name}[].media", MEDIA_LENGTH)
    size = whole_number(f"{name}[].size", 0, MAX_OFFSET)

    def check_one(value: object) -> File:
        if not isinstance(value, dict):
            raise WrongField(f"{name}[]", "an object", shown(value))
        return File(
            key(value.get("file"), str),
            called(value.get("name"), str),
            media(value.get("media"), str),
            size(value.get("size"), int),
        )

    def check(value: object, _: object) -> tuple[File, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or len(value) > MOST_FILES:
            raise WrongField(name, f"a list of at most {MOST_FILES} files", shown(value))
        return tuple(map(check_one, value))

    return check


def as_wire(value: object) -> object:
    """A field of a frame, as JSON has it."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, tuple):
        return [each.as_json() if isinstance(each, File) else each for each in value]
    return value
