"""Small words of messages (pure)."""

from __future__ import annotations

import re

VOWEL = re.compile(r"[aeio]|un(?!i)|up|ul|um", re.IGNORECASE)
"""How a word begins that is spoken with a vowel first: `unknown`, and neither `user` nor `unit`."""


def a(noun: str) -> str:
    """With its indefinite article: `an int`, `a str`, `a UserId`."""
    return ("an " if VOWEL.match(noun) else "a ") + noun


def kind_of(value: object) -> str:
    """What a value is, for a message that refuses it: `an int`, `the class Balance`."""
    return f"the class {value.__name__}" if isinstance(value, type) else a(type(value).__name__)
