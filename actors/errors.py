"""The root of the one error tree, and the errors of actors."""

from __future__ import annotations

import enum
from copy import copy
from typing import ClassVar, TypeVar

from greenroom.actors.text.wording import kind_of

E = TypeVar("E", bound=BaseException)


class Fault(enum.Enum):
    """Whose move it is after an error."""

    CALLER = "the calling code"
    CLIENT = "the connected client"
    OPERATOR = "the settings or the machine"
    GREENROOM = "greenroom itself"


class GreenroomError(Exception):
    """Root of every error greenroom raises on purpose.

    `fault` says whose it is, `temporary` whether the same call may succeed later,
    `advice` what to do next (one sentence, may be empty).
    """

    fault: ClassVar[Fault] = Fault.CALLER
    temporary: ClassVar[bool] = False

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message} ({self.advice})" if self.advice else self.message


def another(error: E) -> E:
    """The same error as another object, for a second task to raise.

    Raised by two tasks, one object would gather the tracebacks of both, and its `__context__`
    would be what the other was doing. An error that cannot be made anew is returned itself.
    """
    kind = type(error)
    try:
        twin = copy(error) if kind.__module__ == "builtins" else kind.__new__(kind, *error.args)
        twin.args = error.args  # without `__init__`: it may take what is not in `args`
        twin.__dict__.update(error.__dict__)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  # the class's own __new__ or properties
        return error
    twin.__cause__, twin.__suppress_context__ = error.__cause__, error.__suppress_context__
    return twin


class ActorError(GreenroomError):
    """An actor could not do what was asked of it."""


class MailboxFull(ActorError):
    """The mailbox holds as many messages as it may; nothing was added."""

    temporary = True


class OrderlyExit(ActorError):
    """Raise it in an actor, or in any child of a supervisor, to end it without that being a crash.

    Its exit reason is then `shutdown` (OTP: `exit({shutdown, Term})`): a transient child stays
    down, links still carry it on.
    """


class AskTimeout(ActorError):
    """No answer came in time. The request may still be handled."""

    temporary = True


class NotARequest(ActorError, TypeError):
    """What was asked is no `Request`, so it has no answer."""

    def __init__(self, name: str, asked: object) -> None:
        super().__init__(
            f"actor {name!r} can only be asked a Request, not {kind_of(asked)}",
            advice="derive the class from Request; tell() sends a message that has no answer",
        )


class AskedTwice(ActorError):
    """The same request object waits for its answer already, and has no copies."""

    temporary = True

    def __init__(self, name: str, request: type[object]) -> None:
        super().__init__(
            f"actor {name!r} was asked the same {request.__name__} twice, and it cannot be copied "
            "to tell the two asks apart",
            advice="make a new request for each ask",
        )


class AskedItself(ActorError):
    """An actor asked its own ref; the answer could never come (OTP: `calling_self`)."""


class TimerError(ActorError):
    """A timer was started with an unusable delay: negative, not finite, or no number."""

    def __init__(self, timer: str, after: object) -> None:
        super().__init__(
            f"{timer} takes 0 or more seconds, not {after!r}",
            advice="0 is at once; for never, start none",
        )
        self.after = after
