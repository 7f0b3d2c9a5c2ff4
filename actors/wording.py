"""Small words of messages (pure)."""

from __future__ import annotations

VOWELS = tuple("aeioAEIO")
"""Letters that are spoken as a vowel at the start of most names of types: not the u of `user`."""


def a(noun: str) -> str:
    """With its indefinite article: `an int`, `a str`, `a UserId`."""
    return ("an " if noun.startswith(VOWELS) else "a ") + noun


def kind_of(value: object) -> str:
    """What a value is, for a message that refuses it: `an int`, `the class Balance`."""
    return f"the class {value.__name__}" if isinstance(value, type) else a(type(value).__name__)
