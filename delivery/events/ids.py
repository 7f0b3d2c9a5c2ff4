"""All ids of greenroom are generated and parsed here.

An id is a TypeID (https://github.com/jetify-com/typeid, UUIDv7 inside, so ids sort by birth):
`run_01h45…`. Each kind is its own type, a subclass of `str` that JSON encodes as a string. `parse`
refuses an id of another kind with an error that names both kinds.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import partial
from typing import ClassVar, Final, Self, TypeVar

from typeid import TypeID
from typeid.errors import TypeIDException

from greenroom.actors.errors import GreenroomError
from greenroom.actors.forks.children import in_child
from greenroom.actors.recording.small import Small
from greenroom.actors.text.wording import a


class BadId(GreenroomError):
    """The value is not an id of the expected kind. `expected` and `given` name the kinds."""

    def __init__(self, expected: str, given: str, value: object, *, advice: str = "") -> None:
        self.expected = expected
        self.given = given
        self.given_words: str = _in_words(given, value)
        message = f"expected {a(expected)} id, got {self.given_words}: {_shown(value)}"
        super().__init__(message, advice=advice)


def _in_words(given: str, value: object) -> str:
    """Any text may be a user's id, so "user" alone would mislead for text of unknown kind.

    The kind must stay the last word: by it, logs recognise the text that follows as a user's id.
    """
    return f"other text, perhaps {a(given)}" if given == "user" and type(value) is str else given


NO_ID: Final = "0" * 26
"""What ids of erased things are made of, which stand in their place: see `named`."""


class Id(str, Small):
    """An id of one kind. `kind` is its name in error messages, `prefix` how it starts."""

    __slots__ = ()
    kind: ClassVar[str]
    prefix: ClassVar[str]

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse `value`. Raises `BadId`, which names the expected and the given kind."""
        if type(value) is cls:
            return value
        if not isinstance(value, str) or _prefix_of(value) != cls.prefix:
            raise BadId(cls.kind, kind_of(value), value)
        return cls(value)

    @classmethod
    def trusted(cls, value: str) -> Self:
        """Wrap, unchecked, a string that this process generated or stored itself."""
        return cls(value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class ThreadId(Id):
    """A conversation."""

    __slots__ = ()
    kind: ClassVar[str] = "thread"
    prefix: ClassVar[str] = "thread"


class RunId(Id):
    """One turn of an agent."""

    __slots__ = ()
    kind: ClassVar[str] = "run"
    prefix: ClassVar[str] = "run"


class RequestId(Id):
    """The request that started a run; it appears in the run's logs and events."""

    __slots__ = ()
    kind: ClassVar[str] = "request"
    prefix: ClassVar[str] = "req"


class SessionId(Id):
    """One device or tab of a user, across reconnects."""

    __slots__ = ()
    kind: ClassVar[str] = "session"
    prefix: ClassVar[str] = "sess"


class ConnectionId(Id):
    """One socket."""

    __slots__ = ()
    kind: ClassVar[str] = "connection"
    prefix: ClassVar[str] = "conn"


class EventId(Id):
    """One event, the same for every session that sees it."""

    __slots__ = ()
    kind: ClassVar[str] = "event"
    prefix: ClassVar[str] = "evt"


class ToolCallId(Id):
    """One call of a tool within a run."""

    __slots__ = ()
    kind: ClassVar[str] = "tool call"
    prefix: ClassVar[str] = "call"


class AskId(Id):
    """A question of a run to its user."""

    __slots__ = ()
    kind: ClassVar[str] = "ask"
    prefix: ClassVar[str] = "ask"


class UserId(Id):
    """A user: the identity provider's subject, opaque, 1 to 255 visible characters.

    It has no prefix; an id of another kind is refused.
    """

    __slots__ = ()
    kind: ClassVar[str] = "user"
    prefix: ClassVar[str] = ""

    @classmethod
    def parse(cls, value: str) -> Self:
        """The user id in `value`. Raises `BadId`."""
        if type(value) is cls:
            return value
        given = value.kind if isinstance(value, Id) else kind_of(value)
        if not isinstance(value, str) or given != cls.kind:
            raise BadId(cls.kind, given, value)
        return cls(value)


KINDS: Final[tuple[type[Id], ...]] = (
    *(ThreadId, RunId, RequestId, SessionId, ConnectionId, EventId, ToolCallId, AskId),
)
"""The kinds that greenroom generates: all but user ids."""

_KINDS: Final = {kind.prefix: kind for kind in KINDS}
_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_TWO_DIGITS: Final = [high + low for high in _DIGITS for low in _DIGITS]
"""Of base 32 as Crockford writes it: the TypeID specification has 26 such digits for a UUID."""

I = TypeVar("I", bound=Id)  # noqa: E741  # reads well at its few uses


def kind_of(value: object) -> str:
    """Describe `value` for an error message: its kind of id, or why it is not an id."""
    if not isinstance(value, str):
        return a(type(value).__name__)
    if (prefix := _prefix_of(value)) is not None:
        return _KINDS[prefix].kind
    if not value:
        return "an empty string"
    if len(value) > 255:
        return f"a string of {len(value)} characters"
    if not value.isprintable() or " " in value:  # no other space is printable
        return "a string with invisible characters"
    return UserId.kind


def type_of(value: str) -> type[Id] | None:
    """The type of the complete id in `value`; None for any other text, including user ids."""
    prefix = _prefix_of(value)
    return None if prefix is None else _KINDS[prefix]


def bits_of(id_: Id) -> int:
    """The 128 bits of the UUID in an id."""
    return TypeID.from_string(str(id_)).uuid.int


def named(id_: I) -> I:
    """An id that somebody names. Raises `BadId` for the zeros of what was erased."""
    if id_.endswith(NO_ID):
        raise BadId(id_.kind, "the id of something erased", id_)
    return id_


_SOON_MS: Final = 60_000


def with_bits(kind: type[I], bits: int) -> I:
    """The id of `kind` with this UUID."""
    return kind(f"{kind.prefix}_{_digits(bits, 130)}")


def born_beside(id_: RunId | ThreadId) -> tuple[EventId, EventId]:
    """The range of ids of events that were born with this one, or up to a minute later."""
    born_ms = bits_of(id_) >> 80
    soon_ms = min(born_ms + _SOON_MS, (1 << 48) - 1)
    return with_bits(EventId, born_ms << 80), with_bits(EventId, soon_ms << 80)


def _digits(bits: int, count: int) -> str:
    """The digits of a multiple of 10 bits. The library's own way takes six times as long."""
    return "".join([_TWO_DIGITS[bits >> shift & 1023] for shift in range(count - 10, -1, -10)])


class RandomTails:
    """The last 16 digits of ids, which are random but for a UUID's version and variant.

    They are drawn for many ids at once: each drawing is a system call, which lets go of the
    interpreter's lock. A forked child would have the same ones; it throws them away.
    """

    DRAWN: Final = 64

    def __init__(self) -> None:
        self._drawn: list[str] = []
        in_child(self, RandomTails._throw_away)

    def _throw_away(self) -> None:
        self._drawn = []

    def __call__(self) -> str:
        try:
            return self._drawn.pop()
        except IndexError:
            drawn = tails_of(secrets.token_bytes(self.DRAWN * 16))
            tail = drawn.pop()  # before other threads can see the list
            self._drawn = drawn
            return tail


def tails_of(random: bytes) -> list[str]:
    """A tail for each 16 bytes. Of each byte 5 bits are used: those of one digit."""
    digits = bytearray(random.translate(_ANY))
    digits[::16] = random[::16].translate(_VERSION)
    digits[3::16] = random[3::16].translate(_VARIANT)
    text = digits.decode()
    return [text[start : start + 16] for start in range(0, len(text), 16)]


def _table(digit_of: Callable[[int], int]) -> bytes:
    return bytes(ord(_DIGITS[digit_of(byte)]) for byte in range(256))


_ANY: Final = _table(lambda byte: byte & 31)
_VERSION: Final = _table(lambda byte: 0b01110 | byte & 1)
"""The first digit of a tail: the version, 7, and the first of 12 random bits."""
_VARIANT: Final = _table(lambda byte: byte & 0b10011 | 0b01000)
"""The fourth: the last of these bits, the variant, and the first two of 62 random bits."""


class IdSource:
    """Generates ids. `now_ms` and `random_bits` (bits → int) may be injected."""

    def __init__(
        self,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        random_bits: Callable[[int], int] | None = None,
    ) -> None:
        self._now_ms = now_ms
        self._tail = RandomTails() if random_bits is None else partial(_tail_of, random_bits)
        self._begun = -1, ""  # the last id's 1,024 ms, and the digits that ids have of them

    def new(self, kind: type[I]) -> I:
        """A new id of `kind`, which must not be `UserId`: the identity provider makes user ids.

        What `with_bits` and `uuid_bits` would make of its bits, in a seventh of the time: a UUID's
        first 48 bits, the ms, are the first ten digits, of which eight stay for a second.
        """
        now, (second, begin) = self._now_ms(), self._begun
        if now >> 10 != second:
            second = now >> 10
            begin = _digits(second & (1 << 38) - 1, 40)
            self._begun = second, begin  # at once: another thread may make ids, too
        return kind(f"{kind.prefix}_{begin}{_TWO_DIGITS[now & 1023]}{self._tail()}")


def _tail_of(random_bits: Callable[[int], int]) -> str:
    return _digits(uuid_bits(7, 0, random_bits(74)) & (1 << 80) - 1, 80)


def uuid_bits(version: int, at_ms: int, rest: int) -> int:
    """RFC 9562 §5.7: 48 bits of milliseconds, version, 12 of `rest`, variant, 62 of `rest`."""
    return (
        (at_ms & (1 << 48) - 1) << 80
        | version << 76
        | (rest >> 62 & (1 << 12) - 1) << 64
        | 2 << 62
        | rest & (1 << 62) - 1
    )


def _prefix_of(value: str) -> str | None:
    """The prefix of `value` if it is a complete id."""
    prefix, _, suffix = value.rpartition("_")
    if prefix not in _KINDS or len(suffix) != 26:
        return None
    try:
        TypeID(prefix=prefix, suffix=suffix)
    except TypeIDException:
        return None
    return prefix


def _shown(value: object) -> str:
    shown = repr(value if not isinstance(value, Id) else str(value))
    return shown if len(shown) <= 80 else f"{shown[:77]}…"
