"""Values as JSON that says their types, and back. Nothing is ever pickled.

What JSON has stays as it is. The rest is an object with one key that starts with `$`:

| form | of |
|---|---|
| `{"$object": "module:Class", "fields": {…}}` | attrs class or dataclass |
| `{"$enum": "module:Class", "name": "…"}` | member of an enum |
| `{"$text": "module:Class", "value": "…"}` | subclass of `str` (our ids) |
| `{"$tuple": […]}`, `{"$set": […]}`, `{"$frozenset": […]}` | collections JSON has no word for |
| `{"$dict": [[key, value], …]}` | dict whose keys are not plain strings |
| `{"$bytes": "<base64>"}`, `{"$int": "…"}`, `{"$float": "nan"}` | what JSON's scalars are not |
| `{"$ask": …}` | a request that somebody awaits the answer of |
| `{"$redacted": "str"}` | a secret field (see `greenroom.actors.recording.redaction`) |
| `{"$cut": …, "length": n}` | the beginning of something too long |
| `{"$opaque": "module:Class"}` | anything else: only its type, and how many bytes it is `over` |
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, Union

import attrs

from greenroom.actors.errors import GreenroomError
from greenroom.actors.recording.recent import TooLarge
from greenroom.actors.recording.redaction import is_secret
from greenroom.actors.ref import Ask
from greenroom.actors.text.safe import safe_str

JSON: TypeAlias = Union[str, int, float, bool, Sequence["JSON"], Mapping[str, "JSON"], None]  # noqa: UP007  # quoted members: `|` fails at run time

INT64 = 2**63


class CannotDecode(GreenroomError):
    """This JSON stands for no value, or for one that was not kept whole."""


@attrs.frozen
class EncodingLimits:
    """How much is kept: characters of a text, items of a collection, nesting, values in all."""

    text: int = 200
    items: int = 20
    depth: int = 8
    values: int = 400


SHOWN = EncodingLimits()
WHOLE = EncodingLimits(text=1 << 20, items=100_000, depth=64, values=200_000)


def encode(value: object, limits: EncodingLimits = SHOWN) -> JSON:
    """A value as JSON, its secrets left out, within `limits`. Never raises."""
    try:
        return _Encoder(limits).encode(value, limits.depth)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # the value's own code failed: say so, go on
        return {
            "$opaque": path_of(type(value)),
            "text": f"reading it raised {path_of(type(error))}",
        }


def path_of(cls: type) -> str:
    """`module:Class`, the main program under the name it can be imported by."""
    module = cls.__module__
    return f"{_main_name() if module == '__main__' else module}:{cls.__qualname__}"


def _main_name() -> str:
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None:
        return str(spec.name)
    return Path(file).stem if file else "__main__"


class _Encoder:
    def __init__(self, limits: EncodingLimits) -> None:
        self._limits = limits
        self._left = limits.values

    def encode(self, value: object, depth: int) -> JSON:
        self._left -= 1
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, enum.Enum):
            return {"$enum": path_of(type(value)), "name": value.name}
        if isinstance(value, int | float | str | bytes):
            return self._scalar(value)
        if depth <= 0 or self._left <= 0:
            return {"$opaque": path_of(type(value))}
        return self._compound(value, depth - 1)

    def _scalar(self, value: int | float | str | bytes) -> JSON:
        match value:
            case str() if type(value) is not str:
                return {"$text": path_of(type(value)), "value": self._text(value)}
            case str():
                return self._text(value)
            case int() if type(value) is int:
                return value if -INT64 <= value < INT64 else {"$int": str(value)}
            case float() if type(value) is float:
                return value if math.isfinite(value) else {"$float": repr(value)}
            case bytes() if type(value) is bytes:
                return {"$bytes": self._text(base64.b64encode(value).decode())}
        return {"$opaque": path_of(type(value))}

    def _text(self, text: str) -> JSON:
        if len(text) <= self._limits.text:
            return str(text)
        return {"$cut": text[: self._limits.text], "length": len(text)}

    def _compound(self, value: object, depth: int) -> JSON:
        kind = type(value)
        if kind is Ask:
            return {"$ask": self.encode(value.request, depth)}  # type: ignore[attr-defined]  # an Ask
        if isinstance(value, TooLarge):
            return {"$opaque": path_of(value.type), "over": value.limit}
        if kind is list:
            return self._items(value, depth)  # type: ignore[arg-type]  # a list
        if kind in (tuple, set, frozenset):
            return {f"${kind.__name__}": self._items(value, depth)}  # type: ignore[arg-type]  # one of them
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if attrs.has(kind) or dataclasses.is_dataclass(kind):
            return {"$object": path_of(kind), "fields": self._fields(value, depth)}
        if isinstance(value, BaseException):
            return {"$opaque": path_of(kind), "text": self._text(safe_str(value))}
        return {"$opaque": path_of(kind)}

    def _items(self, items: Sequence[object], depth: int) -> JSON:
        kept: list[JSON] = []
        for item in items:
            if len(kept) >= self._limits.items or self._left <= 0:
                return {"$cut": kept, "length": len(items)}
            kept.append(self.encode(item, depth))
        return kept

    def _mapping(self, mapping: Mapping[object, object], depth: int) -> JSON:
        plain = type(mapping) is dict and all(type(k) is str and k[:1] != "$" for k in mapping)
        if not plain or len(mapping) > self._limits.items:
            return {"$dict": self._items([list(each) for each in mapping.items()], depth)}
        return {
            str(key): _redacted(value) if is_secret(str(key), {}) else self.encode(value, depth)
            for key, value in mapping.items()
        }

    def _fields(self, value: object, depth: int) -> dict[str, JSON]:
        return {
            name: _redacted(held) if secret else self.encode(held, depth)
            for name, held, secret in _held(value)
        }


def _held(value: object) -> Iterator[tuple[str, object, bool]]:
    """Name, value and secrecy of every field; a field that was never set is left out."""
    fields: Iterable[attrs.Attribute[object] | dataclasses.Field[object]] = (
        attrs.fields(type(value)) if attrs.has(type(value)) else dataclasses.fields(value)  # type: ignore[arg-type]  # it is one
    )
    for field in fields:
        if hasattr(value, field.name):
            yield field.name, getattr(value, field.name), is_secret(field.name, field.metadata)


def _redacted(value: object) -> JSON:
    return None if value is None else {"$redacted": type(value).__name__}


STAND_INS: Mapping[str, object] = {"str": "redacted", "bytes": b"redacted", "int": 0, "float": 0.0}
"""What is put in the place of a secret when a recording is replayed; None for other types."""


class ValueDecoder:
    """Makes values of JSON. `load("module:Class")` finds a class; the rest is checked here.

    `redacted` counts the secrets that a stand-in took the place of.
    """

    def __init__(self, load: Callable[[str], object]) -> None:
        self.load = load
        self.redacted = 0

    def decode(self, form: JSON) -> object:
        """Raises `CannotDecode`, or what `load` and the classes themselves raise."""
        if isinstance(form, Mapping):
            return self._decode_mapping(form)
        if isinstance(form, Sequence) and not isinstance(form, str):
            return [self.decode(item) for item in form]
        return form

    def _decode_mapping(self, form: Mapping[str, JSON]) -> object:
        tag = next(iter(form), "")
        if not tag.startswith("$"):
            return {key: self.decode(value) for key, value in form.items()}
        held = form[tag]
        match tag:
            case "$object":
                return self._object(self._class(held), _mapping(form.get("fields")))
            case "$enum":
                return self._member(self._class(held), _text(form.get("name")))
            case "$text":
                return self._subtext(self._class(held), _text(form.get("value")))
            case "$tuple" | "$set" | "$frozenset":
                made = {"$tuple": tuple, "$set": set, "$frozenset": frozenset}[tag]
                return made(self.decode(item) for item in _sequence(held))
            case "$dict":
                return {
                    self.decode(_sequence(pair)[0]): self.decode(_sequence(pair)[1])
                    for pair in _sequence(held)
                }
            case "$bytes":
                return base64.b64decode(_text(held), validate=True)
            case "$int" | "$float":
                return (int if tag == "$int" else float)(_text(held))
            case "$redacted":
                self.redacted += 1
                return STAND_INS.get(_text(held))
        raise CannotDecode(f"{tag[1:]} {str(held)[:60]!r}: its value was not kept")

    def _class(self, path: JSON) -> type:
        found = self.load(_text(path))
        if not isinstance(found, type):
            raise CannotDecode(f"{path} is not a class")
        return found

    def _object(self, cls: type, forms: Mapping[str, JSON]) -> object:
        """Through the class's own `__init__`; what that does not take is set afterwards."""
        values = {name: self.decode(form) for name, form in forms.items()}
        if attrs.has(cls):
            names = {each.name: each.alias or each.name for each in attrs.fields(cls) if each.init}
        elif dataclasses.is_dataclass(cls):
            names = {each.name: each.name for each in dataclasses.fields(cls) if each.init}
        else:
            raise CannotDecode(f"{path_of(cls)} is neither an attrs class nor a dataclass")
        made: object = cls(**{names[name]: values[name] for name in names if name in values})
        for name in values.keys() - names.keys():
            object.__setattr__(made, name, values[name])
        return made

    def _member(self, cls: type, name: str) -> object:
        if not issubclass(cls, enum.Enum) or name not in cls.__members__:
            raise CannotDecode(f"{path_of(cls)} has no member {name!r}")
        return cls[name]

    def _subtext(self, cls: type, value: str) -> object:
        if not issubclass(cls, str):
            raise CannotDecode(f"{path_of(cls)} is no kind of text")
        return str.__new__(cls, value)


def was_kept(form: JSON) -> bool:
    """False if any part of the value was too long to be kept, or of no form there is here."""
    if isinstance(form, Mapping):
        return not form.keys() & {"$opaque", "$cut"} and all(map(was_kept, form.values()))
    if isinstance(form, Sequence) and not isinstance(form, str):
        return all(map(was_kept, form))
    return True


def classes_of(form: JSON) -> Iterator[str]:
    """Every `module:Class` that decoding this would load."""
    if isinstance(form, Mapping):
        for tag, held in form.items():
            if tag in ("$object", "$enum", "$text") and isinstance(held, str):
                yield held
            yield from classes_of(held)
    elif isinstance(form, Sequence) and not isinstance(form, str):
        for item in form:
            yield from classes_of(item)


def _text(form: JSON) -> str:
    if not isinstance(form, str):
        raise CannotDecode("a text was not kept whole" if form else "a text is missing")
    return form


def _sequence(form: JSON) -> Sequence[JSON]:
    if isinstance(form, str) or not isinstance(form, Sequence):
        raise CannotDecode("a collection was not kept whole")
    return form


def _mapping(form: JSON) -> Mapping[str, JSON]:
    if not isinstance(form, Mapping):
        raise CannotDecode("an object's fields are missing")
    return form
