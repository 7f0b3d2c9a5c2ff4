"""The root of the one error tree, and the errors of actors."""

from __future__ import annotations

import enum
from copy import copy
from typing import ClassVar, TypeVar

from greenroom.actors.text.wording import kind_of

E = TypeVar("E", bound=BaseException)


class Fault(enum.Enum):
    """Who has to act after an error."""

    CALLER = "the calling code"
    CLIENT = "the connected client"
    OPERATOR = "the settings or the machine"
    GREENROOM = "greenroom itself"


class GreenroomError(Exception):
    """Root of every error greenroom raises on purpose.

    `fault` says who has to act, `temporary` whether the same call may succeed later, and
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
    """A copy of an error, for a second task to raise.

    One object raised by two tasks would gather the tracebacks of both, and its `__context__` would
    be an error of the other task. An error that cannot be copied is returned itself.
    """
    kind = type(error)
    try:
        twin = copy(error) if kind.__module__ == "builtins" else kind.__new__(kind, *error.args)
        twin.args = error.args  # without `__init__`, whose parameters need not be those in `args`
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
    """The mailbox is at its capacity; nothing was added."""

    temporary = True


class OrderlyExit(ActorError):
    """Raise it in an actor, or in any child of a supervisor, to end it without a crash.

    Its exit reason is then `shutdown` (OTP: `exit({shutdown, Term})`): a transient child is not
    restarted, and linked actors end too.
    """


class AskTimeout(ActorError):
    """No answer came in time. The actor may still handle the request."""

    temporary = True


class NotARequest(ActorError, TypeError):
    """An object that is no `Request` was asked; it has no answer."""

    def __init__(self, name: str, asked: object) -> None:
        super().__init__(
            f"actor {name!r} can only be asked a Request, not {kind_of(asked)}",
            advice="derive the class from Request; tell() sends a message that has no answer",
        )


class AskedTwice(ActorError):
    """The same request object already waits for its answer, and cannot be copied."""

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
    """A timer was started with a delay that is negative, not finite, or no number."""

    def __init__(self, timer: str, after: object) -> None:
        super().__init__(
            f"{timer}: the delay must be 0 or more seconds, not {after!r}",
            advice="0 means at once; start no timer if it must never fire",
        )
        self.after = after
