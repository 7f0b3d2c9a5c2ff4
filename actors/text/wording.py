"""Articles and kinds of values, for messages (pure)."""

from __future__ import annotations

import re

VOWEL = re.compile(r"[aeio]|un(?!i)|up|ul|um", re.IGNORECASE)
"""The beginning of words that are spoken with a vowel: `unknown`, but not `user` or `unit`."""


def a(noun: str) -> str:
    """The noun with its indefinite article: `an int`, `a str`, `a UserId`."""
    return ("an " if VOWEL.match(noun) else "a ") + noun


def kind_of(value: object) -> str:
    """The kind of a value, for a message that refuses it: `an int`, `the class Balance`."""
    return f"the class {value.__name__}" if isinstance(value, type) else a(type(value).__name__)
