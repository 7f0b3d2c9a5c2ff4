"""What is known of a token that was good once (pure)."""

from __future__ import annotations

import enum


class Verdict(enum.Enum):
    """Whether the token is still good. `UNKNOWN`: the authenticator did not say."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
