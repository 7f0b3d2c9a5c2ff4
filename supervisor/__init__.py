"""Floor 2: supervision. Child specs, supervisors, restart intensity, tree snapshots."""

from greenroom.supervisor.child import ChildState
from greenroom.supervisor.child_spec import (
    ChildSpec,
    Restart,
    Shutdown,
    StartFunction,
    actor_child,
    task_child,
)
from greenroom.supervisor.crash_report import CrashLog, CrashReport
from greenroom.supervisor.dynamic_supervisor import (
    DynamicSupervisor,
    DynamicSupervisorRef,
    dynamic_supervisor_child,
)
from greenroom.supervisor.intensity import Intensity
from greenroom.supervisor.strategy import AutoShutdown, Strategy
from greenroom.supervisor.supervisor import (
    StaticSupervisorRef,
    Supervisor,
    open_supervisor,
    supervisor_child,
)
from greenroom.supervisor.supervisor_ref import ChildCounts, ChildInfo, SupervisorRef, parent

__all__ = [
    "AutoShutdown",
    "ChildCounts",
    "ChildInfo",
    "ChildSpec",
    "ChildState",
    "CrashLog",
    "CrashReport",
    "DynamicSupervisor",
    "DynamicSupervisorRef",
    "Intensity",
    "Restart",
    "Shutdown",
    "StartFunction",
    "StaticSupervisorRef",
    "Strategy",
    "Supervisor",
    "SupervisorRef",
    "actor_child",
    "dynamic_supervisor_child",
    "open_supervisor",
    "parent",
    "supervisor_child",
    "task_child",
]
