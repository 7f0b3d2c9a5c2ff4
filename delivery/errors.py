"""The errors of the delivery layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.actors.errors import ActorError, Fault, GreenroomError
from greenroom.actors.text.safe import is_a, safe_repr
from greenroom.supervisor.errors import SupervisorError

if TYPE_CHECKING:
    from greenroom.delivery.events.record import Said


class JournalError(GreenroomError):
    """The journal could not carry out a call, and kept nothing of it."""

    fault = Fault.OPERATOR


class JournalBusy(JournalError):
    """Another process has the journal open; the message names its pid if it is known."""

    temporary = True


class JournalReadOnly(JournalError):
    """This process is not allowed to write the journal's file or directory."""


class JournalFull(JournalError):
    """The disk is full. The journal stays open, and appends work again once there is room."""

    temporary = True


class JournalCorrupt(JournalError):
    """The file is not a journal, or is damaged."""


def damaged(what: str, error: Exception) -> JournalCorrupt:
    """The error for a row that cannot be decoded."""
    advice = "stop the server, then run greenroom journal check to list the damage"
    return JournalCorrupt(f"{what} is damaged: {safe_repr(error)}", advice=advice)


class JournalTooNew(JournalError):
    """The journal was written by a newer version of greenroom."""


class JournalMoved(JournalError):
    """The journal was moved to another place, and servers use it there."""


class JournalLost(JournalError):
    """Another program removed, moved, replaced or truncated the files of the open journal.

    Entries written since may be missing. The journal keeps nothing more until it is reopened.
    """


class JournalUnreachable(JournalError):
    """The journal's database cannot be reached. Appends work again once it can."""

    temporary = True


class LeaseLost(JournalError):
    """This server stood still, or was cut off from the journal, for longer than its lease: another
    node has its open runs. Appends work again once they are cut here."""

    temporary = True


class JournalFailed(JournalError):
    """The disk or the operating system refused a call for a reason without an error class here."""


class JournalClosed(JournalError):
    """The journal was closed before this call."""

    fault = Fault.CALLER


class OutOfSequence(JournalError):
    """A record's offset does not continue its user's last one. The whole batch was refused."""

    fault = Fault.GREENROOM

    def __init__(self, user: str, expected: int, given: int) -> None:
        super().__init__(
            f"the next record of user {str(user)!r} must have offset {expected}, not {given}",
            advice="only one writer may number a user's records; reload the user from the journal",
        )
        self.user = user
        self.expected = expected
        self.given = given


class AlreadySaid(JournalError):
    """A `say` whose key must be new was kept before. The whole batch was refused.

    `said`: what the first `say` with this key started.
    """

    fault = Fault.CLIENT

    def __init__(self, say: str, said: Said) -> None:
        super().__init__(
            f"the key {say!r} was used before, for run {said.run}",
            advice="a repeated message is answered with the run that the first one started",
        )
        self.say = say
        self.said = said


class DeliveryError(GreenroomError):
    """An event or a connection's request was refused."""


class EventNotKept(DeliveryError):
    """The journal refused the event, so it has no offset and was sent to no client. Where Postgres
    or Redis did not answer for 5 s it may be kept all the same, and clients then get it."""

    fault = Fault.OPERATOR
    temporary = True


class NotReceived(DeliveryError):
    """No client acknowledged the event in time. It is kept and will be delivered."""

    fault = Fault.CLIENT
    temporary = True


class NotDisplayed(DeliveryError):
    """No client displayed the event to the user in time. It is kept."""

    fault = Fault.CLIENT
    temporary = True


class NotConfirmed(DeliveryError):
    """The user did not confirm the event in time. It is kept."""

    fault = Fault.CLIENT
    temporary = True


class UnknownEvent(DeliveryError):
    """The journal has no event with this id: it was trimmed or never existed."""

    fault = Fault.CALLER


class UnknownUser(DeliveryError):
    """The journal keeps nothing of a user with this id: it was erased or never there."""

    fault = Fault.CALLER


class TooManyConnections(DeliveryError):
    """The user already has the maximum number of live connections."""

    fault = Fault.CLIENT


class RunStopped(DeliveryError):
    """The run was cut off because the server is stopping; it ended with `agent_failed`."""

    fault = Fault.OPERATOR


class RunTimedOut(RunStopped):
    """The run exceeded its time limit and was cut off; it ended with `agent_failed`."""


class UserUnavailable(DeliveryError):
    """The user's actors could not be started."""

    fault = Fault.GREENROOM
    temporary = True


_OF_THE_SERVER = (ActorError, SupervisorError, JournalError, EventNotKept, UserUnavailable)


def is_of_the_server(error: BaseException) -> bool:
    """Whether the error's text describes the server's internals, which clients must not read."""
    return is_a(error, _OF_THE_SERVER)


def words_for_clients(error: BaseException) -> str:
    """The text of an error that may be sent to clients: of greenroom's own errors."""
    if isinstance(error, GreenroomError):
        if not is_of_the_server(error) and type(error).__module__.startswith("greenroom."):
            return error.message
        if isinstance(error, EventNotKept):
            return "the server could not keep it"
        if error.temporary:
            return "the server cannot do this now"
    return "the server failed"
