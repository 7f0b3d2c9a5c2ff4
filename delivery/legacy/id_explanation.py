"""Explains what an id is, or why a text is not an id and which id it resembles most (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

import attrs

from greenroom.delivery.events.ids import KINDS, Id, UserId, bits_of, kind_of, type_of
from greenroom.delivery.legacy.legacy_ids import VERSION, LegacyId, recognised

ALPHABET: Final = frozenset("0123456789abcdefghjkmnpqrstvwxyz")
"""Crockford's alphabet in lower case: https://github.com/jetify-com/typeid/tree/main/spec"""

_MISREAD: Final = str.maketrans("ilo", "110")
_PREFIXES: Final = [kind.prefix for kind in KINDS]
_RESEMBLING: Final = (  # approximate legacy forms, the most specific first
    (re.compile(r".+_req_[0-9A-Fa-f]+_[0-9A-Fa-f]+"), "<user>_req_<hex12>_<hex8>"),
    (re.compile(r"thread_.+_[0-9]+_[0-9A-Fa-f]+"), "thread_<name>_<ms>_<n>_<hex8>"),
    (re.compile(r"ws_.+_[0-9]+_[0-9A-Fa-f]+"), "ws_<user8>_<sec>_<hex8>"),
    (re.compile(r"req_[0-9A-Fa-f]+"), "req_<hex12>"),
    (re.compile(r"websocket_factory_.*"), "websocket_factory_<ms>"),
    (re.compile(r".*_[0-9]{10,16}"), "<name>_<ms>"),
)


@attrs.frozen
class IdMeaning:
    """An id that a text is or stands for. `born_ms`: ms since the Unix epoch, if known."""

    id: Id
    kind: str
    born_ms: int | None


@attrs.frozen
class Explanation:
    """What a text is: a current id (`is_now`) or a legacy id (`form`; `becomes`, likeliest first).

    `maybe_user`: the text is valid as a user's id. `why` says what is wrong with a text that is
    not an id but resembles `closest`, an id or a legacy form.
    """

    text: str
    is_now: IdMeaning | None = None
    mapped: bool = False
    form: str | None = None
    becomes: tuple[IdMeaning, ...] = ()
    why: str = ""
    closest: str | None = None

    @property
    def maybe_user(self) -> bool:
        return kind_of(self.text) == UserId.kind

    @property
    def known(self) -> bool:
        """Whether the text is a current id, a legacy id, or can only be a user's id."""
        return self.is_now is not None or self.form is not None or not self.why


def explain(text: str) -> Explanation:
    """Explain what `text` is. Never raises."""
    if kind := type_of(text):
        return _ours(text, kind)
    if legacy := recognised(text):
        return _legacy(legacy)
    if repaired := _repaired(text):
        closest, why = repaired
        return Explanation(text, why=why, closest=closest)
    for pattern, shape in _RESEMBLING:
        if pattern.fullmatch(text):
            return Explanation(text, why="it has none of the legacy forms in full", closest=shape)
    return Explanation(text, why="" if kind_of(text) == UserId.kind else f"it is {kind_of(text)}")


def _ours(text: str, kind: type[Id]) -> Explanation:
    bits = bits_of(kind.trusted(text))
    mapped = bits >> 76 & 15 == VERSION
    born_ms = bits >> 80
    meaning = IdMeaning(kind.trusted(text), kind.kind, None if mapped and not born_ms else born_ms)
    return Explanation(text, is_now=meaning, mapped=mapped)


def _legacy(legacy: LegacyId) -> Explanation:
    becomes = (IdMeaning(legacy.as_kind(kind), kind.kind, legacy.at_ms) for kind in legacy.kinds)
    return Explanation(legacy.text, form=legacy.form.shape, becomes=tuple(becomes))


def _repaired(text: str) -> tuple[str | None, str] | None:
    """The id that a single correction makes of `text`, and the mistake that it corrects."""
    for candidate, why in _corrections(text):
        if type_of(candidate) or recognised(candidate):
            return candidate, why
    prefix, _, suffix = text.rpartition("_")
    if prefix in _PREFIXES and suffix.isalnum() and 20 <= len(suffix) <= 32:
        return None, _flaw(suffix)
    return None


def _corrections(text: str) -> Iterator[tuple[str, str]]:
    bare = "".join(c for c in text if c.isprintable() and not c.isspace())
    yield bare, "there are spaces or invisible characters in it"
    yield bare.strip("\"'`,;:.<>()[]{}"), "there is punctuation around it"
    yield bare.lower(), "ids must be in lower case"
    yield bare.replace("-", "_"), "the kind must end with an underscore"
    prefix, _, suffix = bare.rpartition("_")
    yield (
        f"{prefix}_{suffix.lower().translate(_MISREAD)}",
        "ids must not contain i, l or o: write 1, 1 and 0",
    )
    for close in get_close_matches(prefix, _PREFIXES, n=1, cutoff=0.5):
        yield f"{close}_{suffix}", f"{prefix or 'nothing'!r} is not a kind of id"


def _flaw(suffix: str) -> str:
    if len(suffix) != 26:
        return f"26 characters must follow the kind, not {len(suffix)}"
    if strange := sorted(set(suffix.lower()) - ALPHABET):
        return f"ids must not contain {', '.join(strange)}"
    return "it has more than 128 bits"
