"""The steps of a run: each has at most one result, kept until the run ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, Final, TypeVar, cast

import attrs
import orjson
import trio

from greenroom.actors.errors import GreenroomError
from greenroom.actors.text.wording import kind_of
from greenroom.delivery.errors import EventNotKept, JournalError
from greenroom.delivery.events.going_on import StepResult
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.json_data import any_flaw_of, flaw_of, half_pair_of
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.run.emitter import Emitter
from greenroom.delivery.run.grammar import SO_FAR, OutOfOrder, RunStage
from greenroom.delivery.run.life import END_SECONDS

T = TypeVar("T", bound=JSON)

MAX_STEPS: Final = 1_000
"""Steps of one run, with those of its sub-runs."""

MAX_RESULT_BYTES: Final = 64 * 1024
MAX_KEY_CHARACTERS: Final = 200


class BadStep(GreenroomError):
    """A step's key or result is not allowed, or the run has too many steps.

    If the message is about the result, the step's function has run, and runs again with the key.
    """

    temporary: ClassVar[bool] = False


class StepNotKept(EventNotKept):
    """The journal did not keep the result of a step. Its function has run; the same call runs it
    again."""


@attrs.frozen
class _Known:
    """What the journal has of a step: its result as JSON, and how many results the run has."""

    result: str | None
    results: int


@attrs.frozen
class ReadStep(Question[_Known]):
    """The result of a step, if it has one."""

    user: UserId
    run: RunId
    key: str

    def answer(self, reads: Reads) -> _Known:
        result = reads.runs.step_result(self.user, self.run, self.key)
        return _Known(result, reads.runs.step_results(self.user, self.run))


@attrs.define
class _UnderWay:
    task: trio.lowlevel.Task
    done: trio.Event = attrs.field(factory=trio.Event)


class Steps:
    """The steps of one run. Sub-runs share those of the run that they are parts of."""

    def __init__(self, emitter: Emitter) -> None:
        self._emitter = emitter
        self._under_way: dict[str, _UnderWay] = {}

    async def take(self, key: str, function: Callable[[], Awaitable[T]]) -> T:
        """See `Run.step`."""
        _check_key(key)
        self._emitter.check_thread()
        while (other := self._under_way.get(key)) is not None:
            if other.task is trio.lowlevel.current_task():
                raise BadStep(f"step {key!r} must not take itself", advice="use another key")
            await other.done.wait()
        own = self._under_way[key] = _UnderWay(trio.lowlevel.current_task())
        try:
            return cast(T, await self._take(key, function))
        finally:
            del self._under_way[key]
            own.done.set()

    async def _take(self, key: str, function: Callable[[], Awaitable[JSON]]) -> JSON:
        self._check_stage(key)
        user, run = self._emitter.context.user, self._emitter.context.run
        known = await self._emitter.user.journal.ask(ReadStep(user, run, key), whose=user).wait()
        if known.result is not None:
            return cast(JSON, orjson.loads(known.result))
        if known.results >= MAX_STEPS:
            raise BadStep(f"step {key!r}: a run may have at most {MAX_STEPS:,} steps")
        value = _encoded(key, await function())
        await self._keep(StepResult(user, run, key, value, self._emitter.user.now_ms()))
        return cast(JSON, orjson.loads(value))

    def _check_stage(self, key: str) -> None:
        stage = self._emitter.spoken.stage
        if stage not in (RunStage.RUNNING, RunStage.REPORTED):
            raise OutOfOrder(f"step {key!r} is not allowed now: the run {SO_FAR[stage]}")

    async def _keep(self, result: StepResult) -> None:
        """The function has run: even a cancelled run waits until that is on record."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + END_SECONDS):
            try:
                await self._emitter.user.journal.append([result])
            except JournalError as error:
                raise StepNotKept(f"the journal did not keep step {result.key!r}") from error
            return
        raise StepNotKept(f"the journal did not keep step {result.key!r} in {END_SECONDS:g} s")


def _check_key(key: object) -> None:
    if not isinstance(key, str):
        raise BadStep(f"a step's `key` must be a str, not {kind_of(key)}")
    if not 0 < len(key) <= MAX_KEY_CHARACTERS or half_pair_of(key, "key"):
        raise BadStep(f"a step's `key` must have 1 to {MAX_KEY_CHARACTERS} characters: {key!r:.99}")


def _encoded(key: str, value: object) -> str:
    """The result as JSON. Raises `BadStep`."""
    try:
        encoded = orjson.dumps(value)
    except TypeError as error:
        why = any_flaw_of(value, "it") or error
        raise BadStep(f"the result of step {key!r} must be JSON: {why}") from error
    if flaw := flaw_of(value, "it"):
        raise BadStep(f"the result of step {key!r} must be JSON: {flaw}")
    if len(encoded) > MAX_RESULT_BYTES:
        raise BadStep(
            f"the result of step {key!r} must have at most {MAX_RESULT_BYTES:,} bytes as JSON, "
            f"not {len(encoded):,}",
            advice="store the bulk elsewhere and return where it is",
        )
    return encoded.decode()
