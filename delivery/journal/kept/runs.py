"""A user's open runs in the memory of a journal, and what is kept of them until they end."""

from __future__ import annotations

import attrs

from greenroom.delivery.events.going_on import GoesOn, NotAgain, RunsGoingOn, StepResult
from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.record import RUN_ENDS, RUN_OPENS, OpenRun, Record


@attrs.define(eq=False)
class RunsKept:
    """One user's open runs, and what is kept of them until they end."""

    opened: dict[RunId, OpenRun] = attrs.field(factory=dict)
    going_on: RunsGoingOn = attrs.field(factory=RunsGoingOn)
    steps: dict[RunId, dict[str, str]] = attrs.field(factory=dict)

    def keep_record(self, record: Record) -> None:
        if record.kind in RUN_OPENS:
            run = OpenRun(record.run, record.thread, record.parent, record.request)
            self.opened.setdefault(record.run, run)
        elif record.kind in RUN_ENDS:
            self.opened.pop(record.run, None)
            self.steps.pop(record.run, None)
        self.going_on.kept(record.kind, record.run, record.at)

    def keep(self, entry: GoesOn | NotAgain | StepResult) -> None:
        if entry.run not in self.opened:
            return
        if isinstance(entry, StepResult):
            self.steps.setdefault(entry.run, {}).setdefault(entry.key, entry.value)
        else:
            self.going_on.keep(entry)
