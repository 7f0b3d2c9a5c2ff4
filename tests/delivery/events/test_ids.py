"""One module makes and parses every id, and says what it was given instead."""

from __future__ import annotations

from itertools import count, permutations
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typeid import TypeID

from greenroom.delivery.events.ids import (
    BadId,
    ConnectionId,
    EventId,
    Id,
    IdSource,
    RandomTails,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    ToolCallId,
    UserId,
    bits_of,
    kind_of,
    named,
    tails_of,
    with_bits,
)
from tests.forked_child import in_forked_child

MADE: list[type[Id]] = [
    ThreadId,
    RunId,
    RequestId,
    SessionId,
    ConnectionId,
    EventId,
    ToolCallId,
]
IDS = IdSource()


def made(kind: type[Id]) -> Id:
    return UserId.parse("alice") if kind is UserId else IDS.new(kind)


@pytest.mark.requirement("R01", "R17")
@pytest.mark.parametrize(("given_kind", "expected"), list(permutations([*MADE, UserId], 2)))
def test_an_id_of_one_kind_is_refused_as_another_naming_both(
    given_kind: type[Id], expected: type[Id]
) -> None:
    given_id = made(given_kind)
    for value in (given_id, str(given_id)):  # as a typed id, and as text from outside
        with pytest.raises(BadId) as caught:
            expected.parse(value)
        assert caught.value.expected == expected.kind
        assert caught.value.given == given_kind.kind
        perhaps = "other text, perhaps a " * (given_kind is UserId and type(value) is str)
        assert f" {expected.kind} id, got {perhaps}{given_kind.kind}" in str(caught.value)


@pytest.mark.parametrize("kind", MADE)
def test_an_id_comes_back_from_its_text(kind: type[Id]) -> None:
    new = IDS.new(kind)
    assert type(kind.parse(str(new))) is kind
    assert kind.parse(str(new)) == new
    assert new.startswith(f"{kind.prefix}_")


def test_ids_sort_by_the_millisecond_of_their_birth() -> None:
    clock = count(1_700_000_000_000, 7)
    ids = IdSource(now_ms=lambda: next(clock))
    born = [ids.new(EventId) for _ in range(200)]
    assert sorted(born) == born


def test_a_given_clock_and_randomness_give_known_ids() -> None:
    ids = IdSource(now_ms=lambda: 1_700_000_000_000, random_bits=lambda bits: (1 << bits) - 1)
    assert ids.new(RunId) == "run_01hf7yat00fzzvzzzzzzzzzzzz"
    assert str(TypeID.from_string(ids.new(RunId)).uuid) == "018bcfe5-6800-7fff-bfff-ffffffffffff"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "an empty string"),
        ("a" * 256, "a string of 256 characters"),
        ("al ice", "a string with invisible characters"),
        ("alice\n", "a string with invisible characters"),
        ("a\u200bb", "a string with invisible characters"),
        ("\ud800", "a string with invisible characters"),
        (7, "an int"),
        (None, "a NoneType"),
    ],
)
def test_a_user_id_is_1_to_255_visible_characters(value: object, words: str) -> None:
    with pytest.raises(BadId) as caught:
        UserId.parse(value)  # type: ignore[arg-type]  # what a caller without types may pass
    assert caught.value.given == words


@pytest.mark.parametrize("user", ["a", "a" * 255, "auth0|6f2", "ada@example.org", "run_x", "Ünsal"])
def test_a_user_id_is_whatever_the_identity_provider_says(user: str) -> None:
    assert UserId.parse(user) == user


@pytest.mark.parametrize(
    "text",
    [
        "run_",
        "run_01hf7yat00fzztzzzzzzzzzzz",  # a character short
        "run_81hf7yat00fzztzzzzzzzzzzzz",  # more than 128 bits
        "run_01HF7YAT00FZZTZZZZZZZZZZZZ",  # upper case
        "run_01hf7yat00fzztzzzzzzzzzzzl",  # not in the alphabet
        "01hf7yat00fzztzzzzzzzzzzzz",
        "_01hf7yat00fzztzzzzzzzzzzzz",
    ],
)
def test_text_that_only_looks_like_an_id_is_none(text: str) -> None:
    with pytest.raises(BadId):
        RunId.parse(text)


@pytest.mark.requirement("R17")
@given(st.text(max_size=300))
def test_any_text_is_a_user_id_or_refused_and_never_an_id_of_ours(text: str) -> None:
    for kind in MADE:
        with pytest.raises(BadId):
            kind.parse(text)
    if kind_of(text) == UserId.kind:
        assert UserId.parse(text) == text
    else:
        with pytest.raises(BadId):
            UserId.parse(text)


def test_an_error_shows_no_more_than_the_beginning_of_a_long_value() -> None:
    with pytest.raises(BadId) as caught:
        RunId.parse("x" * 10_000)
    assert len(str(caught.value)) < 200


@given(st.sampled_from(MADE), st.integers(0, (1 << 128) - 1))
def test_an_id_is_the_typeid_of_its_uuid(kind: type[Id], bits: int) -> None:
    id_ = with_bits(kind, bits)
    assert id_ == str(TypeID.from_uuid(UUID(int=bits), prefix=kind.prefix))
    assert kind.parse(str(id_)) == id_
    assert bits_of(id_) == bits


@given(st.binary(min_size=16, max_size=64).filter(lambda drawn: len(drawn) % 16 == 0))
def test_what_is_drawn_together_becomes_the_tails_of_as_many_ids(drawn: bytes) -> None:
    tails = tails_of(drawn)
    assert len(tails) == len(drawn) // 16
    for tail in tails:
        uuid = TypeID.from_string(f"run_01hf7yat00{tail}").uuid
        assert (uuid.version, uuid.variant) == (7, RFC_4122)


def test_each_random_bit_of_a_tail_is_one_that_was_drawn() -> None:
    known = tails_of(bytes(16))[0]
    used = {
        tail
        for place in range(16)
        for bit in range(8)
        if (tail := tails_of((1 << 8 * place + bit).to_bytes(16, "little"))[0]) != known
    }
    assert len(used) == 74


def test_no_tail_is_given_twice() -> None:
    tails = RandomTails()
    assert len({tails() for _ in range(3 * RandomTails.DRAWN)}) == 3 * RandomTails.DRAWN


def test_ids_of_one_source_differ() -> None:
    ids = IdSource(now_ms=lambda: 0)
    assert len({ids.new(EventId) for _ in range(1_000)}) == 1_000


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_makes_other_ids_than_its_parent() -> None:
    tails = RandomTails()
    tails()
    children = [in_forked_child(tails) for _ in range(2)]
    assert len({*children, tails()}) == 3


@pytest.mark.parametrize("kind", MADE)
def test_the_id_of_what_was_erased_is_read_and_may_not_be_named(kind: type[Id]) -> None:
    zeros = kind.parse(f"{kind.prefix}_{'0' * 26}")
    with pytest.raises(BadId, match="something erased"):
        named(zeros)
    assert named(IdSource().new(kind))
