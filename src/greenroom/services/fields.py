"""The fields of a program's JSON, read one by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar, cast

from greenroom.actors.text.wording import kind_of
from greenroom.delivery.events.kinds import JSON, EventClass
from greenroom.delivery.events.policy import (
    DONE,
    BadPolicy,
    Done,
    Policies,
    Policy,
    checked_policies,
)
from greenroom.services.problems import BadEntry

T = TypeVar("T")

_WORDS: Final[Mapping[type | tuple[type, ...], str]] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    (int, float): "a number",
    list: "an array",
    dict: "an object",
}
_DONE: Final[dict[str, Done]] = {str(stage): stage for stage in DONE}


class Fields:
    """A JSON object, whose fields are taken; `end` refuses those that are left."""

    def __init__(self, value: JSON, name: str) -> None:
        """Raises `BadEntry` if it is no object."""
        if not isinstance(value, dict):
            raise BadEntry(f"{name} must be a JSON object, not {kind_of(value)}")
        self._left: dict[str, JSON] = dict(value)
        self._name = name

    def text(self, field: str) -> str:
        return self._of(str, field)

    def maybe_text(self, field: str) -> str | None:
        return self._maybe(str, field)

    def whole(self, field: str) -> int | None:
        return self._maybe(int, field)

    def number(self, field: str) -> float | None:
        return self._maybe(cast("type[float]", (int, float)), field)

    def flag(self, field: str) -> bool:
        return self._maybe(bool, field) or False

    def array(self, field: str) -> list[JSON] | None:
        return self._maybe(list, field)

    def json(self, field: str) -> JSON:
        return self._left.pop(field, None)

    def has(self, field: str) -> bool:
        return field in self._left

    def end(self) -> None:
        """Raises `BadEntry` for a field that is not known: it may be misspelt."""
        if self._left:
            raise BadEntry(f"{self._name} has no field {min(self._left)[:60]!r}")

    def _maybe(self, kind: type[T], field: str) -> T | None:
        if self._left.get(field) is None:
            self._left.pop(field, None)
            return None
        return self._of(kind, field)

    def _of(self, kind: type[T], field: str) -> T:
        value = self._left.pop(field, None)
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            words = _WORDS[kind]
            raise BadEntry(f"{self._name}: `{field}` must be {words}, not {kind_of(value)}")
        return value


def policies_of(given: JSON) -> Policies:
    """One policy, of critical events, or an object of them by class. Raises `BadEntry`."""
    if given is None:
        return checked_policies(None)
    fields = Fields(given, "`policy`")
    try:
        if fields.has("critical") or fields.has("progress"):
            by_class = {
                each: fields.json(str(each)) for each in EventClass if fields.has(str(each))
            }
            fields.end()
            return checked_policies({each: _policy(one) for each, one in by_class.items()})
        return checked_policies(_policy(given))
    except BadPolicy as error:
        raise BadEntry(error.message) from error


def _policy(given: JSON) -> Policy:
    fields, usual = Fields(given, "`policy`"), Policy()
    done, seconds = fields.maybe_text("done"), fields.number("expires_after")
    if done is not None and done not in _DONE:
        raise BadEntry(f"`policy`: `done` must be {' or '.join(_DONE)}")
    dead_letter = fields.flag("dead_letter") if fields.has("dead_letter") else usual.dead_letter
    level = fields.maybe_text("level") or usual.level
    fields.end()
    return Policy(
        _DONE[done] if done else usual.done,
        usual.expires_after if seconds is None else seconds,
        dead_letter,
        level,  # type: ignore[arg-type]  # `checked_policies` checks it
    )
