"""Facts about a child: its state, its spec, and the value that it started with."""

from __future__ import annotations

import enum

import attrs

from greenroom.supervisor.child_spec import ChildKind


class ChildState(enum.Enum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    RESTARTING = "restarting"


@attrs.frozen
class Started:
    """An argument of `task_status.started()` with more for the caller than the value (OTP: `Info`).

    `start_child` and `restart_child` return all of it; the supervisor itself keeps the value only.
    """

    value: object
    info: object


@attrs.frozen
class ChildCounts:
    """supervisor(3), count_children/1."""

    specs: int
    active: int
    supervisors: int
    workers: int


@attrs.frozen
class ChildInfo:
    """supervisor(3), which_children/1: `value` is None unless the child is up."""

    id: str
    value: object
    state: ChildState
    kind: ChildKind
