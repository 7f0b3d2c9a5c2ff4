"""An actor's life: started, messages, stopping, and every way to end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor, attach, run_actor
from greenroom.actors.exit import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    ExitKind,
    ExitReason,
    crashed,
    ended_by,
    must_go_on,
)
from greenroom.actors.probe import Probe
from greenroom.actors.ref import ActorStopped, Ref
from tests.actors.conftest import Spawn

pytestmark = pytest.mark.requirement("R39")


class Diary(Actor[str]):
    """Writes down what happens to it."""

    def __init__(self, **failures: Exception) -> None:
        self.lines: list[str] = []
        self.failures = failures

    def write(self, line: str) -> None:
        self.lines.append(line)
        if line in self.failures:
            raise self.failures[line]

    async def started(self) -> None:
        self.write("started")

    async def receive(self, message: str) -> None:
        if message == "stop":
            self.stop()
        elif message == "hang":
            await trio.sleep_forever()
        self.write(message)

    async def stopping(self, reason: ExitReason) -> None:
        self.write("stopping")
        self.lines.append(reason.kind.value)


async def run_diary(diary: Diary, *messages: str) -> Ref[str]:
    """Run to the end on these messages."""
    ref: Ref[str] = await start(diary, *messages)
    return ref


async def start(diary: Diary, *messages: str) -> Ref[str]:
    refs: list[Ref[str]] = []

    class Up(trio.TaskStatus[Ref[str]]):
        def started(self, value: Ref[str] | None = None) -> None:
            assert value is not None
            refs.append(value)
            for message in messages:
                value.tell(message)

    await run_actor(diary, name="diary", task_status=Up())
    return refs[0]


async def test_it_starts_handles_in_order_and_stops_after_the_current_message() -> None:
    diary = Diary()

    ref = await run_diary(diary, "one", "two", "stop", "three")

    assert diary.lines == ["started", "one", "two", "stop", "stopping", "normal"]
    assert await ref.wait_stopped() == NORMAL


async def test_a_crash_comes_out_and_is_the_exit_reason() -> None:
    diary = Diary(one=ValueError("broken"))

    with pytest.raises(ValueError, match="broken"):
        await run_diary(diary, "one", "two")

    assert diary.lines == ["started", "one", "stopping", "crashed"]
    assert crashed(diary.failures["one"]) == diary.ref.exit_reason


async def test_a_failed_start_comes_out_and_has_no_last_words() -> None:
    """As OTP: terminate is not called when init fails."""
    diary = Diary(started=ValueError("no disk"))

    with pytest.raises(ValueError, match="no disk"):
        await run_diary(diary)

    assert diary.lines == ["started"]
    with pytest.raises(ActorStopped, match="no disk"):
        diary.ref.tell("one")


async def test_a_failed_start_fails_the_nurserys_start() -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(ValueError, match="no disk"):
            await nursery.start(starting(Diary(started=ValueError("no disk"))))


def starting(diary: Diary, grace: float = 5.0) -> Callable[..., Awaitable[None]]:
    async def run(*, task_status: trio.TaskStatus[Ref[str]] = trio.TASK_STATUS_IGNORED) -> None:
        await run_actor(diary, name="diary", grace=grace, task_status=task_status)

    return run


async def test_a_cancelled_actor_shuts_down_with_shielded_last_words() -> None:
    class Farewell(Diary):
        async def stopping(self, reason: ExitReason) -> None:
            await trio.lowlevel.checkpoint()
            await super().stopping(reason)

    diary = Farewell()
    async with trio.open_nursery() as nursery:
        ref: Ref[str] = await nursery.start(starting(diary))
        nursery.cancel_scope.cancel()

    assert diary.lines == ["started", "stopping", "shutdown"]
    assert ref.exit_reason == SHUTDOWN


async def test_last_words_beyond_the_grace_are_cut_and_told_as_killed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    class Chatterbox(Diary):
        async def stopping(self, reason: ExitReason) -> None:
            await trio.sleep_forever()

    diary = Chatterbox()
    async with trio.open_nursery() as nursery:
        ref: Ref[str] = await nursery.start(starting(diary, grace=2.0))
        nursery.cancel_scope.cancel()

    assert trio.current_time() == 2.0
    assert ref.exit_reason == KILLED


async def test_last_words_that_raise_make_an_orderly_end_a_crash() -> None:
    diary = Diary(stopping=ValueError("flush failed"))

    with pytest.raises(ValueError, match="flush failed"):
        await run_diary(diary, "stop")

    assert crashed(diary.failures["stopping"]) == diary.ref.exit_reason


async def test_last_words_that_raise_after_a_crash_are_noted_on_the_first_error() -> None:
    diary = Diary(one=ValueError("broken"), stopping=OSError("flush failed"))

    with pytest.raises(ValueError, match="broken") as crash:
        await run_diary(diary, "one")

    assert crash.value.__notes__ == ["and then stopping() raised OSError('flush failed')"]
    assert crashed(crash.value) == diary.ref.exit_reason


async def test_a_tell_during_the_last_words_is_refused() -> None:
    class Selfish(Diary):
        async def stopping(self, reason: ExitReason) -> None:
            with pytest.raises(ActorStopped):
                self.ref.tell("late")
            self.lines.append("refused")

    diary = Selfish()
    await run_diary(diary, "stop")

    assert diary.lines[-1] == "refused"


async def test_a_stop_while_starting_ends_before_the_first_message() -> None:
    class Brief(Diary):
        async def started(self) -> None:
            self.stop()

    diary = Brief()
    await run_diary(diary, "one")

    assert diary.lines == ["stopping", "normal"]


async def test_it_remembers_its_last_messages() -> None:
    class Forgetful(Diary):
        remembered = 2

    diary = Forgetful()
    await run_diary(diary, "one", "two", "stop")

    assert diary.recent.kept() == ["two", "stop"]


async def test_the_messages_after_a_crash_stay_unhandled_and_uncounted() -> None:
    diary = Diary(one=ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        await run_diary(diary, "one", "two", "three")

    assert diary.recent.kept() == ["one"]


async def test_an_actor_without_receive_says_so() -> None:
    class Blank(Actor[str]):
        pass

    ref = attach(Blank(), "blank")
    assert ref._actor is not None
    with pytest.raises(NotImplementedError, match=r"Blank has no receive\(\)"):
        await ref._actor.receive("hello")


def test_a_group_of_one_error_is_unwrapped() -> None:
    error = ValueError("deep")

    assert error is crashed(ExceptionGroup("a", [ExceptionGroup("b", [error])])).error


def test_two_errors_stay_a_group() -> None:
    group = ExceptionGroup("both", [ValueError(), KeyError()])

    assert group is crashed(group).error


async def test_a_crash_beside_a_cancellation_is_a_crash_and_a_cancellation_alone_a_shutdown() -> (
    None
):
    cancelled = await a_cancellation()
    error = ValueError()

    with trio.CancelScope() as scope:  # noqa: ASYNC100  # what counts is being inside
        scope.cancel()
        assert crashed(error) == ended_by(BaseExceptionGroup("", [cancelled, error]))
        assert ended_by(BaseExceptionGroup("", [cancelled])) == SHUTDOWN
        assert ended_by(cancelled) == SHUTDOWN
        assert crashed(error) == ended_by(error)


@pytest.mark.fault("S1")
async def test_a_cancellation_that_no_scope_of_the_task_asked_for_is_a_crash() -> None:
    cancelled = await a_cancellation()
    error = ValueError()

    assert crashed(cancelled) == ended_by(cancelled)
    assert crashed(cancelled) == ended_by(BaseExceptionGroup("", [cancelled]))
    assert crashed(error) == ended_by(BaseExceptionGroup("", [cancelled, error]))
    assert ended_by(cancelled, cancelled=True) == SHUTDOWN


@pytest.mark.fault("D2")
@pytest.mark.parametrize(
    "error", [SystemExit(1), GeneratorExit(), asyncio.CancelledError()], ids=repr
)
async def test_what_is_no_exception_is_a_crash_as_well(error: BaseException) -> None:
    group = BaseExceptionGroup("", [error, await a_cancellation()])

    assert crashed(error) == ended_by(error)
    assert crashed(error) == ended_by(group)
    assert ended_by(KeyboardInterrupt()) == SHUTDOWN
    assert not must_go_on(group)
    assert must_go_on(BaseExceptionGroup("", [group, KeyboardInterrupt()]))


async def a_cancellation() -> trio.Cancelled:
    caught: list[trio.Cancelled] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as cancelled:
            caught.append(cancelled)
            raise
    return caught[0]


class Watcher(Probe):
    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []

    def told(self, actor: str, message: object) -> None:
        self.seen.append(("told", actor, message))

    def handled(self, actor: str, count: int) -> None:
        self.seen.append(("handled", actor, count))

    def started(self, actor: str) -> None:
        self.seen.append(("started", actor))

    def stopped(self, actor: str, reason: ExitReason) -> None:
        self.seen.append(("stopped", actor, reason.kind))


async def test_a_probe_sees_the_whole_life(spawn: Spawn) -> None:
    watcher = Watcher()
    ref = await spawn(Diary(), name="diary", probe=watcher)
    ref.tell("one")
    ref.tell("stop")
    ref.tell("never handled")
    await ref.wait_stopped()

    assert watcher.seen == [
        ("started", "diary"),
        ("told", "diary", "one"),
        ("told", "diary", "stop"),
        ("told", "diary", "never handled"),
        ("handled", "diary", 2),
        ("stopped", "diary", ExitKind.NORMAL),
    ]


async def test_a_start_that_failed_is_neither_started_nor_stopped_to_a_probe() -> None:
    watcher = Watcher()
    with pytest.raises(ValueError, match="no"):
        await run_actor(Diary(started=ValueError("no")), name="diary", probe=watcher)

    assert watcher.seen == []
