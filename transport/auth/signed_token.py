"""Signed tokens in compact form, taken apart (RFC 7515 §7.1).

PyJWT reads the header apart from the rest, and so takes a token apart twice; it also prepares a key
for each token. Together that took three times as long as the signature itself.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

import attrs
import orjson

from greenroom.transport.auth.keys import BadToken

MALFORMED = "the token is malformed"


@attrs.frozen
class SignedToken:
    """The parts of a token. Nothing in them is proven before the signature of `signed` is."""

    header: Mapping[str, object] = attrs.field(repr=False)
    payload: bytes = attrs.field(repr=False)
    signed: bytes = attrs.field(repr=False)
    signature: bytes = attrs.field(repr=False)

    @property
    def kid(self) -> str | None:
        """The key that the token names."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else None


def take_apart(token: str) -> SignedToken:
    """The parts of a token. Raises `BadToken`, also if it demands an extension (§4.1.11)."""
    try:
        header, payload, signature = token.split(".")
        parts = SignedToken(
            orjson.loads(_decoded(header)),
            _decoded(payload),
            f"{header}.{payload}".encode("ascii"),
            _decoded(signature),
        )
    except ValueError:  # so are the errors of UTF-8, base64 and JSON; none may repeat the token
        raise BadToken(MALFORMED) from None
    known = parts.header
    if not isinstance(known, dict) or "crit" in known or not isinstance(known.get("kid", ""), str):
        raise BadToken(MALFORMED)
    return parts


def _decoded(segment: str) -> bytes:
    """Base64url, with or without padding. Written in one way only: Python's decoder passes over
    what is not of its alphabet, and over bits at the end that no byte needs."""
    bare = segment.rstrip("=")
    padded = bare + "=" * (-len(bare) % 4)
    if segment not in (bare, padded):
        raise binascii.Error
    decoded = urlsafe_b64decode(padded)
    if urlsafe_b64encode(decoded).decode() != padded:
        raise binascii.Error
    return decoded
