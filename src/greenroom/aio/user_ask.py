"""Questions to users under asyncio."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final, Generic, TypeVar

from greenroom.aio.blocks import enter, leave
from greenroom.aio.crossing import crossing
from greenroom.aio.host_loop import cross
from greenroom.aio.receipt import AioReceipt
from greenroom.delivery.asks.unasked import note_asked
from greenroom.delivery.asks.user_ask import UserAsk
from greenroom.portal.faces.user_ask import AskFacts

T = TypeVar("T")


class AioUserAsk(
    AskFacts[T], Awaitable[T], AbstractAsyncContextManager["AioUserAsk[T]"], Generic[T]
):
    """A `greenroom.UserAsk` under asyncio: await it, or hold it with `async with`."""

    @property
    def receipt(self) -> AioReceipt | None:
        """The receipt of the `input_requested`, once the question is asked."""
        receipt = self._far.receipt
        return None if receipt is None else AioReceipt(receipt, self._lane)

    withdraw: Final = crossing(UserAsk.withdraw)

    def __await__(self) -> Generator[object, None, T]:
        note_asked(self._far)
        return cross(self._lane, self._answer, "run.ask()").__await__()

    async def __aenter__(self) -> AioUserAsk[T]:
        note_asked(self._far)
        await enter(self._visit, self._lane, "run.ask()")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await leave(self._visit, self._lane, error)
