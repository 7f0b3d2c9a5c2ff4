"""Secrets: the fields of messages that crash reports and recordings leave out (pure).

Mark a field of an attrs class or dataclass: `token: str = attrs.field(metadata=SECRET)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REDACT = "redact"
SECRET: Mapping[str, bool] = MappingProxyType({REDACT: True})
"""Metadata of a field whose value is left out."""

SECRET_NAMES = frozenset(
    {"token", "password", "passwd", "secret", "authorization", "cookie", "api_key", "apikey"}
)
"""Fields and keys with exactly these names are left out even if they are not marked."""


def is_secret(name: str, metadata: Mapping[str, object] | Mapping[object, object]) -> bool:
    """Whether the value of a field is left out."""
    marked: object = dict(metadata).get(REDACT, False)
    return bool(marked) or name.lower() in SECRET_NAMES
