"""Escapes text from elsewhere, so that it harms neither a line of a log nor a terminal (pure).

The text of a client, an error or a server may contain newlines that forge a line, escape sequences
that repaint a screen, or marks that reverse the reading order (Unicode TR 36, TR 9). Code that
prints such text must pass it through `one_line`.
"""

from __future__ import annotations

import re

_HARMLESS = "\u200c\u200d"  # joiners: Persian words and most emoji of people are made with them


def one_line(text: str) -> str:
    r"""The text with every control escaped as Python would: `\n`, `\x1b`, `\u202e`.

    Controls are the characters that `str.isprintable` refuses, except spaces of any width and
    joiners. Nothing else changes, not even backslashes: escaping twice is the same as once.
    """
    return text if text.isprintable() else _CONTROL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable() or character in _HARMLESS or _is_space(character):
        return character
    return character.encode("unicode_escape").decode("ascii")


def _is_space(character: str) -> bool:
    """A space separator (category Zs): no tab, no separator of lines or paragraphs."""
    return character.isspace() and character >= "\xa0" and character not in "\u2028\u2029"


_CONTROL = re.compile(r"[^\x20-\x7e]")
