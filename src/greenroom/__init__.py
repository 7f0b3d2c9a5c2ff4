"""What an AI agent does reaches the right user: in order, durably, and provably seen."""

from greenroom.actors.errors import ActorStopped, Fault, GreenroomError
from greenroom.delivery.context import UserContext
from greenroom.delivery.draft import BadEvent
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
from greenroom.delivery.events import JSON, Event, EventClass, Kind
from greenroom.delivery.grammar import OutOfOrder
from greenroom.delivery.ids import BadId
from greenroom.delivery.journal import DeadLetter
from greenroom.delivery.policy import Policy
from greenroom.delivery.receipt import Receipt
from greenroom.delivery.run import Agent, Pressure, Run, ToolCall
from greenroom.delivery.stages import ReceiptStage, Standing
from greenroom.runtime import Runtime, open_runtime
from greenroom.serving import run_server, serve
from greenroom.settings import BadSettings, Settings
from greenroom.transport.client import Client, connect

__all__ = [
    "JSON",
    "ActorStopped",
    "Agent",
    "BadEvent",
    "BadId",
    "BadSettings",
    "Client",
    "DeadLetter",
    "Event",
    "EventClass",
    "EventNotKept",
    "Fault",
    "GreenroomError",
    "JournalError",
    "Kind",
    "NotConfirmed",
    "NotDisplayed",
    "NotReceived",
    "OutOfOrder",
    "Policy",
    "Pressure",
    "Receipt",
    "ReceiptStage",
    "Run",
    "RunStopped",
    "RunTimedOut",
    "Runtime",
    "Settings",
    "Standing",
    "ToolCall",
    "UnknownEvent",
    "UserContext",
    "UserUnavailable",
    "connect",
    "open_runtime",
    "run_server",
    "serve",
]
