"""A node whose lease is brief: `LEASE` seconds. `AGENT`: the module of its agent."""

from __future__ import annotations

import importlib
import os
import sys
from functools import partial

import trio

import greenroom
from greenroom.delivery.journal.postgres import journal as in_postgres
from greenroom.delivery.journal.redis import journal as in_redis
from greenroom.logs import configure_logs
from greenroom.serving import run_server


def main() -> None:
    lease = float(os.environ["LEASE"])
    for module, name in (in_postgres, "open_postgres_journal"), (in_redis, "open_redis_journal"):
        setattr(module, name, partial(getattr(module, name), lease_seconds=lease))
    agent = importlib.import_module(os.environ["AGENT"]).agent
    settings = greenroom.Settings.load(
        port=int(sys.argv[1]), journal=sys.argv[2], secret=os.environ["SECRET"]
    )
    configure_logs(settings)
    trio.run(partial(run_server, settings, agent, announce=partial(print, flush=True)))


if __name__ == "__main__":
    main()
