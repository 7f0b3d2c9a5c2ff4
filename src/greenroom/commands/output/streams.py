"""Standard output and error: no character that they cannot hold ends a command."""

from __future__ import annotations

import codecs
import io
import sys
from typing import Final

ESCAPE: Final = "greenroom.escape"  # the name of an error handler, as codecs keeps them
PLAIN: Final = {
    **dict.fromkeys("–—·─━", "-"),
    **dict.fromkeys("│├▏", "|"),
    "…": "...",
    "→": "->",
    "↑": "^",
    "↓": "v",
    "└": "`",
    "\N{REPLACEMENT CHARACTER}": "?",
}
"""What our own output is drawn with, for an encoding that lacks it."""


def prepare_streams() -> None:
    """Have what an encoding lacks (ASCII, where LANG is C) written in characters it has."""
    codecs.register_error(ESCAPE, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPE)


def write_line(data: bytes) -> None:
    """Write a line of JSON. It is UTF-8 whatever the terminal's encoding is (RFC 8259 §8.1)."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(each) or _code(each) for each in lacking), error.end


def _code(character: str) -> str:
    """As a Python text would have it: `\\xe9`, `\\u20ac`."""
    return character.encode("ascii", "backslashreplace").decode("ascii")
