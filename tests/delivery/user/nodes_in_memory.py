"""Nodes of the tests that share a journal in memory, and are not woken by each other."""

from __future__ import annotations

from collections.abc import Sequence, Set

import attrs

from greenroom.delivery.errors import JournalFailed
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.record import RUN_OPENS, Entry, Record
from greenroom.delivery.journal.memory_store import MemoryRuns, MemoryStore
from greenroom.delivery.user.nodes import catching_up
from tests.delivery.backstage import Disk


@attrs.frozen
class SharedRuns(MemoryRuns):
    """The open runs as the node `asking` sees them. `began`: the node that began each run."""

    asking: str
    began: dict[RunId, str]

    def elsewhere(self, user: UserId) -> Set[RunId]:
        return {run for run in self._kept(user).opened if self.began[run] != self.asking}


class SharedStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.asking = ""
        self.began: dict[RunId, str] = {}

    @property
    def runs(self) -> SharedRuns:
        return SharedRuns(self._users, self.asking, self.began)


class NodeDisk(Disk):
    """A node's own way to a journal in memory that several nodes share."""

    def __init__(self, store: SharedStore, name: str) -> None:
        super().__init__()
        self._store = self.shared = store
        self.name = name
        self.unread = False

    def keep(self, entries: Sequence[Entry]) -> None:
        super().keep(entries)
        for entry in entries:
            if isinstance(entry, Record) and entry.kind in RUN_OPENS:
                self.shared.began.setdefault(entry.run, self.name)

    def seek(self, question: object) -> None:
        self.shared.asking = self.name
        if self.unread and isinstance(question, catching_up.ReadNews):
            raise JournalFailed("cannot be read")
