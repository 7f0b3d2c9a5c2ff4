"""The policies of a user's runs, in the memory of a journal."""

from __future__ import annotations

from collections.abc import Set

import attrs

from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.policy import RunPolicy, RunSettled


@attrs.define(eq=False)
class PoliciesKept:
    """Those of the runs that have not all of their outcomes, in the order in which they came."""

    of_runs: dict[tuple[RunId, EventClass], RunPolicy] = attrs.field(factory=dict)

    def keep(self, entry: RunPolicy | RunSettled) -> None:
        key = (entry.run, entry.event_class)
        if isinstance(entry, RunPolicy):
            self.of_runs.setdefault(key, entry)
        elif entry.over:
            self.of_runs.pop(key, None)
        elif key in self.of_runs:
            known = self.of_runs[key]
            self.of_runs[key] = attrs.evolve(known, through=entry.through, due=entry.due)

    def erase(self, runs: Set[RunId]) -> None:
        for key in [each for each in self.of_runs if each[0] in runs]:
            del self.of_runs[key]
