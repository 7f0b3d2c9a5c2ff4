"""Secrets that must not stand in a text for users or operators (pure)."""

from __future__ import annotations

import re
from typing import Final

import attrs

HIDDEN: Final = "(hidden)"

# A JSON Web Token (RFC 7519 §3): users' tokens. The password of a URL (RFC 3986 §3.2.1).
_TOKEN: Final = re.compile(r"(?<![\w-])eyJ[\w-]{5,}+\.[\w-]{5,}+\.[\w-]*+")
_USERINFO: Final = re.compile(r"(?<=://)[^\s/?#]{1,1024}@")


@attrs.frozen
class Secrets:
    """Hides the secrets of the settings, tokens, and the user and password of a URL."""

    known: tuple[str, ...] = attrs.field(default=(), repr=False)

    def hidden(self, text: str) -> str:
        """The text without secrets."""
        for secret in self.known:
            text = text.replace(secret, HIDDEN)
        return _USERINFO.sub(f"{HIDDEN}@", _TOKEN.sub(HIDDEN, text))
