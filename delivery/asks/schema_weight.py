"""How much there is in a schema and in a value: how long a check may take (pure).

A reference counts as all that it refers to: otherwise twenty could stand for a million parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from greenroom.delivery.events.kinds import JSON

MOST_EFFORT: Final = 1_000_000
"""About the comparisons of a tenth of a second."""

FRACTION_EFFORT: Final = 50
"""The effort of comparing two numbers, one of which has a fraction: jsonschema-rs is exact."""

CHARACTER_EFFORT: Final = 4
"""The effort of matching one character, where a pattern has more states than fit in its memory."""

PATTERN_PARTS: Final = 15
"""What a regular expression counts for: compiling it takes its time."""

_NUMERIC: Final = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)

_NAMES: Final = frozenset({"required", "dependentRequired"})
WITHOUT_SCHEMAS: Final = _NUMERIC | _NAMES | {"const", "enum", "default", "examples", "pattern"}
"""Keywords that have no schema in their value."""


@attrs.frozen
class Weight:
    """Of a schema, or a part of it. `listed`: values in it that are compared one by one."""

    parts: int = 0
    listed: int = 0
    numbers: int = 0
    has_fraction: bool = False
    patterns: int = 0

    def __add__(self, other: Weight) -> Weight:
        return Weight(
            self.parts + other.parts,
            self.listed + other.listed,
            self.numbers + other.numbers,
            self.has_fraction or other.has_fraction,
            self.patterns + other.patterns,
        )

    def twice(self) -> Weight:
        return self + self


def weight_of_keyword(name: str, value: JSON) -> Weight:
    """Of a keyword that has no schemas in it."""
    if name in ("const", "enum"):
        return _weight_of_values(value if name == "enum" and isinstance(value, list) else [value])
    if name in _NUMERIC:
        return Weight(0, 0, 1, type(value) is float)
    if name in _NAMES:
        return Weight(1, sum(1 for _ in _values_in(value)))
    return weight_of_patterns(1) if name == "pattern" else Weight(1)


def weight_of_patterns(count: int) -> Weight:
    """Of regular expressions."""
    return Weight(PATTERN_PARTS * count, patterns=count)


def effort(schema: Weight, value: JSON) -> int:
    """The most that the check of a value may take: a tenth of a second is about `MOST_EFFORT`."""
    found = list(_values_in(value))
    numbers = [each for each in found if type(each) in (int, float)]
    pairs = schema.numbers * len(numbers)
    if not (schema.has_fraction or any(type(each) is float for each in numbers)):
        pairs = 0
    characters = sum(len(each) for each in found if isinstance(each, str))
    return (
        (schema.parts + schema.listed) * len(found)
        + pairs * FRACTION_EFFORT
        + schema.patterns * characters * CHARACTER_EFFORT
    )


def _weight_of_values(values: Sequence[JSON]) -> Weight:
    """A list of texts alone, or of integers alone, is looked up at once."""
    numbers = [each for each in _values_in(values) if type(each) in (int, float)]
    is_quick = {type(each) for each in values} in ({str}, {int})
    has_fraction = any(type(each) is float for each in numbers)
    return Weight(1, 0 if is_quick else len(values), len(numbers), has_fraction)


def _values_in(value: JSON) -> Iterator[JSON]:
    """All values in a value, itself and keys included."""
    pending = [value]
    while pending:
        each = pending.pop()
        yield each
        if isinstance(each, Mapping):
            pending += each.keys()
            pending += each.values()
        elif isinstance(each, list | tuple):
            pending += each
