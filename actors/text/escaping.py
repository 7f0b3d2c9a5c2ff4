"""Text of others, made harmless to a line of a log and to a terminal (pure).

What a client says, an agent raises or a server answers may hold newlines that forge a line, escape
sequences that repaint a screen, or marks that turn the reading order round (Unicode TR 36, TR 9).
Whatever prints such text puts it through here.
"""

from __future__ import annotations

import re

_HARMLESS = "\u200c\u200d"  # joiners: Persian words and most emoji of people are made with them


def one_line(text: str) -> str:
    r"""The text with every control escaped as Python would: `\n`, `\x1b`, `\u202e`.

    Controls are what `str.isprintable` calls so, but for spaces of any width and joiners. Nothing
    else changes, backslashes neither; so to escape twice is to escape once.
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
