"""JSON Schemas of answers: which are taken, and the check of an answer (pure).

A model may have written the schema, and the user sends any answer: neither may fetch anything, hang
the server or end it. `jsonschema-rs` matches patterns in linear time. The rest is bounded here,
before a schema is used: references stay inside, and what a value is checked against is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, Never

import attrs

from greenroom.actors.text.safe import safe_str
from greenroom.delivery.asks.schema_weight import (
    MOST_EFFORT,
    WITHOUT_SCHEMAS,
    Weight,
    effort,
    weight_of_keyword,
    weight_of_patterns,
)
from greenroom.delivery.events.kinds import JSON

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

MOST_PARTS: Final = 250
DEEPEST: Final = 64
_REGEX_BYTES: Final = 64 * 1024
_LONGEST: Final = 200  # characters of an objection

_NAMED: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "dependencies"})
_UNEVALUATED: Final = frozenset({"unevaluatedItems", "unevaluatedProperties"})
"""What is beside one of these is looked at twice, and so twice for each level of them."""

_DEFINITIONS: Final = frozenset({"$defs", "definitions"})
_REFUSED: Final = frozenset(
    {"$id", "id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef"}
)


class BadSchema(ValueError):
    """The value is not a JSON Schema, or one that is not taken; the text says why."""


@attrs.frozen
class CompiledSchema:
    """What checks values against a schema."""

    validator: Validator
    weight: Weight


def compiled(schema: JSON) -> CompiledSchema:
    """What checks values against the schema. Raises `BadSchema`."""
    if not isinstance(schema, Mapping):
        raise BadSchema("it must be a JSON object")
    weight = _SchemaWeight(schema).weigh()
    if weight.parts > MOST_PARTS:
        raise BadSchema(f"it may have at most {MOST_PARTS} parts, not {weight.parts}")
    # A large library, of use only to agents that ask for more than a choice.
    import jsonschema_rs

    try:
        validator = jsonschema_rs.validator_for(
            dict(schema),
            mask="it",
            retriever=_fetch_nothing,
            pattern_options=jsonschema_rs.RegexOptions(_REGEX_BYTES, _REGEX_BYTES),
        )
    except jsonschema_rs.ValidationError as error:
        raise BadSchema(f"schema{_path(error)}: {error.message}"[:_LONGEST]) from error
    except ValueError as error:
        raise BadSchema(safe_str(error)[:_LONGEST]) from error
    return CompiledSchema(validator, weight)


def objection(schema: CompiledSchema, value: JSON) -> str | None:
    """Why the value does not fit the schema, or cannot be checked in a moment; None if it fits.
    Does not repeat the value."""
    import jsonschema_rs

    if effort(schema.weight, value) > MOST_EFFORT:
        return "there is too much in it to be checked"
    try:
        schema.validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return f"value{_path(error)}: {error.message}"[:_LONGEST]
    return None


def _path(error: ValidationError) -> str:
    return "".join(f"[{step!r}]" for step in error.instance_path)


def _fetch_nothing(uri: str) -> Never:
    raise BadSchema(f"a `$ref` must begin with #/, unlike {uri}")


@attrs.define
class _SchemaWeight:
    """Weighs a schema. Raises `BadSchema` for references that are not taken."""

    root: Mapping[str, JSON]
    _known: dict[str, Weight] = attrs.field(factory=dict)
    _open: set[str] = attrs.field(factory=set)

    def weigh(self) -> Weight:
        return self._weigh(self.root, 0)

    def _weigh(self, schema: JSON, depth: int) -> Weight:
        if depth > DEEPEST:
            raise BadSchema(f"it may nest at most {DEEPEST} levels deep, references included")
        if isinstance(schema, Mapping):
            keywords = [self._keyword(*each, depth + 1) for each in schema.items()]
            weight = sum(keywords, Weight(1))
            return weight.twice() if schema.keys() & _UNEVALUATED else weight
        if isinstance(schema, list | tuple):
            return sum((self._weigh(each, depth + 1) for each in schema), Weight())
        return Weight()

    def _keyword(self, name: str, value: JSON, depth: int) -> Weight:
        if name in _REFUSED and isinstance(value, str | bool):
            raise BadSchema(f"`{name}` is not taken: refer to parts by `$ref`, with #/$defs/…")
        if name == "$ref" and isinstance(value, str):
            return self._reference(value, depth)
        if name in WITHOUT_SCHEMAS:
            return weight_of_keyword(name, value)
        if name in _NAMED | _DEFINITIONS and isinstance(value, Mapping):
            own = weight_of_patterns(len(value)) if name == "patternProperties" else Weight()
            return sum((self._weigh(each, depth) for each in value.values()), own)
        return self._weigh(value, depth)

    def _reference(self, pointer: str, depth: int) -> Weight:
        """The weight of what a reference refers to: it is checked before use."""
        if pointer in self._open or pointer == "#":
            raise BadSchema(f"`$ref` {pointer[:_LONGEST]!r} refers to what it is a part of")
        if pointer not in self._known:
            self._open.add(pointer)
            self._known[pointer] = self._weigh(self._target(pointer), depth)
            self._open.remove(pointer)
        return self._known[pointer]

    def _target(self, pointer: str) -> JSON:
        if not pointer.startswith("#/"):
            _fetch_nothing(pointer[:_LONGEST])
        found: JSON = self.root
        for step in _steps(pointer):
            if not isinstance(found, Mapping) or step not in found:
                raise BadSchema(f"`$ref` {pointer[:_LONGEST]!r} refers to nothing in it")
            found = found[step]
        return found


def _steps(pointer: str) -> Iterator[str]:
    """The steps of a JSON pointer (RFC 6901 §4)."""
    for step in pointer[2:].split("/"):
        yield step.replace("~1", "/").replace("~0", "~")
