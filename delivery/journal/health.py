"""Whether a journal can be written now, and if not, why: learnt from the errors of its calls."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from greenroom.delivery.errors import (
    JournalBusy,
    JournalCorrupt,
    JournalError,
    JournalFailed,
    JournalFull,
    JournalLost,
    JournalReadOnly,
    JournalUnreachable,
    LeaseLost,
)

TROUBLES: Final[Mapping[type[JournalError], str]] = MappingProxyType(
    {
        JournalFull: "the journal's disk is full",
        JournalReadOnly: "the journal may not be written",
        JournalBusy: "another program has locked the journal",
        JournalUnreachable: "the journal cannot be reached",
        LeaseLost: "another node has this one's runs",
        JournalFailed: "the journal's disk fails",
        JournalCorrupt: "the journal is damaged",
        JournalLost: "the journal was removed or changed by another program",
    }
)
"""The part of an error that may be public: no path, no user."""

FOR_GOOD: Final = frozenset({JournalCorrupt, JournalLost})
"""Trouble that does not pass while the journal is open."""

_NEXT: Final = {
    JournalCorrupt: "Stop the server, then run `greenroom journal check` to list the damage",
    JournalLost: "Until the server is restarted it keeps no events and accepts no connections",
}
_LATER: Final = "New connections are accepted again when the journal can be written"

logger = logging.getLogger("greenroom.delivery")


class JournalHealth:
    """Remembers the worst trouble, and logs when it begins, each advice that its errors have, and
    when it ends."""

    def __init__(self) -> None:
        self._error: type[JournalError] | None = None
        self._told: frozenset[str] = frozenset()  # fixed texts: there are few

    @property
    def trouble(self) -> str:
        """Why the journal cannot be written; empty if it can."""
        return "" if self._error is None else TROUBLES[self._error]

    @property
    def may_pass(self) -> bool:
        """Whether there is trouble that a new attempt to write may find over."""
        return self._error is not None and self._error not in FOR_GOOD

    def note(self, error: JournalError) -> None:
        """Note an error of a call. A caller's fault is not trouble of the journal."""
        kind = type(error)
        told = self._told if kind is self._error else frozenset[str]()
        if kind not in TROUBLES or error.advice in told or self._is_worse_than(kind):
            return
        self._error, self._told = kind, told | {error.advice}
        level = logging.CRITICAL if kind is JournalLost else logging.ERROR
        logger.log(level, "%s. %s", error, _NEXT.get(kind, _LATER))

    def passed(self) -> None:
        """Note that the journal can be written again."""
        if self.may_pass:
            logger.info("the journal can be written again, after: %s", self.trouble)
            self._error, self._told = None, frozenset()

    def _is_worse_than(self, kind: type[JournalError]) -> bool:
        return self._error in FOR_GOOD and kind is not JournalLost
