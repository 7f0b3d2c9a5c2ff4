"""Floor 2: supervision. Child specs, supervisors, restart intensity, tree snapshots.

What a program needs of it is here: `from greenroom.supervisor import open_supervisor, actor_child`.
Importing the package loads nothing; each name loads its module when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.actors.mailbox import OnRestart
    from greenroom.supervisor.application import Component, open_application, start_order
    from greenroom.supervisor.child_info import ChildCounts, ChildInfo, ChildState, Started
    from greenroom.supervisor.child_spec import (
        ChildSpec,
        Restart,
        Shutdown,
        StartFunction,
        actor_child,
        task_child,
    )
    from greenroom.supervisor.crash.crash_log import CrashLog
    from greenroom.supervisor.crash.crash_report import CrashReport
    from greenroom.supervisor.dynamic_supervisor import (
        DynamicSupervisor,
        DynamicSupervisorRef,
        dynamic_supervisor_child,
        open_dynamic_supervisor,
    )
    from greenroom.supervisor.flags import check_child_specs
    from greenroom.supervisor.inspection.cpu_meter import CpuMeter, measuring_cpu
    from greenroom.supervisor.inspection.tree import TreeNode, render, snapshot
    from greenroom.supervisor.registry import Registry
    from greenroom.supervisor.restarts import Backoff, Intensity
    from greenroom.supervisor.static_supervisor_ref import StaticSupervisorRef
    from greenroom.supervisor.strategy import AutoShutdown, Strategy
    from greenroom.supervisor.supervisor import Supervisor, open_supervisor, supervisor_child
    from greenroom.supervisor.supervisor_ref import SupervisorRef, parent
else:
    from greenroom.actors.lazy_exports import exports_of

    __getattr__ = exports_of(
        __name__,
        {
            "application": "Component open_application start_order",
            "child_info": "ChildCounts ChildInfo ChildState Started",
            "child_spec": "ChildSpec OnRestart Restart Shutdown StartFunction "
            "actor_child task_child",
            "crash.crash_log": "CrashLog",
            "crash.crash_report": "CrashReport",
            "dynamic_supervisor": "DynamicSupervisor DynamicSupervisorRef "
            "dynamic_supervisor_child open_dynamic_supervisor",
            "flags": "check_child_specs",
            "inspection.cpu_meter": "CpuMeter measuring_cpu",
            "inspection.tree": "TreeNode render snapshot",
            "registry": "Registry",
            "restarts": "Backoff Intensity",
            "static_supervisor_ref": "StaticSupervisorRef",
            "strategy": "AutoShutdown Strategy",
            "supervisor": "Supervisor open_supervisor supervisor_child",
            "supervisor_ref": "SupervisorRef parent",
        },
    )

__all__ = [
    "AutoShutdown",
    "Backoff",
    "ChildCounts",
    "ChildInfo",
    "ChildSpec",
    "ChildState",
    "Component",
    "CpuMeter",
    "CrashLog",
    "CrashReport",
    "DynamicSupervisor",
    "DynamicSupervisorRef",
    "Intensity",
    "OnRestart",
    "Registry",
    "Restart",
    "Shutdown",
    "StartFunction",
    "Started",
    "StaticSupervisorRef",
    "Strategy",
    "Supervisor",
    "SupervisorRef",
    "TreeNode",
    "actor_child",
    "check_child_specs",
    "dynamic_supervisor_child",
    "measuring_cpu",
    "open_application",
    "open_dynamic_supervisor",
    "open_supervisor",
    "parent",
    "render",
    "snapshot",
    "start_order",
    "supervisor_child",
    "task_child",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
