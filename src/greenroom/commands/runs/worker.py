"""`greenroom worker`: runs an agent for the servers that have the connections."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

import trio

from greenroom.actors.reactors.own_thread import WrongHost
from greenroom.commands.options import Limit
from greenroom.delivery.run.run import Agent
from greenroom.loading.agent import load_agent
from greenroom.logs import configure_logs
from greenroom.serving import run_worker
from greenroom.settings import Settings
from greenroom.settings.role import NodeRole

ON_ASYNCIO: Final = (
    'open greenroom.aio.open_runtime with Settings.load(role="worker") in a program of your own: '
    "that is a worker, too"
)


def worker(
    target: str,
    /,
    *,
    journal: Path | None = None,
    concurrency: Limit | None = None,
    host: str | None = None,
    port: int | None = None,
    config: Path | None = None,
) -> None:
    """Run an agent for users of the servers that share a journal in Postgres or Redis.

    Start the servers with `greenroom serve --role web`, and with the same agent. Options that you
    leave out are taken from GREENROOM_* variables, then from greenroom.toml.

    Parameters
    ----------
    target
        The agent as MODULE_OR_FILE:AGENT, for example app:agent or agents/app.py:agent.
    journal
        The journal of the servers: postgresql://…, redis://…, redis+sentinel://… or
        redis+cluster://….
    concurrency
        Runs that this worker has at once (32).
    host
        Address to listen on, with --port (127.0.0.1).
    port
        Port for probes and metrics: /livez, /readyz, /metrics and /admin/; 0 takes a free one.
        Without it a worker does not listen (GREENROOM_WORKER_PORT).
    config
        TOML file of settings (greenroom.toml, if there is one).
    """
    settings = Settings.load(
        config,
        journal=journal,
        concurrency=concurrency,
        host=host,
        worker_port=port,
        role=NodeRole.WORKER,
    )
    configure_logs(settings)
    agent = _load(target)
    announce = partial(_announce, settings, target)
    trio.run(partial(run_worker, settings, agent, announce=announce))


def _load(target: str) -> Agent:
    try:
        return load_agent(target)
    except WrongHost as error:
        raise WrongHost(error.message, advice=ON_ASYNCIO) from None


def _announce(settings: Settings, target: str, url: str | None) -> None:
    words = f"greenroom works for {target}, {settings.concurrency} runs at once"
    place = f", and answers probes at {url}" if url else ""
    print(f"{words}{place} (Ctrl-C drains and stops)", flush=True)
