"""The ids of questions with a key, which each attempt of a run makes alike (pure)."""

from __future__ import annotations

import hashlib
from typing import Final

from greenroom.delivery.events.ids import AskId, RunId, bits_of, uuid_bits, with_bits

WITH_KEY: Final = 8
"""The version of UUIDs that are made as one likes (RFC 9562 §5.8); other ids have version 7."""


def ask_with_key(run: RunId, key: str) -> AskId:
    """The id of the run's question with this key. It sorts with the run's birth."""
    digest = hashlib.sha256(f"{run} {key}".encode()).digest()
    rest = int.from_bytes(digest[:10]) >> 6
    return with_bits(AskId, uuid_bits(WITH_KEY, bits_of(run) >> 80, rest))


def has_key(ask: AskId) -> bool:
    """Whether the question was asked with a key."""
    return bits_of(ask) >> 76 & 0xF == WITH_KEY
