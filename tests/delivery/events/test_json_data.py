"""What is accepted as an event's data comes back as it was; what would not raises at the call."""

from __future__ import annotations

import datetime
import enum
import json
import math
import uuid
from collections import namedtuple
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import BadEvent, Draft, user_said
from greenroom.delivery.events.ids import EventId, IdSource
from greenroom.delivery.events.kinds import JSON
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.frame_codec import FrameDecoder
from greenroom.transport.protocol.frame_object import BadFrame
from tests.delivery.backstage import IDS, open_backstage

DECODER = FrameDecoder()


pytestmark = pytest.mark.fault("D9")

NUMBERS = st.integers() | st.integers(-(2**54), 2**54) | st.floats()
STRANGE = st.one_of(
    st.binary(max_size=3),
    st.datetimes(),
    st.uuids(),
    st.decimals(),
    st.complex_numbers(),
    st.sets(st.integers(), max_size=2),
)
TEXT = st.text(st.characters(), max_size=5)  # half surrogate pairs among them
KEYS = TEXT | st.integers() | st.none()
LEAVES = st.none() | st.booleans() | TEXT | NUMBERS | STRANGE
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def said(body: object) -> Draft:
    context = UserContext.new(user="alice", ids=IdSource())
    return user_said(event=IDS.new(EventId), context=context, body=cast(JSON, body), say="1")


def as_a_browser_reads(text: str | bytes) -> Any:  # Any: a value of JSON, for comparison
    """`JSON.parse`: each number is a double, and neither NaN nor Infinity is one of JSON's."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_int=float, parse_constant=refuse)


def same(one: object, other: object) -> bool:
    """Equal, of the same JSON type, and a float to its last bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return type(one) is type(other) and one == other


@given(VALUES)
def test_whatever_is_accepted_comes_back_equal(body: object) -> None:
    try:
        draft = said(body)
    except BadEvent:
        return
    assert same(body, as_a_browser_reads(draft.rest)["data"]["body"])


@given(VALUES)
def test_whatever_a_client_may_say_comes_back_equal(body: object) -> None:
    try:
        text = json.dumps({"type": "say", "id": "1", "body": body})
    except (TypeError, ValueError):
        return  # no client could write it
    try:
        frame = DECODER.decode(text)
    except BadFrame:
        return
    assert isinstance(frame, wire.Say)
    assert same(
        as_a_browser_reads(text)["body"], as_a_browser_reads(said(frame.body).rest)["data"]["body"]
    )


class Colour(enum.Enum):
    RED = "red"


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (math.nan, "a finite number, not nan"),
        (-math.inf, "a finite number, not -inf"),
        (2**53 + 1, "an integer from -2^53 to 2^53, not 9007199254740993"),
        (-(2**53) - 1, "an integer from -2^53 to 2^53, not -9007199254740993"),
        (10**400, "an integer from -2^53 to 2^53, not an integer of 1329 bits"),
        (b"x", "JSON, not of type bytes"),
        (datetime.datetime(2026, 1, 1), "JSON, not of type datetime"),
        (uuid.UUID(int=1), "JSON, not of type UUID"),
        (Colour.RED, "JSON, not of type Colour"),
        (Decimal(1), "JSON, not of type Decimal"),
        (Point(1, 2), "JSON, not of type Point"),
        ("\ud800", "text, not half a surrogate pair"),
        ({1: 2}, "an object whose keys are all str, not an object with a key of type int"),
        (
            {"\udfff": 2},
            "an object whose keys are text, not an object with half a surrogate pair in a key",
        ),
    ],
)
@pytest.mark.parametrize("beside", [None, 1, 1.5, "text", []])
async def test_what_json_does_not_have_raises_at_the_call_and_names_the_way_to_it(
    value: object, words: str, beside: JSON
) -> None:
    report = {"rows": [beside, {"total cost": cast(JSON, value)}]}
    async with open_backstage() as stage, stage.run() as run:
        with pytest.raises(BadEvent) as caught:
            await run.final_report(report=report)
        assert f"data.report.rows[1]['total cost'] must be {words}" in caught.value.message
        await run.final_report(report={"rows": [beside, {"total": 2**53}, -(2**53), 1e300]})


async def test_the_result_of_a_tool_is_named_by_its_way() -> None:
    async with open_backstage() as stage, stage.run() as run:
        await run.tool_executing(tool_name="sum")
        with pytest.raises(BadEvent, match=r"data\.result\.total must be a finite number"):
            await run.tool_completed(tool_name="sum", result={"total": math.nan})
        await run.tool_completed(tool_name="sum", result={"total": 0.5})


def test_what_nests_without_end_is_refused() -> None:
    endless: list[object] = [1, {"a": "b"}]
    endless += [endless, endless]
    with pytest.raises(BadEvent, match="at most 200 levels deep"):
        said(endless)


@pytest.mark.parametrize("field", ["body", "verdict"])
@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**64 - 1])
def test_a_client_that_sends_an_integer_browsers_would_round_is_told_where(
    field: str, number: int
) -> None:
    kind = {"body": {"type": "say", "id": "7"}, "verdict": {"type": "confirm", "offset": 1}}[field]
    with pytest.raises(BadFrame) as caught:
        DECODER.decode(json.dumps({**kind, field: {"rows": [{"n": number}]}}))
    assert f"`{field}.rows[0].n` must be an integer" in caught.value.message
    assert not caught.value.fatal
    assert caught.value.id == kind.get("id")
