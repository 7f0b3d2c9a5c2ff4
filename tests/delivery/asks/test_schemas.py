"""Which JSON Schemas are taken for answers, and what they say of one."""

from __future__ import annotations

import enum
import socket
from typing import Any, Literal

import attrs
import pytest

from greenroom.delivery.asks.answer_types import BadAnswerType, schema_of, structured
from greenroom.delivery.asks.schemas import DEEPEST, MOST_PARTS, BadSchema, compiled, objection
from greenroom.delivery.events.kinds import JSON

pytestmark = pytest.mark.requirement("R44")


def chain(length: int, fan: int) -> dict[str, JSON]:
    """Definitions, each of which refers to the next one `fan` times."""
    parts: dict[str, JSON] = {
        f"p{n}": {"allOf": [{"$ref": f"#/$defs/p{n + 1}"}] * fan} for n in range(length)
    }
    return {"$defs": {**parts, f"p{length}": {"type": "integer"}}, "$ref": "#/$defs/p0"}


def looked_at_twice(levels: int) -> dict[str, JSON]:
    """A schema whose check takes twice as long with each level."""
    schema: dict[str, JSON] = {"type": "array"}
    for _ in range(levels):
        schema = {"allOf": [schema, {"prefixItems": [{}]}], "unevaluatedItems": False}
    return schema


NOT_TAKEN: dict[str, tuple[Any, str]] = {
    "no object": ("string", "must be a JSON object"),
    "no schema": ({"type": "nonsense"}, "schema['type']"),
    "a page": ({"$ref": "https://example.com/a.json"}, "must begin with #/"),
    "a file": ({"$ref": "file:///etc/passwd"}, "must begin with #/"),
    "another dialect": ({"$schema": "https://example.com/mine"}, "meta-schema"),
    "a base elsewhere": ({"$id": "https://example.com/", "$ref": "#/$defs/a"}, "`$id`"),
    "a reference to nothing": ({"$ref": "#/$defs/a"}, "refers to nothing"),
    "itself": ({"$ref": "#"}, "what it is a part of"),
    "a circle": (
        {"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"},
        "what it is a part of",
    ),
    "a circle below dependencies": (
        {"dependencies": {"const": {"$ref": "#"}}},
        "what it is a part of",
    ),
    "a million parts": (chain(15, 2), "parts, not"),
    "a deep chain": (chain(DEEPEST, 1), "levels deep"),
    "many parts": ({"anyOf": [{"type": "integer"}] * MOST_PARTS}, "parts, not"),
    "a back-reference": ({"pattern": r"(a)\1"}, "pattern"),
    "a pattern of a megabyte": ({"pattern": "(a{1000}){1000}"}, "pattern"),
    "looks twice at each level": (looked_at_twice(8), "parts, not"),
    "many patterns": ({"patternProperties": {f"^a{n}": {} for n in range(40)}}, "parts, not"),
}


@pytest.mark.parametrize(("schema", "why"), NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_a_schema_can_neither_fetch_nor_hang(
    schema: JSON, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it opens a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(BadSchema) as caught:
        compiled(schema)
    assert why in str(caught.value)


def test_a_pattern_that_hangs_python_is_answered_at_once() -> None:
    schema = compiled({"type": "string", "pattern": "^(a+)+$"})
    assert objection(schema, "a" * 50_000) is None
    assert objection(schema, "a" * 50_000 + "!") is not None


def each(**schema: JSON) -> dict[str, JSON]:
    """A list, each item of which must fit."""
    return {"type": "array", "items": schema}


TOO_MUCH: dict[str, tuple[dict[str, JSON], JSON]] = {
    "fractions listed": (each(enum=[n + 0.5 for n in range(100)]), [99.5] * 4_000),
    "a fraction among integers": (each(enum=[*range(100), 0.5]), [0.5] * 4_000),
    "fractions in the answer": (each(allOf=[{"multipleOf": 2}] * 200), [2.0] * 3_000),
    "objects listed": (each(enum=[{"": n} for n in range(2_800)]), [{"": 2_799}] * 4_000),
    "keys required": (each(dependentRequired={str(n): ["a"] for n in range(1_000)}), [{}] * 20_000),
    "patterns against a long text": (
        {"allOf": [{"pattern": f"(0|1)*1(0|1){{12}}[{n}]"} for n in range(2, 10)]},
        "01" * 32_000,
    ),
    "looked at by each part": (
        each(allOf=[{"uniqueItems": True}] * 240),
        [[n] for n in range(9_000)],
    ),
}


@pytest.mark.parametrize(("schema", "value"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_an_answer_that_would_take_seconds_to_check_is_refused_at_once(
    schema: JSON, value: JSON
) -> None:
    """The first of these held up a server for 180 s, with a schema and an answer of 30 KiB each."""
    assert objection(compiled(schema), value) == "there is too much in it to be checked"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (each(enum=[f"city {n}" for n in range(3_000)]), ["city 2999"] * 5_000),
        (each(enum=list(range(6_000))), [5_999] * 10_000),
        (each(enum=[{"id": n, "name": "x"} for n in range(1_000)]), [{"id": 9, "name": "x"}] * 100),
        (each(type="number", minimum=0.5, maximum=99.5), [n / 10 for n in range(10, 900)] * 8),
        (each(type="array", items={"type": "number"}), [[0.5, 1.5]] * 5_000),
    ],
)
def test_a_long_answer_to_a_plain_schema_is_taken(schema: JSON, value: JSON) -> None:
    assert objection(compiled(schema), value) is None


def test_references_within_the_schema_are_taken() -> None:
    schema = compiled(
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "definitions": {"a/b": {"type": "integer"}},
            "properties": {"$ref": {"$ref": "#/definitions/a~1b"}},
        }
    )
    assert objection(schema, {"$ref": 1}) is None
    assert objection(schema, {"$ref": "x"}) == "value['$ref']: it is not of type \"integer\""


def test_an_objection_is_short_and_does_not_repeat_the_answer() -> None:
    found = objection(compiled({"enum": ["x" * 1_000]}), "my secret")
    assert found is not None
    assert len(found) <= 200
    assert "secret" not in found


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@attrs.frozen
class Guest:
    name: str
    age: int | None = None


@attrs.frozen
class Booking:
    """Every type that a field may have."""

    city: str
    nights: int
    price: float
    insured: bool
    room: Literal["single", "double"]
    color: Color
    guests: list[Guest]
    notes: dict[str, str] = attrs.field(factory=dict)


BOOKING: dict[str, JSON] = {
    "city": "Rome",
    "nights": 2,
    "price": 1.5,
    "insured": True,
    "room": "double",
    "color": "blue",
    "guests": [{"name": "Ann", "age": 7}, {"name": "Bob"}],
}


def test_an_answer_becomes_an_instance_of_its_class() -> None:
    assert objection(compiled(schema_of(Booking)), BOOKING) is None
    guests = [Guest("Ann", 7), Guest("Bob")]
    expected = Booking("Rome", 2, 1.5, True, "double", Color.BLUE, guests)
    assert structured(BOOKING, Booking) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("city", 5),
        ("nights", "2"),
        ("nights", 1.5),
        ("insured", 1),
        ("room", "suite"),
        ("color", "green"),
        ("guests", [{"age": 7}]),
        ("guests", [{"name": "Ann", "age": "7"}]),
        ("notes", {"a": 1}),
        ("more", 1),
    ],
)
def test_what_is_no_instance_is_refused_before_it_is_made(name: str, value: JSON) -> None:
    schema = compiled(schema_of(Booking))
    assert objection(schema, {**BOOKING, name: value}) is not None
    assert objection(schema, {k: v for k, v in BOOKING.items() if k != "city"}) is not None


@attrs.frozen
class Odd:
    what: complex


@attrs.frozen
class Mixed:
    what: int | str


@attrs.frozen
class Tree:
    below: list[Tree]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (int, "an attrs class"),
        (Guest("Ann"), "an attrs class"),
        (Odd, "Odd.what cannot be"),
        (Mixed, "Mixed.what cannot be"),
        (Tree, "its own type"),
    ],
)
def test_a_class_that_json_cannot_fill_is_refused(wrong: Any, why: str) -> None:
    with pytest.raises(BadAnswerType, match=why):
        schema_of(wrong)
