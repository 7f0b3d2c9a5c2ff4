"""Who is called at an end."""

from __future__ import annotations

import pytest

from greenroom.actors.exit import NORMAL, Callbacks, ExitReason, call_each, enrol

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
