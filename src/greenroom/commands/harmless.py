"""Text of strangers in lines of ours."""

from __future__ import annotations


def printable(text: str) -> str:
    """What a client or an exception put in it may not write to the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
