"""What the face of a question says without waiting."""

from __future__ import annotations

from functools import partial
from typing import Generic, TypeVar

from greenroom.delivery.asks.user_ask import UserAsk
from greenroom.delivery.events.ids import AskId
from greenroom.portal.call import Lane
from greenroom.portal.faces.face import Face
from greenroom.portal.visit import Visit, same

T = TypeVar("T")


class AskFacts(Face[UserAsk[T]], Generic[T]):
    """The part of a question's face that is the same in every host."""

    def __init__(self, far: UserAsk[T], lane: Lane) -> None:
        super().__init__(far, lane)
        self._visit: Visit[UserAsk[T]] = Visit(lane, partial(same, far))

    @property
    def id(self) -> AskId:
        """The id of the question."""
        return self._far.id

    @property
    def is_open(self) -> bool:
        """Whether the question was asked and has no end, as far as its run knows."""
        return self._far.is_open

    async def _answer(self) -> T:
        """In the trio thread."""
        return await self._far
