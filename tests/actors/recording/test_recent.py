"""What an actor remembers of its messages is bounded in number and in bytes."""

from __future__ import annotations

import dataclasses
import weakref
from collections import deque
from types import MappingProxyType
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from hypothesis import example, given
from hypothesis import strategies as st

from greenroom.actors.actor import Actor
from greenroom.actors.recording.recent import AT_ONCE, RECENT_BYTES, WEIGHED_AFTER, Recent, TooLarge
from greenroom.actors.recording.small import Weighed
from greenroom.actors.recording.weight import weight_of
from greenroom.actors.ref import Request
from tests.actors.conftest import Spawn

pytestmark = [pytest.mark.requirement("R39"), pytest.mark.fault("S15")]

MEGABYTE = 1 << 20


@attrs.frozen
class Parcel:
    content: object
    name: str = ""


@attrs.frozen
class AskParcel(Request[int]):
    content: bytes


@dataclasses.dataclass(frozen=True)
class Data:
    content: object


class Plain:
    def __init__(self, content: object) -> None:
        self.content = content


class Handle:
    """Someone else's object: held, and not kept, by who holds it."""

    def __init__(self) -> None:
        self.buffer = b"x" * MEGABYTE


class Hopeless:
    @property
    def __dict__(self) -> dict[str, object]:  # type: ignore[override]  # the point
        raise SystemExit


class Liar(list[object]):
    def __len__(self) -> int:
        raise ValueError


LARGE: list[object] = [
    *("x" * MEGABYTE, b"x" * MEGABYTE, bytearray(MEGABYTE), [0] * MEGABYTE, 1 << (8 * MEGABYTE)),
    *(("x" * MEGABYTE,), {"a": ["x" * MEGABYTE]}, {"x" * MEGABYTE: 1}, deque(["x" * MEGABYTE])),
    *(Parcel(b"x" * MEGABYTE), Data(Parcel({"deep": (Data("x" * MEGABYTE),)}))),
    *(Plain("x" * MEGABYTE), MappingProxyType({1: "x" * MEGABYTE}), [[i] for i in range(9999)]),
]


def content_of(value: object) -> str:
    return type(value).__name__


@pytest.mark.parametrize("value", LARGE, ids=content_of)
def test_a_large_value_of_any_form_weighs_more_than_the_limit(value: object) -> None:
    assert weight_of(value, RECENT_BYTES) > RECENT_BYTES


@pytest.mark.parametrize(
    "value", [None, 3, "x", Parcel("x", "name"), Handle, Parcel(Handle()), [Handle()] * 9], ids=repr
)
def test_small_values_and_handles_weigh_little(value: object) -> None:
    assert weight_of(value, RECENT_BYTES) < 1_000


@pytest.mark.parametrize("value", [Liar([1]), [Liar()], Hopeless()], ids=content_of)
def test_what_cannot_be_weighed_counts_as_too_large_and_raises_nothing(value: object) -> None:
    assert weight_of(value, 1_000) == 1_001


def test_a_value_that_holds_itself_is_weighed_in_bounded_time() -> None:
    circle: list[object] = []
    circle.append(circle)

    assert weight_of(circle, RECENT_BYTES) > RECENT_BYTES


@attrs.define
class HalfSet:
    first: str = attrs.field(init=False)
    second: bytes = b""


def test_a_record_with_a_field_that_was_never_set_is_weighed_by_the_others() -> None:
    assert weight_of(HalfSet(), RECENT_BYTES) < 1_000
    assert weight_of(HalfSet(bytes(MEGABYTE)), RECENT_BYTES) > RECENT_BYTES


nested = st.recursive(
    st.text(max_size=50) | st.binary(max_size=50) | st.integers(),
    lambda inner: st.lists(inner, max_size=5) | st.builds(Parcel, inner),
    max_leaves=30,
)


def text_bytes(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Parcel):
        return text_bytes(value.content)
    return sum(map(text_bytes, value)) if isinstance(value, list) else 0


@given(nested, st.integers(0, 500))
def test_the_weight_is_never_less_than_the_texts_and_stops_soon_past_the_limit(
    value: object, limit: int
) -> None:
    weight = weight_of(value, limit)

    assert weight > limit or weight >= text_bytes(value)


@given(st.lists(st.lists(st.integers(0, 3_000), max_size=8), max_size=20), st.integers(1, 8))
@example(batches=[[0, 0, 0, 1_601, 1_945, 1_945, 1_945, 1_945]], count=8)
def test_after_each_batch_the_newest_are_kept_within_both_bounds(
    batches: list[list[int]], count: int
) -> None:
    recent, told = Recent(count, 2_000), list[bytes]()
    for sizes in batches:
        for size in sizes:
            told.append(b"x" * size)
            recent.append(told[-1])
        recent._new += len(sizes)  # `handled` without a clock
        recent.weigh()

        assert len(recent) <= count
        assert sum(weight_of(each, 10_000) for each in recent) <= 2_000
        newest = told[len(told) - len(recent) :]
        for kept, message in zip(recent, newest, strict=True):
            assert kept is message or (kept == TooLarge(bytes, 2_000) and len(message) > 1_900)


class Post(Actor[object]):
    async def receive(self, message: object) -> object:
        return 1


async def test_an_actor_at_rest_keeps_no_large_message_alive(
    spawn: Spawn, autojump_clock: trio.testing.MockClock
) -> None:
    post = Post()
    ref = await spawn(post)
    parcels = [Parcel(bytes(MEGABYTE)) for _ in range(20)]
    watched = [weakref.ref(parcel) for parcel in parcels]

    while parcels:
        ref.tell(parcels.pop())
        await trio.sleep(0.1)
    await trio.sleep(WEIGHED_AFTER)

    assert [each() for each in watched] == [None] * 20
    assert post.recent.kept() == [TooLarge(Parcel, RECENT_BYTES)] * 16


async def test_a_large_request_is_not_kept_alive_by_its_ask(
    spawn: Spawn, autojump_clock: trio.testing.MockClock
) -> None:
    post = Post()
    ref = await spawn(post)
    request = AskParcel(bytes(MEGABYTE))
    watched = weakref.ref(request)
    assert await ref.ask(request) == 1
    await trio.sleep(WEIGHED_AFTER + 0.1)

    del request

    assert watched() is None
    assert post.recent.kept() == [TooLarge(AskParcel, RECENT_BYTES)]


async def test_small_messages_are_remembered_as_they_are(
    spawn: Spawn, autojump_clock: trio.testing.MockClock
) -> None:
    post = Post()
    ref = await spawn(post)
    for number in range(20):
        ref.tell(number)
    await trio.sleep(WEIGHED_AFTER + 0.1)

    assert post.recent.kept() == list(range(4, 20))


async def test_the_messages_of_many_actors_are_weighed_some_at_a_time(
    spawn: Spawn, autojump_clock: trio.testing.MockClock
) -> None:
    posts = [Post() for _ in range(3 * AT_ONCE)]
    for number, post in enumerate(posts):
        ref = await spawn(post, name=str(number))
        ref.tell(Parcel(bytes(MEGABYTE)))
    await trio.testing.wait_all_tasks_blocked()
    cut = TooLarge(Parcel, RECENT_BYTES)

    await trio.sleep(WEIGHED_AFTER + 0.001)
    assert sum(cut in post.recent for post in posts) == AT_ONCE
    await trio.sleep(1)
    assert all(cut in post.recent for post in posts)


async def test_the_scales_do_not_keep_an_actor_that_ended(
    spawn: Spawn, autojump_clock: trio.testing.MockClock
) -> None:
    recent = Recent(3)
    recent.append("x")
    recent.handled(1)
    watched = weakref.ref(recent)

    del recent

    assert watched() is None
    await trio.sleep(WEIGHED_AFTER + 0.1)


@attrs.frozen
class Crate(Weighed):
    content: object

    @property
    def weight(self) -> int:
        return 1_000


def test_a_message_that_knows_its_weight_is_not_looked_into() -> None:
    assert 1_000 <= weight_of(Crate(bytes(MEGABYTE)), RECENT_BYTES) < 1_100
    assert 2_000 <= weight_of([Crate(None), Crate(None)], RECENT_BYTES) < 2_300
