"""Help for tests of anyone's machines and actors; `plugin` is what pytest loads.

What is here is imported when it is first used: a test-suite that uses none of it pays nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from greenroom.actors.errors import Fault, GreenroomError

if TYPE_CHECKING:
    from greenroom.testing.fault_injection import Faults, InjectedFault
    from greenroom.testing.faulty_disk import DiskFault, FaultyDisk, open_faulty_disk
    from greenroom.testing.machines.exploration import Deadlock, Exploration, Violation
    from greenroom.testing.machines.exploring import explore
    from greenroom.testing.machines.machine_tests import machine_test
    from greenroom.testing.machines.trace import Taken, Trace
    from greenroom.testing.machines.transition_coverage import (
        TransitionRecorder,
        assert_transitions_covered,
        record_transitions,
    )
    from greenroom.testing.machines.watched_runner import MachineFault
    from greenroom.testing.neighbour import Neighbour
    from greenroom.testing.slow_link import SlowLink, open_slow_link
    from greenroom.testing.strays import STRAYS, Unshowable, stray_cancelled
    from greenroom.testing.supervised import Supervised, open_supervised

HOMES = {
    "STRAYS": "strays",
    "Deadlock": "machines.exploration",
    "DiskFault": "faulty_disk",
    "Exploration": "machines.exploration",
    "Faults": "fault_injection",
    "FaultyDisk": "faulty_disk",
    "InjectedFault": "fault_injection",
    "MachineFault": "machines.watched_runner",
    "Neighbour": "neighbour",
    "SlowLink": "slow_link",
    "Supervised": "supervised",
    "Taken": "machines.trace",
    "Trace": "machines.trace",
    "TransitionRecorder": "machines.transition_coverage",
    "Unshowable": "strays",
    "Violation": "machines.exploration",
    "assert_transitions_covered": "machines.transition_coverage",
    "explore": "machines.exploring",
    "machine_test": "machines.machine_tests",
    "open_faulty_disk": "faulty_disk",
    "open_slow_link": "slow_link",
    "open_supervised": "supervised",
    "record_transitions": "machines.transition_coverage",
    "stray_cancelled": "strays",
}

EXTRA = {"hypothesis", "pytest", "pytest_trio"}
"""What the extra `testing` brings."""

__all__ = [
    "STRAYS",
    "Deadlock",
    "DiskFault",
    "Exploration",
    "Faults",
    "FaultyDisk",
    "InjectedFault",
    "MachineFault",
    "MissingExtra",
    "Neighbour",
    "SlowLink",
    "Supervised",
    "Taken",
    "Trace",
    "TransitionRecorder",
    "Unshowable",
    "Violation",
    "assert_transitions_covered",
    "explore",
    "machine_test",
    "open_faulty_disk",
    "open_slow_link",
    "open_supervised",
    "record_transitions",
    "stray_cancelled",
]


class MissingExtra(GreenroomError, ImportError):
    """What is asked for needs packages that only the extra `testing` installs."""

    fault = Fault.OPERATOR


def __getattr__(name: str) -> object:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRA:
            raise
        raise MissingExtra(
            f"{__name__}.{name} needs {error.name}, which is not installed",
            advice="pip install 'greenroom[testing]'",
        ) from error
