"""Who is called at an end."""

from __future__ import annotations

import pytest

from greenroom.actors.exit import NORMAL, Callbacks, ExitReason, call_each, enrol, forget_frames
from greenroom.testing.strays import Unreadable

pytestmark = pytest.mark.requirement("R39")


def test_each_callback_is_called_once_in_order_with_the_reason() -> None:
    callbacks: Callbacks = {}
    calls: list[tuple[str, ExitReason]] = []
    enrol(callbacks, lambda reason: calls.append(("a", reason)))
    enrol(callbacks, lambda reason: calls.append(("b", reason)))
    call_each(callbacks, NORMAL)
    call_each(callbacks, NORMAL)
    assert calls == [("a", NORMAL), ("b", NORMAL)]


def test_a_callback_that_another_calls_off_meanwhile_is_not_called() -> None:
    callbacks: Callbacks = {}
    calls: list[ExitReason] = []
    enrol(callbacks, lambda _: call_off())
    call_off = enrol(callbacks, calls.append)
    call_each(callbacks, NORMAL)
    assert calls == []
    call_off()  # twice is as good as once


@pytest.mark.fault("S14")
def test_frames_are_let_go_of_through_causes_contexts_and_groups_whatever_the_errors_are() -> None:
    def raised(error: Exception, cause: Exception | None = None) -> Exception:
        try:
            raise error from cause
        except Exception as caught:  # noqa: BLE001  # what was raised just now
            return caught

    deep = raised(ValueError("deep"))
    unreadable = raised(Unreadable(), deep)
    group = raised(ExceptionGroup("both", [unreadable, raised(KeyError("key"))]))
    circle = raised(RuntimeError("circle"), group)
    group.__context__ = circle

    forget_frames(circle)

    assert not any(
        BaseException.__getattribute__(each, "__traceback__")
        for each in (deep, unreadable, group, circle, *group.exceptions)  # type: ignore[attr-defined]  # a group
    )
