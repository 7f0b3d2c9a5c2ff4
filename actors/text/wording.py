"""Articles and kinds of values, for messages (pure)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

VOWEL = re.compile(r"[aeio]|un(?!i)|up|ul|um", re.IGNORECASE)
"""The beginning of words that are spoken with a vowel: `unknown`, but not `user` or `unit`."""


def a(noun: str) -> str:
    """The noun with its indefinite article: `an int`, `a str`, `a UserId`."""
    return ("an " if VOWEL.match(noun) else "a ") + noun


def kind_of(value: object) -> str:
    """The kind of a value, for a message that refuses it: `an int`, `the class Balance`."""
    return f"the class {value.__name__}" if isinstance(value, type) else a(type(value).__name__)


def did_you_mean(given: str, among: Iterable[str]) -> str:
    """The advice for a misspelt name: the known name most like it; empty if none is like it.

    Compares with every name: not for an error that is raised often, among many names.
    """
    alike = difflib.get_close_matches(given, among, n=1)
    return f"did you mean {str(alike[0])!r}?" if alike else ""
