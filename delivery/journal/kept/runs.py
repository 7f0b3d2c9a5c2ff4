"""A user's open runs in the memory of a journal, and what is kept of them until they end."""

from __future__ import annotations

import attrs

from greenroom.delivery.events.going_on import GoesOn, GoingOn, NotAgain, StepResult
from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.events.record import RUN_ENDS, RUN_OPENS, OpenRun, Record


@attrs.define(eq=False)
class RunsKept:
    """One user's open runs, and what is kept of them until they end."""

    opened: dict[RunId, OpenRun] = attrs.field(factory=dict)
    going_on: dict[RunId, GoingOn] = attrs.field(factory=dict)
    steps: dict[RunId, dict[str, str]] = attrs.field(factory=dict)

    def keep_record(self, record: Record) -> None:
        if record.kind in RUN_OPENS:
            run = OpenRun(record.run, record.thread, record.parent, record.request)
            self.opened.setdefault(record.run, run)
            if record.kind is Kind.AGENT_STARTED and (known := self.going_on.get(record.run)):
                number = known.attempt + 1
                self.going_on[record.run] = attrs.evolve(known, attempt=number, at=record.at)
        elif record.kind in RUN_ENDS:
            for kept in (self.opened, self.going_on, self.steps):
                kept.pop(record.run, None)

    def keep(self, entry: GoesOn | NotAgain | StepResult) -> None:
        run = entry.run
        if run not in self.opened:
            return
        match entry:
            case GoesOn():
                self.going_on.setdefault(run, GoingOn(run, entry.agent, 0, 0, stopped=False))
            case NotAgain() if known := self.going_on.get(run):
                self.going_on[run] = attrs.evolve(known, stopped=True)
            case StepResult():
                self.steps.setdefault(run, {}).setdefault(entry.key, entry.value)
