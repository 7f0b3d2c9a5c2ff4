"""Floor 1: actors. Mailboxes, refs, the actor loop, declared machines, timers, probes.

Knows no users, sockets or disks. What a program needs of it is here: `from greenroom.actors import
Actor, run_actor`. Importing the package loads nothing; each name loads its module when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from greenroom.actors.actor import Actor, run_actor
    from greenroom.actors.errors import (
        ActorError,
        AskedItself,
        AskedTwice,
        AskTimeout,
        Fault,
        GreenroomError,
        MailboxFull,
        NotARequest,
        OrderlyExit,
        TimerError,
    )
    from greenroom.actors.exit import KILLED, NORMAL, SHUTDOWN, ExitKind, ExitReason
    from greenroom.actors.machine.actor import Answer, MachineActor, MachineReactor
    from greenroom.actors.machine.check import MisdeclaredMachine
    from greenroom.actors.machine.effects import TimerFired
    from greenroom.actors.machine.machine import (
        Machine,
        MachineError,
        NotAStep,
        TimerWithoutHandler,
        UndeclaredTarget,
        UnlistedPair,
    )
    from greenroom.actors.machine.runner import (
        EnterOverstepped,
        MachineRunner,
        MachineStopped,
        MutableData,
        NeverSettles,
        PostponedTooMany,
        Transition,
    )
    from greenroom.actors.machine.step import (
        STATE_TIMEOUT,
        CancelTimer,
        MachineAction,
        Next,
        Postpone,
        StartTimer,
        StateTimeout,
        Step,
        Stop,
        go,
        stay,
    )
    from greenroom.actors.machine.table import On, Table
    from greenroom.actors.mailbox import Mailbox, MailboxStatistics, OnRestart, Overflow
    from greenroom.actors.monitors import (
        AnyRef,
        Down,
        Exited,
        Link,
        LinkBroken,
        Monitor,
        NotLinkable,
        link,
        monitor,
    )
    from greenroom.actors.probe import NO_PROBE, Probe
    from greenroom.actors.reactors.dispatcher import Dispatcher, DispatcherBusy
    from greenroom.actors.reactors.own_thread import WrongThread
    from greenroom.actors.reactors.reactor import NotAHandler, Reactor
    from greenroom.actors.recording.redaction import SECRET
    from greenroom.actors.ref import ActorStopped, Ask, Ref, Request
    from greenroom.actors.reply import Reply, ReplyOutcome
    from greenroom.actors.timers import Timers
else:
    from greenroom.actors.lazy_exports import exports_of

    __getattr__ = exports_of(
        __name__,
        {
            "actor": "Actor run_actor",
            "reactors.dispatcher": "Dispatcher DispatcherBusy",
            "errors": "ActorError AskTimeout AskedItself AskedTwice Fault "
            "GreenroomError MailboxFull NotARequest OrderlyExit "
            "TimerError",
            "exit": "ExitKind ExitReason KILLED NORMAL SHUTDOWN",
            "machine.actor": "Answer MachineActor MachineReactor",
            "machine.check": "MisdeclaredMachine",
            "machine.effects": "TimerFired",
            "machine.machine": "Machine MachineError NotAStep TimerWithoutHandler "
            "UndeclaredTarget UnlistedPair",
            "machine.runner": "EnterOverstepped MachineRunner MachineStopped MutableData "
            "NeverSettles PostponedTooMany Transition",
            "machine.step": "CancelTimer MachineAction Next Postpone STATE_TIMEOUT "
            "StartTimer StateTimeout Step Stop go stay",
            "machine.table": "On Table",
            "mailbox": "Mailbox MailboxStatistics OnRestart Overflow",
            "monitors": "AnyRef Down Exited Link LinkBroken Monitor NotLinkable link monitor",
            "probe": "NO_PROBE Probe",
            "reactors.own_thread": "WrongThread",
            "reactors.reactor": "NotAHandler Reactor",
            "recording.redaction": "SECRET",
            "ref": "ActorStopped Ask Ref Request",
            "reply": "Reply ReplyOutcome",
            "timers": "Timers",
        },
    )

__all__ = [
    "KILLED",
    "NORMAL",
    "NO_PROBE",
    "SECRET",
    "SHUTDOWN",
    "STATE_TIMEOUT",
    "Actor",
    "ActorError",
    "ActorStopped",
    "Answer",
    "AnyRef",
    "Ask",
    "AskTimeout",
    "AskedItself",
    "AskedTwice",
    "CancelTimer",
    "Dispatcher",
    "DispatcherBusy",
    "Down",
    "EnterOverstepped",
    "ExitKind",
    "ExitReason",
    "Exited",
    "Fault",
    "GreenroomError",
    "Link",
    "LinkBroken",
    "Machine",
    "MachineAction",
    "MachineActor",
    "MachineError",
    "MachineReactor",
    "MachineRunner",
    "MachineStopped",
    "Mailbox",
    "MailboxFull",
    "MailboxStatistics",
    "MisdeclaredMachine",
    "Monitor",
    "MutableData",
    "NeverSettles",
    "Next",
    "NotAHandler",
    "NotARequest",
    "NotAStep",
    "NotLinkable",
    "On",
    "OnRestart",
    "OrderlyExit",
    "Overflow",
    "Postpone",
    "PostponedTooMany",
    "Probe",
    "Reactor",
    "Ref",
    "Reply",
    "ReplyOutcome",
    "Request",
    "StartTimer",
    "StateTimeout",
    "Step",
    "Stop",
    "Table",
    "TimerError",
    "TimerFired",
    "TimerWithoutHandler",
    "Timers",
    "Transition",
    "UndeclaredTarget",
    "UnlistedPair",
    "WrongThread",
    "go",
    "link",
    "monitor",
    "run_actor",
    "stay",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
