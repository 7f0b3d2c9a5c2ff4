"""The drafts of an outbox: those that wait, and those of the batch in flight (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from greenroom.delivery.events.draft import Draft
from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.record import Record

T = TypeVar("T")


class Drafts(Generic[T]):
    """The part of the outbox that holds drafts until they are durable. `T` is the caller's token
    for a draft. One batch is in flight at a time."""

    def __init__(self) -> None:
        self._waiting: list[Draft] = []
        self._tokens: list[T] = []  # of those that wait
        self._drafts_in_flight: Sequence[Draft] = ()
        self._tokens_in_flight: Sequence[T] = ()
        self._in_flight: list[Record] | None = None

    def offer(self, draft: Draft, token: T) -> None:
        """Accept a draft; it gets its offset when the next batch leaves."""
        self._waiting.append(draft)
        self._tokens.append(token)

    @property
    def has_next(self) -> bool:
        """Whether the next batch may leave with events."""
        return bool(self._waiting) and self._in_flight is None

    @property
    def busy(self) -> bool:
        """True if some event is not durable yet."""
        return self._in_flight is not None or bool(self._waiting)

    @property
    def next_token(self) -> T | None:
        """The token of the draft that leaves first."""
        return self._tokens[0] if self._tokens else None

    def append_failed(self) -> list[T]:
        """The batch in flight is lost: return its tokens. Its offsets will be assigned again."""
        self._in_flight, self._drafts_in_flight = None, ()
        lost, self._tokens_in_flight = list(self._tokens_in_flight), ()
        return lost

    def append_refused(self) -> None:
        """The batch in flight is refused for now: its drafts wait again, before those that came
        since."""
        drafts = self._drafts_in_flight
        tokens = self.append_failed()
        self._waiting[:0] = drafts
        self._tokens[:0] = tokens

    def say_refused(self, say: str) -> T:
        """The batch in flight is refused because of its draft with this key: return the token. Its
        other drafts wait again."""
        self.append_refused()
        number = next(n for n, draft in enumerate(self._waiting) if draft.say == say)
        del self._waiting[number]
        return self._tokens.pop(number)

    def withdraw(self, unwanted: Callable[[Draft], bool]) -> list[T]:
        """Give up those of the waiting drafts that are unwanted, and return their tokens."""
        drafts, tokens = self._waiting, self._tokens
        gone = list(map(unwanted, drafts))
        self._waiting = [draft for draft, is_gone in zip(drafts, gone, strict=True) if not is_gone]
        self._tokens = [token for token, is_gone in zip(tokens, gone, strict=True) if not is_gone]
        return [token for token, is_gone in zip(tokens, gone, strict=True) if is_gone]

    def hold(self) -> bool:
        """Have no batch leave until `go_on`. False if one is in flight."""
        if self._in_flight is not None:
            return False
        self._in_flight = []
        return True

    def go_on(self) -> None:
        """The next batch may leave."""
        self._in_flight = None

    def abandon(self) -> list[T]:
        """The outbox ends: give up the drafts that are not durable, and return their tokens."""
        waiting, self._waiting, self._tokens = self._tokens, [], []
        return [*self.append_failed(), *waiting]

    def runs_under_way(self) -> set[RunId]:
        """The runs with events that are not durable yet."""
        return {draft.run for draft in (*self._drafts_in_flight, *self._waiting)}
