"""Where in a value something can be changed in place."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, UserDict
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.machine.immutability import mutable_part

pytestmark = pytest.mark.requirement("R39")


@attrs.frozen
class Box:
    content: object


@attrs.define
class Open:
    content: object = None


@dataclasses.dataclass(frozen=True)
class Crate:
    content: object


@dataclasses.dataclass
class OpenCrate:
    content: object


class Pair(NamedTuple):
    left: object
    right: object


@attrs.define(eq=False)
class Handle:
    """Compared by identity."""

    calls: int = 0


class Plain:
    """No form at all."""


@pytest.mark.parametrize(
    ("data", "part"),
    [
        ([], "data: list"),
        (OrderedDict(), "data: OrderedDict"),
        (UserDict(), "data: UserDict"),
        (Box({}), "data.content: dict"),
        (Crate(bytearray()), "data.content: bytearray"),
        (Pair(1, Box(set())), "data.right.content: set"),
        ((1, (2, [])), "data[1][1]: list"),
        (MappingProxyType({"a": [1]}), "data['a']: list"),
        (Open(), "data (Open is not frozen)"),
        (OpenCrate(1), "data (OpenCrate is not frozen)"),
        (Box(Crate((Open(),))), "data.content.content[0] (Open is not frozen)"),
    ],
    ids=repr,
)
def test_the_part_is_named_with_the_way_to_it(data: object, part: str) -> None:
    assert mutable_part(data) == part


@pytest.mark.parametrize(
    "data",
    [
        *(None, 7, "text", b"bytes", (), frozenset({1}), Box(Crate(Pair("a", ())))),
        *(MappingProxyType({"a": Box(1)}), Handle(), Box(Handle()), Plain(), ValueError("x"), Box),
    ],
    ids=repr,
)
def test_values_and_handles_pass(data: object) -> None:
    assert mutable_part(data) is None


@attrs.frozen
class Declares:
    """Its fields are None, but need not be."""

    tools: None = None


DECLARED: list[tuple[Any, str | None]] = [
    (list[int], "list"),
    (dict[str, int] | None, "dict"),
    (tuple[Mapping[str, set[int]], ...], "set"),
    (Open | None, "Open"),
    (Sequence[str] | None, None),
    (Mapping[str, tuple[Box, ...]] | None, None),
    (Callable[[list[int]], dict[str, int]] | None, None),
    (type[dict[str, int]] | None, None),
    (Handle | None, None),
    ("KnownToCheckersAlone", None),
]


@pytest.mark.parametrize(("declared", "found"), DECLARED, ids=str)
@pytest.mark.parametrize("make", [attrs.frozen, dataclasses.dataclass(frozen=True)])
def test_what_a_field_is_declared_to_hold_counts_from_the_start(
    make: Callable[[type], type], declared: object, found: str | None
) -> None:
    fields = {"__annotations__": {"tools": declared}, "tools": None, "__module__": __name__}
    data = make(type("Kit", (), fields))()
    assert mutable_part(data) == (f"data.tools: {found}" if found else None)


frozen_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=2),
    lambda inner: st.one_of(
        st.builds(Box, inner),
        st.builds(Crate, inner),
        st.builds(Pair, inner, inner),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2), inner, max_size=3).map(MappingProxyType),
    ),
    max_leaves=8,
)


@given(frozen_values, frozen_values)
def test_one_list_anywhere_is_found_and_nothing_else_is(before: object, after: object) -> None:
    assert mutable_part((before, after)) is None
    for wrapped in ([], Box([]), MappingProxyType({"": ([],)})):
        found = mutable_part((before, Crate((wrapped, after))))
        assert found is not None
        assert found.startswith("data[1].content[0]")
        assert found.endswith(": list")


def test_the_depth_of_a_value_is_no_limit() -> None:
    deep: object = []
    for _ in range(5000):
        deep = (deep,)
    assert (mutable_part(deep) or "").endswith("[0]: list")
