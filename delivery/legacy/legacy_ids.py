"""Legacy ids, those of older systems: their forms, and the new id that each becomes (pure).

The forms cannot be mistaken for each other or for current ids: they differ in the length of the
part after the last underscore (13 digits, 12 or 8 hexadecimal digits; 26 characters in current
ids) and, if it has 8, in the part before it. Read from the right, each form has a single reading,
however many underscores a name or a user's id has.

The new id is a UUIDv8 (RFC 9562 §5.8; built like the name-based example in its appendix B.2): the
milliseconds of the old id, or 0 if it has none, then 74 bits of SHA-256 over the new kind and the
old text. It is therefore the same on every machine, sorts by the age of the old id, and, since it
is not a UUIDv7, never equals an id that `IdSource` generates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import attrs

from greenroom.delivery.events.ids import (
    KINDS,
    BadId,
    ConnectionId,
    I,
    Id,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
    bits_of,
    kind_of,
    type_of,
    uuid_bits,
    with_bits,
)

VERSION: Final = 8
ADVICE: Final = (
    "run `greenroom ids explain` on it to see what it is; docs/ids.md lists the known forms"
)
_NAMESPACE: Final = b"greenroom legacy id\0"

_NAME: Final = "(?P<name>[A-Za-z][A-Za-z0-9_.:-]{0,127})"
_USER: Final = r"(?P<user>\S{1,255})"
_MS: Final = "(?P<ms>[1-9][0-9]{12})"  # 2001 to 2286
_SEC: Final = "(?P<sec>[1-9][0-9]{9})"
_HEX8: Final = "(?P<random>[0-9a-f]{8})"


@attrs.frozen
class LegacyForm:
    """How an older system wrote ids of the `kinds`. Without context, an id is of the first kind."""

    shape: str
    pattern: re.Pattern[str] = attrs.field(repr=False)
    kinds: tuple[type[Id], ...]


def _form(shape: str, pattern: str, *kinds: type[Id]) -> LegacyForm:
    return LegacyForm(shape, re.compile(pattern), kinds)


# A string often served as both thread and run, and a socket as the session. A text that contains a
# complete request id and more is not the request's id but that of its only run.
NAMED: Final = _form("<name>_<ms>", f"{_NAME}_{_MS}", RunId, *(k for k in KINDS if k is not RunId))
FORMS: Final = (
    _form("websocket_factory_<ms>", f"websocket_factory_{_MS}", RunId, ThreadId),
    _form(
        "thread_<name>_<ms>_<n>_<hex8>",
        f"thread_{_NAME}_{_MS}_(?P<n>[0-9]{{1,19}})_{_HEX8}",
        ThreadId,
    ),
    _form("req_<hex12>", "req_(?P<random>[0-9a-f]{12})", RequestId),
    _form(
        "ws_<user8>_<sec>_<hex8>",
        rf"ws_(?P<user>\S{{1,8}})_{_SEC}_{_HEX8}",
        ConnectionId,
        SessionId,
    ),
    _form(
        "<user>_req_<hex12>_<hex8>",
        rf"{_USER}_(?P<request>req_[0-9a-f]{{12}})_{_HEX8}",
        *(RunId, RequestId),
    ),
    NAMED,
)


class UnknownId(BadId):
    """The text is neither an id of the expected kind nor a legacy id that may stand for one."""


@attrs.frozen
class LegacyId:
    """An id in one of the `FORMS`. `parts` are the values of the form's fields, as written."""

    text: str
    form: LegacyForm
    parts: Mapping[str, str]

    @property
    def kinds(self) -> tuple[type[Id], ...]:
        """The kinds that the id may stand for; without context, the first. If its name begins with
        a kind, that kind comes first."""
        first = _BY_WORD.get(self.parts.get("name", "").partition("_")[0])
        if self.form is not NAMED or first is None:
            return self.form.kinds
        return (first, *(kind for kind in self.form.kinds if kind is not first))

    @property
    def at_ms(self) -> int | None:
        """When the id was generated (ms since the Unix epoch), if its form contains a time."""
        if "sec" in self.parts:
            return int(self.parts["sec"]) * 1000
        return int(self.parts["ms"]) if "ms" in self.parts else None

    def as_kind(self, kind: type[I]) -> I:
        """The new id. Raises `UnknownId` for a kind that ids of this form never stood for."""
        if kind not in self.kinds:
            given = f"a legacy {self.kinds[0].kind} id ({self.form.shape})"
            raise UnknownId(kind.kind, given, self.text, advice=ADVICE)
        name = f"{kind.prefix}\0{self.text}".encode()
        rest = int.from_bytes(sha256(_NAMESPACE + name).digest()[:10], "big")
        return with_bits(kind, uuid_bits(VERSION, self.at_ms or 0, rest))


_BY_WORD: Final = {word: kind for kind in KINDS for word in (kind.prefix, kind.kind)}


def recognised(text: str) -> LegacyId | None:
    """The legacy id in `text`; None if it has none of the forms."""
    if not text.isprintable():
        return None
    for form in FORMS:
        if match := form.pattern.fullmatch(text):
            return LegacyId(text, form, match.groupdict())
    return None


def modern(kind: type[I], text: str) -> I:
    """The id of `kind` that `text` is, or stands for as a legacy id.

    User ids are opaque, so `UserId` accepts text that looks like a legacy id unchanged. Raises
    `UnknownId`, or `BadId` for a user id.
    """
    if issubclass(kind, UserId):
        return kind.parse(text)
    if isinstance(text, str):
        if type_of(text) is kind:
            return kind.trusted(text)
        if legacy := recognised(text):
            return legacy.as_kind(kind)
    raise UnknownId(kind.kind, kind_of(text), text, advice=ADVICE)


def is_mapped(id_: Id) -> bool:
    """Whether an id was mapped from a legacy id: its UUID then has version 8."""
    return bits_of(id_) >> 76 & 0xF == VERSION
