"""One failure told to several tasks: an exception object for each of them."""

from __future__ import annotations

import pytest

from greenroom.actors.errors import AskTimeout, TimerError, another
from greenroom.actors.exit import crashed
from greenroom.actors.ref import ActorStopped
from greenroom.testing import STRAYS

pytestmark = pytest.mark.fault("W4")

ERRORS = [
    ValueError("x", 7),
    OSError(2, "no such file", "journal.db"),
    UnicodeDecodeError("utf-8", b"x", 0, 1, "odd"),
    AskTimeout("too late", advice="wait longer"),
    ActorStopped("a", crashed(ValueError())),
    TimerError("a timer", -1),
    ExceptionGroup("two", [ValueError(), KeyError()]),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_the_other_one_says_the_same_and_gathers_its_own_traceback(error: Exception) -> None:
    error.__cause__ = cause = LookupError()
    twin = another(error)

    assert twin is not error
    assert type(twin) is type(error)
    assert (str(twin), repr(twin), twin.__dict__) == (str(error), repr(error), error.__dict__)
    assert twin.__cause__ is cause
    with pytest.raises(type(error)):
        raise twin
    assert error.__traceback__ is None


@pytest.mark.parametrize("kind", STRAYS)
def test_what_cannot_be_made_anew_is_given_as_it_is(kind: str) -> None:
    error = STRAYS[kind]()

    assert type(another(error)) is type(error)
