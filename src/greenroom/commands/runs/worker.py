"""`greenroom worker`: runs an agent for the servers that have the connections."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import trio

from greenroom.commands.options import Limit
from greenroom.loading.agent import load_agent
from greenroom.logs import configure_logs
from greenroom.serving import run_worker
from greenroom.settings import Settings
from greenroom.settings.role import NodeRole


def worker(
    target: str,
    /,
    *,
    journal: Path | None = None,
    concurrency: Limit | None = None,
    config: Path | None = None,
) -> None:
    """Run an agent for users of the servers that share a journal in Postgres.

    Start the servers with `greenroom serve --role web`, and with the same agent. A worker does not
    listen. Options that you leave out are taken from GREENROOM_* variables, then from
    greenroom.toml.

    Parameters
    ----------
    target
        The agent as MODULE_OR_FILE:AGENT, for example app:agent or agents/app.py:agent.
    journal
        postgresql://…, the journal of the servers.
    concurrency
        Runs that this worker has at once (32).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    settings = Settings.load(config, journal=journal, concurrency=concurrency, role=NodeRole.WORKER)
    configure_logs(settings)
    agent = load_agent(target)
    words = f"greenroom works for {target}, {settings.concurrency} runs at once"
    announce = partial(print, f"{words} (Ctrl-C drains and stops)", flush=True)
    trio.run(partial(run_worker, settings, agent, announce=announce))
