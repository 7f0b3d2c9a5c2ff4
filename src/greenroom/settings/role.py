"""What a node does of a server's work (pure)."""

from __future__ import annotations

import enum


class NodeRole(enum.StrEnum):
    """`all`: it has connections, and runs the agent. `web`: it has connections, and leaves the runs
    to workers. `worker`: it runs the agent, and has no connections of users."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"
