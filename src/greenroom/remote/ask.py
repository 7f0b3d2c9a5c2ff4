"""Questions that another process asks its user."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

import anyio

from greenroom.delivery.asks.answer_types import structured
from greenroom.delivery.asks.unasked import Unasked, note_asked
from greenroom.delivery.asks.user_ask import AskExpired, AskWithdrawn, NoDefault, Wording
from greenroom.delivery.events.ids import AskId
from greenroom.delivery.run.grammar import OutOfOrder
from greenroom.remote.life import LAST_SECONDS, RemoteLife
from greenroom.remote.receipt import RemoteReceipt

T = TypeVar("T")


class RemoteAsk(Unasked, Generic[T], Awaitable[T], AbstractAsyncContextManager["RemoteAsk[T]"]):
    """A question to the user, as `UserAsk`: await it, or hold it with `async with`. Its `id` and
    `receipt` are None until it is asked."""

    def __init__(self, life: RemoteLife, wording: Wording[T]) -> None:
        self._life = life
        self._wording = wording
        self._held = False
        self.id: AskId | None = None
        self.receipt: RemoteReceipt | None = None
        self._owes_asking = True

    def __await__(self) -> Generator[Any, None, T]:
        return (self._wait() if self._held else self._ask_and_wait()).__await__()

    async def __aenter__(self) -> RemoteAsk[T]:
        await self._ask()
        self._held = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.is_open and not self._life.ended:
            with anyio.CancelScope(shield=True, deadline=anyio.current_time() + LAST_SECONDS):
                await self.withdraw()

    @property
    def is_open(self) -> bool:
        """Whether the question was asked and has no end, as far as this process knows."""
        return self.id is not None and self._life.ask_state(self.id)["state"] == "open"

    async def withdraw(self) -> None:
        """Close the question, unless the user has answered it already."""
        if self.id is not None and self.is_open:
            await self._life.lane.put("input_withdrawn", ask=self.id)

    async def _ask_and_wait(self) -> T:
        async with self:
            return await self._wait()

    async def _ask(self) -> None:
        note_asked(self)
        if self.id is not None:
            raise OutOfOrder(f"question {self.id} was asked already", advice="make a new one")
        wording = self._wording
        said = await self._life.lane.put(
            "input_requested",
            prompt=wording.prompt,
            options=None if wording.options is None else [*wording.options],
            schema=wording.schema,
            expires_in=wording.expires,
            counts_time=wording.counts_time or None,
            key=wording.key,
        )
        self.id, self.receipt = AskId.trusted(said["ask"]), self._life.receipt(said)

    async def _wait(self) -> T:
        if self.id is None:
            raise OutOfOrder("the question was not asked", advice="await it")
        return self._answer_of(await self._life.ask_ended(self.id))

    def _answer_of(self, end: Mapping[str, Any]) -> T:
        wording = self._wording
        if end["state"] == "answered":
            kind = wording.answer_type
            return cast(T, end["value"]) if kind is None else structured(end["value"], kind)
        if end["state"] != "expired":
            raise AskWithdrawn(f"question {self.id} was withdrawn")
        if isinstance(wording.default, NoDefault):
            after = f"question {self.id} was not answered within {wording.expires:g} s"
            raise AskExpired(after, advice="give it a `default`")
        return wording.default
