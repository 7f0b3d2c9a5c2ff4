"""What an AI agent does reaches the right user: in order, durably, and provably seen.

Each name is imported when it is first asked for (PEP 562): a program pays for what it uses, and the
command line is there at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from greenroom.actors.errors import Fault, GreenroomError
    from greenroom.actors.reactors.own_thread import WrongHost
    from greenroom.actors.ref import ActorStopped
    from greenroom.blocking.opening import start_portal
    from greenroom.delivery.asks.places import TooManyAsks
    from greenroom.delivery.asks.user_ask import AskExpired, AskWithdrawn, UserAsk
    from greenroom.delivery.errors import (
        EventNotKept,
        JournalError,
        NotConfirmed,
        NotDisplayed,
        NotReceived,
        RunStopped,
        RunTimedOut,
        UnknownEvent,
        UserUnavailable,
    )
    from greenroom.delivery.events.context import UserContext
    from greenroom.delivery.events.draft import BadEvent
    from greenroom.delivery.events.ids import BadId
    from greenroom.delivery.events.kinds import JSON, Event, EventClass, Kind
    from greenroom.delivery.events.policy import BadPolicy, Policy
    from greenroom.delivery.events.record import DeadLetter
    from greenroom.delivery.events.stages import ReceiptStage, Standing
    from greenroom.delivery.files.run_files import FileGone
    from greenroom.delivery.files.taken import BadFilesTaken, File, Files
    from greenroom.delivery.run.attempts.steps import BadStep, StepNotKept
    from greenroom.delivery.run.grammar import OutOfOrder
    from greenroom.delivery.run.pressure import Pressure
    from greenroom.delivery.run.receipt import Receipt
    from greenroom.delivery.run.run import Agent, Run
    from greenroom.delivery.run.text_buffer import StreamFull
    from greenroom.delivery.run.text_stream import TextStream
    from greenroom.delivery.run.tools import ToolCall
    from greenroom.loading.agent import BadAgent
    from greenroom.loading.declaration import BadDeclaration, agent
    from greenroom.portal.errors import (
        HostGone,
        HostInterrupted,
        PortalClosed,
        PortalForked,
        PortalFull,
        RunInterrupted,
    )
    from greenroom.runtime import Runtime, open_runtime
    from greenroom.serving import run_server, serve
    from greenroom.settings import BadSettings, Settings
    from greenroom.transport.auth.tokens import Identity
    from greenroom.transport.client.client import Client, connect
    from greenroom.transport.client.client_error import ClientError
    from greenroom.transport.client.frames import RequestFailed
    from greenroom.transport.client.handshake import Refused
    from greenroom.transport.client.line import SessionClosed

    __version__: str

__all__ = [
    "JSON",
    "ActorStopped",
    "Agent",
    "AskExpired",
    "AskWithdrawn",
    "BadAgent",
    "BadDeclaration",
    "BadEvent",
    "BadFilesTaken",
    "BadId",
    "BadPolicy",
    "BadSettings",
    "BadStep",
    "Client",
    "ClientError",
    "DeadLetter",
    "Event",
    "EventClass",
    "EventNotKept",
    "Fault",
    "File",
    "FileGone",
    "Files",
    "GreenroomError",
    "HostGone",
    "HostInterrupted",
    "Identity",
    "JournalError",
    "Kind",
    "NotConfirmed",
    "NotDisplayed",
    "NotReceived",
    "OutOfOrder",
    "Policy",
    "PortalClosed",
    "PortalForked",
    "PortalFull",
    "Pressure",
    "Receipt",
    "ReceiptStage",
    "Refused",
    "RequestFailed",
    "Run",
    "RunInterrupted",
    "RunStopped",
    "RunTimedOut",
    "Runtime",
    "SessionClosed",
    "Settings",
    "Standing",
    "StepNotKept",
    "StreamFull",
    "TextStream",
    "TooManyAsks",
    "ToolCall",
    "UnknownEvent",
    "UserAsk",
    "UserContext",
    "UserUnavailable",
    "WrongHost",
    "agent",
    "connect",
    "open_runtime",
    "run_server",
    "serve",
    "start_portal",
]

_HOMES: Final = {
    "greenroom.actors.errors": "Fault GreenroomError",
    "greenroom.actors.reactors.own_thread": "WrongHost",
    "greenroom.actors.ref": "ActorStopped",
    "greenroom.blocking.opening": "start_portal",
    "greenroom.loading.agent": "BadAgent",
    "greenroom.loading.declaration": "BadDeclaration agent",
    "greenroom.delivery.asks.places": "TooManyAsks",
    "greenroom.delivery.asks.user_ask": "AskExpired AskWithdrawn UserAsk",
    "greenroom.delivery.events.context": "UserContext",
    "greenroom.delivery.events.draft": "BadEvent",
    "greenroom.delivery.errors": "EventNotKept JournalError NotConfirmed NotDisplayed NotReceived "
    "RunStopped RunTimedOut UnknownEvent UserUnavailable",
    "greenroom.delivery.events.kinds": "JSON Event EventClass Kind",
    "greenroom.delivery.run.attempts.steps": "BadStep StepNotKept",
    "greenroom.delivery.run.grammar": "OutOfOrder",
    "greenroom.delivery.events.ids": "BadId",
    "greenroom.delivery.events.record": "DeadLetter",
    "greenroom.delivery.events.policy": "BadPolicy Policy",
    "greenroom.delivery.files.run_files": "FileGone",
    "greenroom.delivery.files.taken": "BadFilesTaken File Files",
    "greenroom.delivery.run.receipt": "Receipt",
    "greenroom.delivery.run.pressure": "Pressure",
    "greenroom.delivery.run.run": "Agent Run",
    "greenroom.delivery.run.text_buffer": "StreamFull",
    "greenroom.delivery.run.text_stream": "TextStream",
    "greenroom.delivery.run.tools": "ToolCall",
    "greenroom.delivery.events.stages": "ReceiptStage Standing",
    "greenroom.portal.errors": "HostGone HostInterrupted PortalClosed PortalForked PortalFull "
    "RunInterrupted",
    "greenroom.runtime": "Runtime open_runtime",
    "greenroom.serving": "run_server serve",
    "greenroom.settings": "BadSettings Settings",
    "greenroom.transport.auth.tokens": "Identity",
    "greenroom.transport.client.client": "Client connect",
    "greenroom.transport.client.client_error": "ClientError",
    "greenroom.transport.client.frames": "RequestFailed",
    "greenroom.transport.client.handshake": "Refused",
    "greenroom.transport.client.line": "SessionClosed",
}
"""Where each name of `__all__` lives; the imports above are the same for type checkers."""

_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names.split()}

if not TYPE_CHECKING:  # a checker that sees it takes every misspelt name for one of ours

    def __getattr__(name: str) -> object:
        """A name of ours, imported now; or a module, as `greenroom.supervisor`."""
        if name == "__version__":
            found = importlib.import_module("importlib.metadata").version("greenroom")
        elif name in _HOME_OF:
            found = getattr(importlib.import_module(_HOME_OF[name]), name)
        else:
            return _module(name)
        globals()[name] = found
        return found


def _module(name: str) -> object:
    whole = f"greenroom.{name}"
    try:
        return importlib.import_module(whole)
    except ModuleNotFoundError as error:
        if error.name != whole:
            raise
        raise AttributeError(f"module 'greenroom' has no attribute {name!r}", name=name) from None


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
