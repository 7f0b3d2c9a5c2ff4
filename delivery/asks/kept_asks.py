"""The questions that a journal in memory knows (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set

import attrs

from greenroom.delivery.events.asks import ask_of
from greenroom.delivery.events.ids import AskId, RunId, UserId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import Record


@attrs.define(eq=False)
class _KeptAsk:
    """How a question was asked, unless that is trimmed, and how it ended."""

    run: RunId
    asked: Record | None
    end: Record | None = None


class MemoryAsks:
    """Implements `AskReads`."""

    def __init__(self) -> None:
        self._users: defaultdict[UserId, dict[AskId, _KeptAsk]] = defaultdict(dict)

    def opened(self, user: UserId) -> list[Record]:
        asks = self._users.get(user, {}).values()
        return [each.asked for each in asks if each.asked is not None and each.end is None]

    def end(self, user: UserId, ask: AskId) -> Record | None:
        known = self._users.get(user, {}).get(ask)
        return known.end if known else None

    def keep(self, record: Record) -> None:
        """Keep an event of `ASK_KINDS`. An end counts if the question has none."""
        ask, asks = ask_of(record), self._users[record.user]
        if record.kind is Kind.INPUT_REQUESTED:
            asks.setdefault(ask, _KeptAsk(record.run, record))
        elif ask in asks and asks[ask].end is None:
            asks[ask].end = record

    def trim(self, user: UserId, through: int) -> None:
        """The user's records through this offset are gone."""
        asks = self._users.get(user, {})
        for ask, known in list(asks.items()):
            if known.end is not None and known.end.offset <= through:
                del asks[ask]
            elif known.asked is not None and known.asked.offset <= through:
                known.asked = None

    def erase(self, user: UserId, runs: Set[RunId] | None) -> None:
        """Forget the user's questions: those of some runs, or all."""
        for ask, known in list(self._users.get(user, {}).items()):
            if runs is None or known.run in runs:
                del self._users[user][ask]
