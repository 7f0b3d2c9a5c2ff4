"""A question to the user, as the run that asks it holds it."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import ClassVar, Final, Generic, TypeVar, cast

import attrs
import orjson
import trio

from greenroom.actors.errors import Fault
from greenroom.actors.ref import ActorStopped
from greenroom.delivery.asks.answer_types import structured
from greenroom.delivery.asks.ask_keys import ask_with_key, has_key
from greenroom.delivery.asks.questions import question_data
from greenroom.delivery.asks.unasked import Unasked, note_asked
from greenroom.delivery.errors import DeliveryError, UserUnavailable
from greenroom.delivery.events.ids import AskId, IdSource
from greenroom.delivery.events.kinds import JSON, Event, Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.run.emitter import Emitter
from greenroom.delivery.run.grammar import InputEnded, InputRequested, OutOfOrder
from greenroom.delivery.run.life import Cut, RunLife, last_words
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.user.asks import UnknownAsk
from greenroom.delivery.user.messages import AwaitAskEnd, WithdrawAsk
from greenroom.supervisor.errors import SupervisorError

T = TypeVar("T")

RETRY_SECONDS: Final = 0.5
"""Seconds between two looks for user actors that are restarting."""


class AskExpired(DeliveryError):
    """The user did not answer in time, and the question has no default."""

    fault: ClassVar[Fault] = Fault.CLIENT


class AskWithdrawn(DeliveryError):
    """The question was withdrawn before the user answered."""

    fault: ClassVar[Fault] = Fault.CALLER


class NoDefault:
    """The type of `NO_DEFAULT`."""


NO_DEFAULT: Final = NoDefault()


@attrs.frozen
class Wording(Generic[T]):
    """What a question says, and what becomes of its end. `expires` in seconds."""

    prompt: str
    options: Sequence[JSON] | None
    schema: JSON
    expires: float | None
    answer_type: type[T] | None
    default: T | NoDefault
    counts_time: bool
    key: str | None = None


@attrs.frozen
class Asker:
    """What the questions of a run work with. `life`: the clock of the outermost run. `goes_on`:
    another attempt of the run follows if this one is lost."""

    emitter: Emitter
    ids: IdSource
    life: RunLife
    goes_on: bool = False

    def leaves(self, ask: AskId) -> bool:
        """Whether the run was lost and leaves the question to its next attempt, which knows it by
        its key."""
        return self.goes_on and self.life.cause is Cut.LOST and has_key(ask)


class UserAsk(Unasked, Generic[T], Awaitable[T], AbstractAsyncContextManager["UserAsk[T]"]):
    """A question to the user, made by `run.ask`. Await it to ask it and to get the answer; or hold
    it, `async with run.ask(…) as ask`: it is asked, `await ask` waits for the answer, and what is
    open at the end of the block is withdrawn.

    To ask raises as event methods do, and `TooManyAsks`. To wait raises `AskExpired`,
    `AskWithdrawn`, and what structuring the answer as `answer_type` raises.
    """

    def __init__(self, asker: Asker, wording: Wording[T]) -> None:
        self._asker = asker
        self._wording = wording
        self._held = False
        self._end: Record | None = None
        self.id: AskId = (
            asker.ids.new(AskId)
            if wording.key is None
            else ask_with_key(asker.emitter.context.run, wording.key)
        )
        self.receipt: Receipt | None = None
        """The receipt of the `input_requested`, once the question is asked."""
        self._owes_asking = True

    def __repr__(self) -> str:
        return f"<UserAsk {self.id}>"

    def __await__(self) -> Generator[object, None, T]:
        return (self._wait() if self._held else self._ask_and_wait()).__await__()

    async def __aenter__(self) -> UserAsk[T]:
        await self._ask()
        self._held = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._leave()

    @property
    def is_open(self) -> bool:
        """Whether the question was asked and has no end, as far as its run knows."""
        return self.id in self._emitter.spoken.asking

    async def withdraw(self) -> None:
        """Close the question, unless the user has answered it already: whoever awaits it raises
        `AskWithdrawn`, or gets the answer. Raises `UserUnavailable`."""
        if self.is_open:
            self._note_end(await close(self._emitter, self.id))

    # Inside

    @property
    def _emitter(self) -> Emitter:
        return self._asker.emitter

    async def _ask_and_wait(self) -> T:
        async with self:
            return await self._wait()

    async def _ask(self) -> None:
        note_asked(self)
        if self.receipt is not None:
            raise OutOfOrder(f"question {self.id} was asked already", advice="make a new one")
        wording, user = self._wording, self._emitter.user
        if self.id in user.asks:  # another task has asked it, and closes it
            raise OutOfOrder(f"question {self.id} is open already", advice="use another key")
        data = question_data(
            self.id,
            wording.prompt,
            options=wording.options,
            schema=wording.schema,
            seconds=wording.expires,
            now=user.now_ms(),
        )
        user.asks.enter(self.id, self._emitter.context.run, len(orjson.dumps(data)))
        try:
            self.receipt = await self._emitter.emit(
                InputRequested(self.id), Kind.INPUT_REQUESTED, data, ask=self.id
            )
        except BaseException:
            await self._leave()  # it may have been kept all the same
            raise

    async def _wait(self) -> T:
        if self._end is None:
            if not self.is_open:
                raise OutOfOrder(f"question {self.id} is not open", advice="make a new one")
            with nullcontext() if self._wording.counts_time else self._asker.life.paused():
                self._note_end(await end_of(self._emitter, self.id))
        assert self._end is not None, "it was noted"
        return self._answer_of(Event.decode(self._end.body))

    async def _leave(self) -> None:
        try:
            if self.is_open and not self._asker.leaves(self.id):
                with last_words(self):
                    await self.withdraw()
        finally:
            self._emitter.user.asks.leave(self.id)

    def _note_end(self, end: Record | None) -> None:
        self._end = end
        self._emitter.user.asks.leave(self.id)
        if self.is_open:
            self._emitter.note(InputEnded(self.id))

    def _answer_of(self, end: Event) -> T:
        wording = self._wording
        if end.kind is Kind.INPUT_ANSWERED:
            value = end.data["value"]
            kind = wording.answer_type
            return cast(T, value) if kind is None else structured(value, kind)
        if end.data["reason"] != "expired":
            raise AskWithdrawn(f"question {self.id} was withdrawn")
        if isinstance(wording.default, NoDefault):
            after = f"question {self.id} was not answered within {wording.expires:g} s"
            raise AskExpired(after, advice="give it a `default`")
        return wording.default


async def withdraw_all(emitter: Emitter, *, but_with_keys: bool) -> None:
    """Close the questions of a run that is about to end: other tasks may hold some. If another
    attempt follows, it goes on with those that have keys."""
    for ask in sorted(emitter.spoken.asking):
        if but_with_keys and has_key(ask):
            continue
        await close(emitter, ask)
        if ask in emitter.spoken.asking:
            emitter.note(InputEnded(ask))


async def close(emitter: Emitter, ask: AskId) -> Record | None:
    """Withdraw a question, after the text that its run has written; the event that ended it, now or
    before, or None if it was not kept.

    Raises `UserUnavailable` if the user actor stops: a run that ends meanwhile is ended by the next
    one, which closes its questions.
    """
    await emitter.send_text()
    try:
        return await emitter.user.actor.ask(WithdrawAsk(ask))
    except UnknownAsk:
        return None
    except (ActorStopped, SupervisorError) as error:
        raise UserUnavailable(
            f"question {ask} was not withdrawn: the user's actors are restarting",
            advice="withdraw it again",
        ) from error


async def end_of(emitter: Emitter, ask: AskId) -> Record:
    """The event that ends a question, once there is one. If the user actor stops, its successor is
    asked: it knows the question from the journal."""
    while True:
        try:
            async with emitter.user.leased() as user:
                return await user.actor.ask(AwaitAskEnd(ask))
        except (ActorStopped, SupervisorError, UserUnavailable):
            await trio.sleep(RETRY_SECONDS)
