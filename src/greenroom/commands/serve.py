"""`greenroom serve`: serves an agent to users who have a token."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

import trio
from cyclopts import Parameter

from greenroom.commands.options import BadOptions
from greenroom.loading.agent import load_agent
from greenroom.logs import configure_logs
from greenroom.serving import run_server
from greenroom.settings import Settings
from greenroom.settings.keys import token_for
from greenroom.settings.role import NodeRole
from greenroom.visitors import is_loopback_host

DEVELOPER: Final = "developer"
LINK_SECONDS: Final = 24 * 3600.0


def serve(
    target: str,
    /,
    *,
    host: str | None = None,
    port: int | None = None,
    journal: Path | None = None,
    secret: str | None = None,
    key_file: Path | None = None,
    jwks_file: Path | None = None,
    allow_origins: Annotated[
        tuple[str, ...], Parameter(name=["--allow-origin", "--allow-origins"], negative="")
    ] = (),
    wait: float | None = None,
    role: Literal["all", "web"] | None = None,
    config: Path | None = None,
) -> None:
    """Serve an agent to users who have a token.

    Options that you leave out are taken from GREENROOM_* variables, then from greenroom.toml. On a
    terminal it prints a link that signs a browser of this machine in, for a day.

    Parameters
    ----------
    target
        The agent as MODULE_OR_FILE:AGENT, for example app:agent or agents/app.py:agent.
    host
        Address to listen on (127.0.0.1).
    port
        Port to listen on; 0 takes a free one (8700).
    journal
        File to keep the events in, or postgresql://…, redis://…, redis+sentinel://… or
        redis+cluster://…; :memory: keeps none over a restart (greenroom.db).
    secret
        Shared secret of HS256 tokens. GREENROOM_SECRET is safer: others cannot see it.
    key_file
        PEM file with the public key of RS256 or ES256 tokens.
    jwks_file
        JWKS file with the public keys of RS256 or ES256 tokens.
    allow_origins
        A web origin that may connect besides this server's own; may be repeated.
    wait
        Seconds to wait until another server closes the journal, for a rolling restart.
    role
        web leaves runs to `greenroom worker` processes (all: this server has them, too).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    settings = Settings.load(
        config,
        host=host,
        port=port,
        journal=journal,
        secret=secret,
        key_file=key_file,
        jwks_file=jwks_file,
        allow_origins=allow_origins or None,
        journal_wait=wait,
        role=role,
    )
    settings.require_auth()
    if settings.role == NodeRole.WORKER:
        raise BadOptions("a worker serves no users", advice="start it with `greenroom worker`")
    configure_logs(settings)
    agent = load_agent(target)
    announce = partial(_announce, settings, target)
    trio.run(partial(run_server, settings, agent, announce=announce))


def _announce(settings: Settings, target: str, url: str) -> None:
    print(f"greenroom serves {target} at {url} (Ctrl-C drains and stops)", flush=True)
    if sys.stdout.isatty() and (link := signed_in(settings, url)):
        print(f"Open it as {DEVELOPER!r}: {link}", flush=True)


def signed_in(settings: Settings, url: str) -> str | None:
    """A link to the page that signs a browser of this machine in; None for a server that other
    machines reach, or that cannot sign a token."""
    if settings.secret is None or not is_loopback_host(settings.host):
        return None
    return f"{url}#token={token_for(settings, settings.secret, DEVELOPER, LINK_SECONDS)}"
