"""What can go wrong in delivery."""

from __future__ import annotations

from greenroom.actors.errors import ActorError, Fault, GreenroomError
from greenroom.actors.text.safe import is_a, safe_repr
from greenroom.supervisor.errors import SupervisorError


class JournalError(GreenroomError):
    """The journal could not do what was asked; nothing of the failed call was kept."""

    fault = Fault.OPERATOR


class JournalBusy(JournalError):
    """Another process has the journal open; the message names its pid where it is known."""

    temporary = True


class JournalReadOnly(JournalError):
    """The journal's file or directory may not be written."""


class JournalFull(JournalError):
    """No room on the disk. The journal stays open, and appends work again once there is room."""

    temporary = True


class JournalCorrupt(JournalError):
    """The file is not a journal, or is damaged."""


def damaged(what: str, error: Exception) -> JournalCorrupt:
    """What a reader raises for a row that it cannot make sense of."""
    advice = "greenroom journal check tells more, when no server has the journal open"
    return JournalCorrupt(f"{what} is damaged: {safe_repr(error)}", advice=advice)


class JournalTooNew(JournalError):
    """A newer greenroom made this journal."""


class JournalLost(JournalError):
    """The files of the open journal were removed, moved, replaced or cut short by somebody else.

    What was written since may be missing; nothing more is kept until the journal is opened anew.
    """


class JournalFailed(JournalError):
    """The disk or the operating system refused, in a way that has no error of its own."""


class JournalClosed(JournalError):
    """The journal was closed before this call."""

    fault = Fault.CALLER


class OutOfSequence(JournalError):
    """A record's offset does not continue its user's last one. The whole batch was refused."""

    fault = Fault.GREENROOM

    def __init__(self, user: str, expected: int, given: int) -> None:
        super().__init__(
            f"the next record of user {str(user)!r} has offset {expected}, not {given}",
            advice="one writer per user numbers its records; reload the user from the journal",
        )
        self.user = user
        self.expected = expected
        self.given = given


class DeliveryError(GreenroomError):
    """An event or a connection's wish could not be taken."""


class EventNotKept(DeliveryError):
    """The journal refused the event: it has no offset and nobody was shown it."""

    fault = Fault.OPERATOR
    temporary = True


class NotReceived(DeliveryError):
    """No client acknowledged the event in time. It is kept and will be delivered."""

    fault = Fault.CLIENT
    temporary = True


class NotDisplayed(DeliveryError):
    """No client put the event before the user's eyes in time. It is kept."""

    fault = Fault.CLIENT
    temporary = True


class NotConfirmed(DeliveryError):
    """The user did not confirm the event in time. It is kept."""

    fault = Fault.CLIENT
    temporary = True


class UnknownEvent(DeliveryError):
    """The journal has no event of this id: it was trimmed, or never was."""

    fault = Fault.CALLER


class TooManyConnections(DeliveryError):
    """The user has as many live connections as one user may."""

    fault = Fault.CLIENT


class RunStopped(DeliveryError):
    """The run was cut because the server stops; its user was told `agent_failed`."""

    fault = Fault.OPERATOR


class RunTimedOut(RunStopped):
    """The run took longer than its limit and was cut; its user was told `agent_failed`."""


class UserUnavailable(DeliveryError):
    """The user's actors could not be started."""

    fault = Fault.GREENROOM
    temporary = True


_OF_THE_SERVER = (ActorError, SupervisorError, JournalError, EventNotKept, UserUnavailable)


def is_of_the_server(error: BaseException) -> bool:
    """Whether it tells of the server's files and actors: for its operator, and for no client."""
    return is_a(error, _OF_THE_SERVER)


def words_for_clients(error: BaseException) -> str:
    """What clients may read of an error."""
    if isinstance(error, GreenroomError):
        if not is_of_the_server(error):
            return error.message
        if isinstance(error, EventNotKept):
            return "the server could not keep it"
        if error.temporary:
            return "the server cannot do this now"
    return "the server failed"
