"""Keys that tokens are checked with: a shared secret, a PEM public key, or a JWKS file.

Each key is pinned to one algorithm, so a token cannot choose how it is checked: neither `none`
nor an RSA public key taken for an HMAC secret gets through (RFC 8725 §3.1).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import attrs
import jwt
import orjson
import trio
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from jwt.algorithms import Algorithm

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.observer import NO_OBSERVER, Observer

MIN_SECRET_BYTES = 32  # RFC 7518 §3.2: as long as the hash
MIN_RSA_BITS = 2048  # RFC 7518 §3.3
MAX_KEY_FILE_BYTES = 1024 * 1024
RELOAD_INTERVAL, LONGEST_INTERVAL = 3.0, 60.0
"""Seconds between two checks of a JWKS file; doubled after each failed check in a row."""

ASYMMETRIC = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}) | frozenset(
    {"ES256", "ES384", "ES512", "EdDSA"}
)
ALGORITHMS = ASYMMETRIC | {"HS256", "HS384", "HS512"}
HOW_TO_MAKE_A_SECRET = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(48))"'

logger = logging.getLogger("greenroom.transport")
Version: TypeAlias = tuple[int, int, int]
PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class BadToken(GreenroomError):
    """A token does not prove a user. The message never holds the token."""

    fault = Fault.CLIENT


class ExpiredToken(BadToken):
    """A token was good once. `user`: whose it was, if it says so."""

    def __init__(self, message: str, user: UserId | None) -> None:
        super().__init__(message)
        self.user = user


class BadKeyFile(GreenroomError):
    """A key for checking tokens is missing, unreadable or too weak."""

    fault = Fault.OPERATOR


@attrs.frozen
class VerifyingKey:
    """A key and the only algorithm that it is used with. `fingerprint` names both, and no other."""

    algorithm: str
    key: PublicKey | bytes = attrs.field(repr=False)
    id: str | None = None
    fingerprint: str = attrs.field(init=False, repr=False, eq=False)
    _checker: Algorithm = attrs.field(init=False, repr=False, eq=False)
    _prepared: Any = attrs.field(
        init=False, repr=False, eq=False
    )  # Any: each algorithm has its own

    @fingerprint.default
    def _take_fingerprint(self) -> str:
        return sha256(self.algorithm.encode() + b" " + _bytes_of(self.key)).hexdigest()

    @_checker.default
    def _find_checker(self) -> Algorithm:
        return jwt.get_algorithm_by_name(self.algorithm)

    @_prepared.default
    def _prepare(self) -> object:
        """Once, and not for each token."""
        return self._checker.prepare_key(self.key)

    def has_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether this is the signature of these bytes."""
        return self._checker.verify(data, self._prepared, signature)


class KeySource(Protocol):
    """The source of the keys for tokens."""

    async def key_for(self, kid: str | None) -> VerifyingKey:
        """The key a token names (or does not name). Raises `BadToken`."""


@attrs.frozen
class FixedKey:
    """One key for every token, whatever `kid` says."""

    key: VerifyingKey

    async def key_for(self, kid: str | None) -> VerifyingKey:
        return self.key


class KeyFile:
    """The keys of a JWKS file, read again when the file changes.

    The file is looked at when a token comes, at most every `RELOAD_INTERVAL` seconds, in a
    thread; a token naming an unknown key makes that look happen before it is refused. A file
    that cannot be read, or is not a JWKS file, is logged and counted, and the keys read before
    stay in use. It is read again, later each time, until it can be.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Callable[[], float] = trio.current_time,
        observer: Observer = NO_OBSERVER,
    ) -> None:
        self._path = Path(path)
        self._clock = clock
        self._observer = observer
        self._looking = trio.Lock()
        self._reader = trio.CapacityLimiter(1)  # a disk that does not answer costs one thread
        self._failures = 0
        self._looked_at: float | None = None
        self._unknown_at: float | None = None
        self._version = _version(self._path)
        self._keys = read_jwks(self._path)

    async def key_for(self, kid: str | None) -> VerifyingKey:
        if self._is_due(self._looked_at) and not self._looking.locked():
            await self._look()
        key = self._find(kid)
        if key is None and self._is_due(self._unknown_at):
            self._unknown_at = self._clock()
            await self._look()
            key = self._find(kid)
        if key is None:
            raise BadToken("the token is signed with a key that is not known here")
        return key

    async def still_has(self, fingerprint: str) -> bool:
        """Whether a key is in the file, as far as that could be read."""
        if self._is_due(self._looked_at) and not self._looking.locked():
            await self._look()
        return any(key.fingerprint == fingerprint for key in self._keys)

    def _find(self, kid: str | None) -> VerifyingKey | None:
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.id == kid), None)

    def _is_due(self, last: float | None) -> bool:
        interval = min(RELOAD_INTERVAL * 2**self._failures, LONGEST_INTERVAL)
        return last is None or self._clock() - last >= interval

    async def _look(self) -> None:
        self._looked_at = self._clock()
        async with self._looking:
            try:
                await self._reload()
            except BadKeyFile as error:
                self._note(failed=True)
                logger.error("keys not reloaded, the old ones stay in use: %s", error)
            except trio.Cancelled:
                self._note(failed=True)
                raise
            else:
                self._note(failed=False)

    def _note(self, *, failed: bool) -> None:
        self._failures = min(self._failures + 1, 10) if failed else 0
        self._observer.keys_looked_at(readable=not failed)

    async def _reload(self) -> None:
        """The version is kept with its keys: a file that could not be read counts as unread."""
        if self._reader.borrowed_tokens:
            raise BadKeyFile(f"{self._path} is still being read: its disk does not answer")
        new = await trio.to_thread.run_sync(
            self._read_if_new, abandon_on_cancel=True, limiter=self._reader
        )
        if new is not None:
            self._version, self._keys = new
            logger.info("keys read from %s: %d", self._path, len(self._keys))

    def _read_if_new(self) -> tuple[Version, Sequence[VerifyingKey]] | None:
        version = _version(self._path)
        return None if version == self._version else (version, read_jwks(self._path))


def secret_key(secret: str | bytes) -> VerifyingKey:
    """An HS256 key. Raises `BadKeyFile` for a secret shorter than its hash."""
    raw = secret.encode() if isinstance(secret, str) else secret
    if len(raw) < MIN_SECRET_BYTES:
        raise BadKeyFile(
            f"a token secret must have at least {MIN_SECRET_BYTES} bytes, not {len(raw)}",
            advice=HOW_TO_MAKE_A_SECRET,
        )
    if raw.lstrip().startswith(b"-----BEGIN"):
        raise BadKeyFile("the token secret is a PEM key", advice="give it as a key file instead")
    return VerifyingKey("HS256", raw)


def read_pem(path: str | Path) -> VerifyingKey:
    """The RS256 or ES256 public key in a PEM file. Raises `BadKeyFile`."""
    data = _read(Path(path))
    if b"PRIVATE KEY-----" in data:
        raise BadKeyFile(
            f"{path} holds a private key",
            advice="give the server the public one: openssl pkey -in KEY -pubout",
        )
    try:
        key = load_pem_public_key(data)
    except (ValueError, TypeError) as error:
        raise BadKeyFile(f"{path} holds no PEM public key: {error}") from error
    if isinstance(key, RSAPublicKey):
        return _strong(VerifyingKey("RS256", key), path)
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return VerifyingKey("ES256", key)
    raise BadKeyFile(f"the key in {path} must be RSA or on the curve P-256")


def read_jwks(path: str | Path) -> Sequence[VerifyingKey]:
    """The signature keys of a JWKS file (RFC 7517 §5). Raises `BadKeyFile` if there are none.

    Keys of other kinds and uses are passed over, as §5 asks; so are shared secrets (`oct`), which
    do not belong in a file of public keys.
    """
    try:
        entries = orjson.loads(_read(Path(path)))["keys"]
        keys = [key for entry in entries if (key := _jwk(entry, path)) is not None]
    except (ValueError, TypeError, KeyError) as error:
        raise BadKeyFile(f"{path} is not a JWKS file") from error
    if not keys:
        raise BadKeyFile(f"{path} holds no public signature key that can be used")
    return keys


def _jwk(entry: dict[str, object], path: str | Path) -> VerifyingKey | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    try:
        jwk = jwt.PyJWK(entry)
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, NotImplementedError):
        return None
    if jwk.algorithm_name not in ASYMMETRIC:
        return None
    return _strong(VerifyingKey(jwk.algorithm_name, jwk.key, jwk.key_id), path)


def _strong(key: VerifyingKey, path: str | Path) -> VerifyingKey:
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < MIN_RSA_BITS:
        raise BadKeyFile(
            f"{path} holds an RSA key of {key.key.key_size} bits",
            advice=f"use one of at least {MIN_RSA_BITS}",
        )
    return key


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise BadKeyFile(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_KEY_FILE_BYTES:
        raise BadKeyFile(f"{path} is larger than a key file may be ({MAX_KEY_FILE_BYTES} bytes)")
    return data


def _bytes_of(key: PublicKey | bytes) -> bytes:
    if isinstance(key, bytes):
        return key
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _version(path: Path) -> Version:
    """Changes when the file does."""
    try:
        status = path.stat()
    except OSError as error:
        raise BadKeyFile(f"{path} cannot be read: {error.strerror}") from error
    return status.st_mtime_ns, status.st_size, status.st_ino
