"""A journal in a database: its address, and its password, which is not shown."""

from __future__ import annotations

import re
from typing import Final

import attrs

DATABASES: Final = "postgresql://…, redis://…, redis+sentinel://… or redis+cluster://…"
"""As help and errors say what a URL may be."""

_URL: Final = re.compile(
    r"(postgres(?:ql)?|(?:redis|valkey)s?(?:\+sentinel|\+cluster)?):/+(.*)", re.DOTALL
)
"""A path has lost a slash."""
_ANY_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_PASSWORD: Final = re.compile(r"(?<=:)[^/]*(?=@)|(?<=[?&]password=)[^&]*")


@attrs.frozen(repr=False)
class DatabaseUrl:
    """`postgresql://user@host/database`, as libpq reads it: more hosts, a service of a file,
    parameters of TLS (https://www.postgresql.org/docs/current/libpq-connect.html); or of Redis
    or Valkey, `redis://user@host/0`, with TLS `rediss://`, and found by sentinels
    `redis+sentinel://`, and in a cluster `redis+cluster://`. As text it has no password."""

    url: str

    @classmethod
    def of(cls, value: object) -> DatabaseUrl | None:
        """The address that a setting names; None for the name of a file."""
        found = _URL.fullmatch(str(value))
        return cls(f"{_scheme(found[1])}://{found[2]}") if found else None

    @property
    def is_in_redis(self) -> bool:
        """Whether the database is Redis or Valkey."""
        return self.url.startswith("redis")

    def __str__(self) -> str:
        return without_password(self.url)

    def __repr__(self) -> str:
        return f"DatabaseUrl({str(self)!r})"


def is_url(value: object) -> bool:
    """Whether this begins as a URL does, and not as a file or a drive (`C:/`)."""
    return _ANY_URL.match(str(value)) is not None


def without_password(text: str) -> str:
    """The text as an error may show it, if it is a URL."""
    return _PASSWORD.sub("***", text)


def _scheme(given: str) -> str:
    return "postgresql" if given.startswith("postgres") else given.replace("valkey", "redis")
