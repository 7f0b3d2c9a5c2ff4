"""Tokens in compact form: their parts are those that PyJWT finds in them."""

from __future__ import annotations

import base64
import json

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from greenroom.transport.auth.keys import BadToken, secret_key
from greenroom.transport.auth.signed_token import take_apart

SECRET = "a secret of more than thirty-two bytes"
GOOD = jwt.api_jws.encode(b'{"sub":"alice"}', SECRET, algorithm="HS256", headers={"kid": "one"})


def packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def by_pyjwt(token: str) -> tuple[object, ...] | None:
    """What PyJWT makes of a token; None if it refuses the token."""
    try:
        found = jwt.PyJWS().decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError):
        return None
    return found["header"], found["payload"], found["signature"]


def by_us(token: str) -> tuple[object, ...] | None:
    try:
        parts = take_apart(token)
    except BadToken:
        return None
    return parts.header, parts.payload, parts.signature


def is_usual(segment: str) -> bool:
    """Whether a segment is written as base64url encoders write it, with or without padding."""
    try:
        usual = base64.urlsafe_b64encode(base64.urlsafe_b64decode(segment + "==")).decode()
    except ValueError:
        return False
    return segment in (usual, usual.rstrip("="))


SEGMENTS = st.binary(max_size=9).map(packed) | st.text("aQ-_=+/.! é", max_size=6)
HEADERS = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "x"]),
    st.text("ab", max_size=2) | st.integers(),
    max_size=3,
).map(lambda header: packed(json.dumps(header).encode()))


@given(st.lists(SEGMENTS | HEADERS, min_size=1, max_size=4).map(".".join))
@example(GOOD)
@example(GOOD + "=")
@example(GOOD + "==")
@example(GOOD[:-1])
@example("e30.e30.e31")
@example("e30=.e30.e30=")
def test_a_token_has_the_parts_that_pyjwt_finds_in_it(token: str) -> None:
    """Older versions of PyJWT also take what is written in base64 in an unusual way."""
    ours, theirs = by_us(token), by_pyjwt(token)
    if ours is not None or all(map(is_usual, token.split("."))):
        assert ours == theirs


@given(st.integers(0, len(GOOD) - 1), st.characters(codec="ascii"))
def test_any_other_character_in_a_token_is_refused_or_seen(place: int, other: str) -> None:
    changed = GOOD[:place] + other + GOOD[place + 1 :]
    key = secret_key(SECRET)
    try:
        parts = take_apart(changed)
    except BadToken:
        return
    assert key.has_signed(parts.signed, parts.signature) is (changed == GOOD)


@pytest.mark.parametrize("crit", [["b64"], ["exp"], [], "b64", None])
def test_a_token_that_demands_an_extension_is_refused(crit: object) -> None:
    """RFC 7515 §4.1.11: a recipient that does not understand one must refuse the token."""
    header = packed(json.dumps({"alg": "HS256", "b64": True, "crit": crit}).encode())
    with pytest.raises(BadToken, match="malformed"):
        take_apart(f"{header}.e30.e30")


def test_a_key_is_prepared_once_and_not_for_each_token(monkeypatch: pytest.MonkeyPatch) -> None:
    key, prepared = secret_key(SECRET), []
    monkeypatch.setattr(jwt.algorithms.HMACAlgorithm, "prepare_key", prepared.append)
    parts = take_apart(GOOD)
    assert all(key.has_signed(parts.signed, parts.signature) for _ in range(3))
    assert prepared == []
