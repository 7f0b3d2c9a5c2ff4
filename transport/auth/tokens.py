"""The token of a request, and the user that it proves."""

from __future__ import annotations

import base64
import binascii
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeGuard

import attrs
import jwt
import orjson

from greenroom.delivery.events.ids import BadId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.observer import NO_OBSERVER, Observer
from greenroom.transport.auth.keys import (
    ALGORITHMS,
    BadToken,
    ExpiredToken,
    FixedKey,
    KeyFile,
    KeySource,
    VerifyingKey,
    read_pem,
    secret_key,
)
from greenroom.transport.auth.signed_token import MALFORMED, SignedToken, take_apart
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.protocol.wire_fields import MAX_OFFSET, MAX_TOKEN_LENGTH, shown

BEARER_PROTOCOL = "greenroom.bearer."
SERVICE_AUDIENCE = "greenroom.service"
"""The audience of service tokens (`service_tokens.py`), which prove no user."""

LEEWAY = 10.0
LATEST = MAX_OFFSET // 1000
"""The last NumericDate: in ms it is an integer that every JSON reader keeps (RFC 8259 §6)."""


def _is_time(value: object) -> TypeGuard[int | float]:
    """NaN, the infinities and what `ready.expires` cannot hold are not times."""
    return isinstance(value, int | float) and type(value) is not bool and 0 <= value <= LATEST


def _user_id(user: UserId) -> UserId:
    """Checked, for whoever writes an authenticator without a type checker."""
    return UserId.parse(user)


@attrs.frozen
class Identity:
    """A proven user. `expires_at` in seconds since the Unix epoch, None for never. `proof`: what an
    authenticator that offers `still_valid` recognises the token by; never the token itself.

    Raises `BadId` for what is no user's id, and `ValueError` for a time that no frame can hold: not
    finite, negative, or past `LATEST`.
    """

    user: UserId = attrs.field(converter=_user_id)
    expires_at: float | None = attrs.field(default=None)
    proof: str | None = attrs.field(default=None, repr=False)

    @expires_at.validator
    def _check_expiry(self, _: object, value: object) -> None:
        if value is not None and not _is_time(value):
            raise ValueError(f"`expires_at` must be a time from 0 to {LATEST} s, not {value!r:.40}")


class Authenticator(Protocol):
    """Proves the user of a token. It may also offer `still_valid` (`auth.validity.Revoking`)."""

    async def authenticate(self, token: str) -> Identity:
        """Raises `BadToken`, whose message says why and never holds the token."""


class JwtAuthenticator:
    """JSON Web Tokens (RFC 7519) with `sub` and `exp`.

    `audience` and `issuer` are required if set, and otherwise not checked. `iat` and `nbf`
    may lie `LEEWAY` seconds ahead; `exp` gets none. `clock` gives seconds since the Unix epoch.
    """

    def __init__(
        self,
        keys: KeySource,
        *,
        audience: str | None = None,
        issuer: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._clock = clock

    @classmethod
    def from_secret(
        cls,
        secret: str | bytes,
        *,
        audience: str | None = None,
        issuer: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> JwtAuthenticator:
        """HS256 with a shared secret of at least 32 bytes. Raises `BadKeyFile`."""
        keys = FixedKey(secret_key(secret))
        return cls(keys, audience=audience, issuer=issuer, clock=clock)

    @classmethod
    def from_key_file(
        cls,
        path: str | Path,
        *,
        audience: str | None = None,
        issuer: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> JwtAuthenticator:
        """RS256 or ES256, by the PEM public key in a file, read once. Raises `BadKeyFile`."""
        keys = FixedKey(read_pem(path))
        return cls(keys, audience=audience, issuer=issuer, clock=clock)

    @classmethod
    def from_jwks_file(
        cls,
        path: str | Path,
        *,
        audience: str | None = None,
        issuer: str | None = None,
        clock: Callable[[], float] = time.time,
        observer: Observer = NO_OBSERVER,
    ) -> JwtAuthenticator:
        """By a JWKS file, read again when it changes. Raises `BadKeyFile`."""
        keys = KeyFile(path, observer=observer)
        return cls(keys, audience=audience, issuer=issuer, clock=clock)

    async def authenticate(self, token: str) -> Identity:
        claims, expires_at, key = await self._proven(token)
        if SERVICE_AUDIENCE in audiences(claims):
            raise BadToken("the token is a service's, and proves no user")
        proof = key.fingerprint if isinstance(self._keys, KeyFile) else None
        return Identity(_subject(claims), expires_at, proof)

    async def claims(self, token: str) -> tuple[Mapping[str, JSON], float]:
        """The claims of a token that is signed and valid now, whatever it proves, and when it
        expires. Raises `BadToken`."""
        claims, expires_at, _ = await self._proven(token)
        return claims, expires_at

    async def _proven(self, token: str) -> tuple[Mapping[str, JSON], float, VerifyingKey]:
        parts = take_apart(token)
        key = await self._keys.key_for(parts.kid)
        if parts.header.get("alg") != key.algorithm:
            raise BadToken(
                f"the token is signed with {_algorithm(parts.header)}, which is not "
                f"the algorithm of its key, {key.algorithm}"
            )
        claims = _claims(parts, key)
        expires_at = self._check_times(claims)
        self._check_origin(claims)
        return claims, expires_at, key

    async def still_valid(self, identity: Identity) -> bool:
        """False once the key of the identity's token was taken from the JWKS file."""
        if identity.proof is None or not isinstance(self._keys, KeyFile):
            return True
        return await self._keys.still_has(identity.proof)

    def _check_times(self, claims: Mapping[str, JSON]) -> float:
        now = self._clock()
        expires_at = _time(claims, "exp")
        if expires_at is None:
            raise BadToken("the token has no `exp`: it would never expire")
        if now >= expires_at:
            raise ExpiredToken(f"the token expired {now - expires_at:.0f} s ago", _user_of(claims))
        for claim in ("nbf", "iat"):
            if (_time(claims, claim) or now) > now + LEEWAY:
                raise BadToken(f"the token is not valid yet: its `{claim}` lies ahead")
        return expires_at

    def _check_origin(self, claims: Mapping[str, JSON]) -> None:
        if self._audience is not None and self._audience not in audiences(claims):
            raise BadToken("the token is for another audience")
        if self._issuer is not None and self._issuer != claims.get("iss"):
            raise BadToken("the token is from another issuer")


def sign_token(
    secret: str | bytes,
    user: str,
    ttl_seconds: float,
    *,
    now: float | None = None,
    **claims: JSON,
) -> str:
    """An HS256 token for `user` that expires in `ttl_seconds`; further `claims` as they are.

    Raises `BadKeyFile` for a weak secret, `BadId` for a user id that is none, and `ValueError` for
    `ttl_seconds` that are not a number above 0.
    """
    if not isinstance(ttl_seconds, int | float) or not 0 < ttl_seconds < math.inf:
        raise ValueError(
            f"`ttl_seconds` must be a number of seconds above 0, not {ttl_seconds!r}; "
            "for a token that has expired, pass an earlier `now`"
        )
    issued = time.time() if now is None else now
    times: dict[str, JSON] = {"iat": math.floor(issued), "exp": math.ceil(issued + ttl_seconds)}
    return sign_claims(secret, {"sub": str(UserId.parse(user)), **times, **claims})


def sign_claims(secret: str | bytes, claims: Mapping[str, JSON]) -> str:
    """An HS256 token with these claims. Raises `BadKeyFile` for a weak secret."""
    key = secret_key(secret)
    return jwt.encode(dict(claims), key.key, algorithm=key.algorithm)  # type: ignore[arg-type]  # bytes


def extract_token(head: RequestHead) -> str | None:
    """The token of a request, from `Authorization` or an offered subprotocol; None without one.

    Raises `BadToken` if there are several (RFC 6750 §2), or it cannot be read or is too long.
    """
    tokens = [*_authorization_tokens(head), *_subprotocol_tokens(head)]
    if len(tokens) > 1:
        raise BadToken("the request brings more than one token")
    if tokens and len(tokens[0]) > MAX_TOKEN_LENGTH:
        raise BadToken(
            f"the token has {len(tokens[0])} characters, more than the {MAX_TOKEN_LENGTH} allowed"
        )
    return tokens[0] if tokens else None


def _authorization_tokens(head: RequestHead) -> list[str]:
    pairs = [value.partition(" ") for value in head.all("authorization")]
    return [token.strip() for scheme, _, token in pairs if scheme.lower() == "bearer"]


def _subprotocol_tokens(head: RequestHead) -> list[str]:
    offered = head.listed("sec-websocket-protocol")
    return [
        _unpacked(protocol.removeprefix(BEARER_PROTOCOL))
        for protocol in offered
        if protocol.startswith(BEARER_PROTOCOL)
    ]


def _unpacked(packed: str) -> str:
    try:
        padded = packed + "=" * (-len(packed) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise BadToken("the token in the subprotocol is not base64url") from None


def _algorithm(header: Mapping[str, object]) -> str:
    """The algorithm a token names. Other text is not repeated: it would end in the log."""
    named = header.get("alg")
    return shown(named) if named in (None, "none", *ALGORITHMS) else "an unknown algorithm"


def _claims(parts: SignedToken, key: VerifyingKey) -> Mapping[str, JSON]:
    if not key.has_signed(parts.signed, parts.signature):
        raise BadToken("the token's signature does not match")
    try:
        claims = orjson.loads(parts.payload)
    except ValueError:
        raise BadToken(MALFORMED) from None
    if not isinstance(claims, dict):
        raise BadToken("the token's claims are not an object")
    return claims


def audiences(claims: Mapping[str, JSON]) -> Sequence[JSON]:
    """RFC 7519 §4.1.3: one or several."""
    named = claims.get("aud")
    return named if isinstance(named, list) else [named]


def _subject(claims: Mapping[str, JSON]) -> UserId:
    subject = claims.get("sub")
    if subject is None:
        raise BadToken("the token has no `sub`: it does not say whose it is")
    try:
        return UserId.parse(subject)  # type: ignore[arg-type]  # parse refuses what is not a string
    except BadId as error:
        raise BadToken(f"the token's `sub` must be a user id, not {error.given}") from error


def _user_of(claims: Mapping[str, JSON]) -> UserId | None:
    try:
        return _subject(claims)
    except BadToken:
        return None


def _time(claims: Mapping[str, JSON], name: str) -> float | None:
    """A NumericDate (RFC 7519 §2)."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadToken(f"the token's `{name}` is not a number")
    if not _is_time(value):
        raise BadToken(f"the token's `{name}` must be a time from 0 to {LATEST} s")
    return float(value)
