"""Callbacks that raise: logged where they are called, and felt by nobody else."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import NoReturn

import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor
from greenroom.actors.exit import ExitReason
from greenroom.actors.guard import call_guarded, log_failure
from greenroom.actors.mailbox import Mailbox, Overflow
from greenroom.actors.probe import Probe
from greenroom.actors.ref import Request
from greenroom.actors.reply import Reply
from greenroom.actors.timers import alarm_clock
from greenroom.testing import STRAYS
from tests.actors.conftest import Spawn

pytestmark = pytest.mark.filterwarnings("error")
any_error = pytest.mark.parametrize("kind", STRAYS)


class Echo(Actor[Request[str] | str]):
    async def receive(self, message: Request[str] | str) -> str:
        if message == "stop":
            self.stop()
        return "echo"


def raising(kind: str) -> Callable[..., NoReturn]:
    def callback(*_: object) -> NoReturn:
        raise STRAYS[kind]()

    return callback


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    return [re.sub(r" \(an Un[a-z]+, which cannot be shown\)$", "", line) for line in lines]


@pytest.mark.fault("S10")
@any_error
async def test_an_alarm_that_raises_ends_neither_the_clock_nor_the_run(
    kind: str, autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    rung: list[float] = []
    alarm_clock().set(1, raising(kind))
    alarm_clock().set(1, lambda: rung.append(1))
    alarm_clock().set(2, lambda: rung.append(2))

    await trio.sleep(3)

    assert rung == [1, 2]
    assert failures(caplog) == ["an alarm's callback failed"]


@pytest.mark.fault("W5")
@any_error
async def test_a_callback_of_an_end_that_raises_keeps_no_other_from_hearing_of_it(
    kind: str, spawn: Spawn, caplog: pytest.LogCaptureFixture
) -> None:
    ref = await spawn(Echo())
    heard: list[ExitReason] = []
    for callback in (heard.append, raising(kind), heard.append):
        ref.when_stopped(callback)

    ref.tell("stop")
    reason = await ref.wait_stopped()
    await trio.testing.wait_all_tasks_blocked()

    assert heard == [reason, reason]
    assert reason.orderly
    assert failures(caplog) == ["a callback of when_stopped() failed"]


@pytest.mark.fault("S10")
@any_error
async def test_a_callback_of_an_answer_that_raises_does_not_end_who_answers(
    kind: str, spawn: Spawn, caplog: pytest.LogCaptureFixture
) -> None:
    ref = await spawn(Echo())
    ref.request(Request[str]()).then(raising(kind))

    assert await ref.ask(Request[str]()) == "echo"
    assert failures(caplog) == ["a callback of then() failed"]


@pytest.mark.fault("S10")
@any_error
async def test_a_probe_that_raises_ends_neither_sender_nor_actor(
    kind: str, spawn: Spawn, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Probe):
        told = handled = started = stopped = raising(kind)

    ref = await spawn(Echo(), probe=Broken())
    ref.tell("hello")
    ref.tell("stop")

    assert (await ref.wait_stopped()).orderly
    await trio.testing.wait_all_tasks_blocked()
    assert {line.split("(")[0] for line in failures(caplog)} == {
        *("Probe.told", "Probe.handled", "Probe.started", "Probe.stopped")
    }


@pytest.mark.fault("S10")
async def test_what_is_dropped_for_room_may_be_mourned_by_who_raises() -> None:
    mailbox: Mailbox[int] = Mailbox(
        1, overflow=Overflow.DROP_OLDEST, on_drop=raising("SystemExit"), clock=lambda: 0.0
    )
    for number in (1, 2):
        mailbox.put_nowait(number)

    assert list(mailbox.take_all_nowait()) == [2]


async def test_an_answer_is_there_also_for_whom_a_callback_failed() -> None:
    reply: Reply[int] = Reply()
    reply.then(raising("SystemExit"))

    assert reply.succeed(7)
    assert await reply.wait() == 7


@pytest.mark.fault("S3")
def test_a_log_handler_that_raises_is_noted_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise SystemExit(1)

    log = logging.Logger("of this test")
    log.addHandler(Broken())
    log_failure(log, ValueError("x"), "%s", "something failed")

    assert "logging failed: SystemExit(1)" in capsys.readouterr().err


def test_an_interrupt_goes_through_a_guard() -> None:
    def interrupt() -> NoReturn:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call_guarded("this", interrupt)


async def test_a_callback_that_nothing_awaits_is_logged_and_not_lost_in_silence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def callback() -> None:
        pytest.fail("nothing awaits it")

    assert not call_guarded("a callback of then() failed", callback)
    (record,) = caplog.records
    assert record.message == "a callback of then() failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "it must be a plain function: nothing awaits an async one"
