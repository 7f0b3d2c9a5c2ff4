"""What the URL of a journal in Redis says."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import attrs

from greenroom.delivery.errors import JournalFailed

OPTIONS: Final = ("replicas", "service", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
MOST_REPLICAS: Final = 100
PORT, SENTINELS_PORT = 6379, 26379


@attrs.frozen
class Endpoint:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@attrs.frozen
class RedisAddress:
    """Where the server is, and how many replicas must have what is accepted."""

    name: str
    """What errors call the server: without the password."""
    endpoints: tuple[Endpoint, ...]
    """The server's; with a `service`, those of the sentinels that know where the server is."""
    service: str | None
    user: str | None
    password: str | None = attrs.field(repr=False)
    database: int
    journal: str | None
    """The journal's name in a cluster; None without one."""
    replicas: int
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, url: str) -> RedisAddress:
        """`redis://` or `rediss://`, followed by `+sentinel` or `+cluster` or by neither. Raises
        `JournalFailed`, which says what is wrong."""
        found = urlsplit(url)
        _, _, through = found.scheme.partition("+")
        login, _, hosts = found.netloc.rpartition("@")
        user, _, password = login.partition(":")
        name = f"Redis at {hosts}{found.path}"
        options = _options(name, found.query)
        port = SENTINELS_PORT if through == "sentinel" else PORT
        endpoints = tuple(_endpoint(name, each, port) for each in hosts.split(","))
        if len(endpoints) > 1 and not through:
            raise _bad(name, "only redis+sentinel:// and redis+cluster:// take more than one host")
        if (through == "sentinel") != ("service" in options):
            raise _bad(name, "redis+sentinel:// and ?service= need each other")
        path = found.path.strip("/") or "0"
        in_cluster = through == "cluster"
        return cls(
            name=f"Redis at {','.join(map(str, endpoints))}{found.path}",
            endpoints=endpoints,
            service=options.get("service"),
            user=unquote(user) or None,
            password=unquote(password) or None,
            database=0 if in_cluster else _number(name, "the database", path, 1_000_000),
            journal=_journal(name, path) if in_cluster else None,
            replicas=_number(name, "`replicas`", options.get("replicas", "0"), MOST_REPLICAS),
            tls=_tls(name, options) if found.scheme.startswith("rediss") else None,
        )


def _options(name: str, query: str) -> Mapping[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for option in options.keys() - {*OPTIONS}:
        raise _bad(name, f"unknown option {option!r}; there are {', '.join(OPTIONS)}")
    return options


def _endpoint(name: str, text: str, usual: int) -> Endpoint:
    try:
        found = urlsplit(f"//{text}")
        return Endpoint(found.hostname or "localhost", found.port or usual)
    except ValueError as error:
        raise _bad(name, f"{text!r} must be a host, or a host and a port") from error


def _number(name: str, what: str, given: str, most: int) -> int:
    if given.isascii() and given.isdigit() and int(given) <= most:
        return int(given)
    raise _bad(name, f"{what} must be a number up to {most}, not {given!r}")


def _journal(name: str, given: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", given):
        return given
    raise _bad(name, f"the journal's name may have A-Z a-z 0-9 _ . - in it, not {given!r}")


def _tls(name: str, options: Mapping[str, str]) -> ssl.SSLContext:
    """It checks the host's name, too; what coredis makes of such a URL would not."""
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
        if "ssl_certfile" in options:
            context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    except OSError as error:
        files = ", ".join(
            options[each] for each in OPTIONS if each[:4] == "ssl_" and each in options
        )
        raise _bad(name, f"{files}: {_said(error)}") from error
    return context


def _said(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return str(reason or error).replace("_", " ").lower()


def _bad(name: str, why: str) -> JournalFailed:
    return JournalFailed(f"the URL of {name}: {why}", advice="see docs/redis.md for its form")
