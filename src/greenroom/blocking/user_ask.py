"""Questions to users in synchronous code."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Generic, TypeVar

from greenroom.blocking.blocks import enter, leave
from greenroom.blocking.crossing import BlockingReceipt, crossing
from greenroom.blocking.waiting import cross
from greenroom.delivery.asks.unasked import note_asked
from greenroom.delivery.asks.user_ask import UserAsk
from greenroom.portal.faces.user_ask import AskFacts

T = TypeVar("T")


class BlockingUserAsk(AskFacts[T], AbstractContextManager["BlockingUserAsk[T]"], Generic[T]):
    """A `greenroom.UserAsk` in synchronous code: `run.ask("…").wait()` asks it and returns the
    answer; or hold it, `with run.ask("…") as ask`."""

    @property
    def receipt(self) -> BlockingReceipt | None:
        """The receipt of the `input_requested`, once the question is asked."""
        receipt = self._far.receipt
        return None if receipt is None else BlockingReceipt(receipt, self._lane)

    withdraw: Final = crossing(UserAsk.withdraw)

    def wait(self) -> T:
        """The answer; asks the question first unless its block is entered. Raises as awaiting a
        `greenroom.UserAsk` does."""
        note_asked(self._far)
        return cross(self._lane, self._answer, "run.ask()")

    def __enter__(self) -> BlockingUserAsk[T]:
        note_asked(self._far)
        enter(self._visit, self._lane, "run.ask()")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        leave(self._visit, self._lane, error)
