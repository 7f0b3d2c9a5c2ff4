"""The crash reports of a runtime: those of this process, and those that its journal keeps."""

from __future__ import annotations

import os
from collections.abc import Callable
from socket import gethostname

from greenroom.delivery.crashes import CrashKeeper, CrashText, ReadCrash, ReadCrashes
from greenroom.delivery.errors import JournalError
from greenroom.delivery.events.record import KeptCrash
from greenroom.delivery.journal.journal import Journal
from greenroom.metrics.counts import Metrics
from greenroom.supervisor.crash.crash_log import CrashLog
from greenroom.supervisor.crash.crash_report import CrashReport
from greenroom.supervisor.inspection.as_json import (
    CrashLine,
    ReportOrigin,
    dump_crash,
    dump_kept_crash,
    line_of,
    load_line,
)


class CrashReports:
    """The reports of this process are in `log`; `keeper` gives them to the journal, where those of
    earlier processes and of other nodes are, too."""

    def __init__(
        self,
        journal: Journal,
        text: CrashText,
        metrics: Metrics | None,
        wall_clock: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._metrics = metrics
        self._origin = ReportOrigin(f"{gethostname()}:{os.getpid()}", round(wall_clock(), 3))
        self.log: CrashLog = CrashLog(on_crash=self._crashed)
        self.keeper: CrashKeeper = CrashKeeper(self.log, journal, self._origin, text)

    async def lines(self) -> list[CrashLine]:
        """Oldest first; only those of this process if the journal cannot be read."""
        known = {line.id: line for line in map(self._line, await self._kept())}
        known |= {each.id: line_of(each, self._origin) for each in self.log.reports()}
        return sorted(known.values(), key=lambda line: line.at)

    async def whole(self, id_: str) -> bytes | None:
        """A report as JSON; None if it is not kept. Raises `JournalError`s."""
        if (report := self.log.find(id_)) is not None:
            return dump_crash(report, self._origin)
        kept = await self._journal.ask(ReadCrash(id_), whose=self).wait()
        return None if kept is None else dump_kept_crash(kept.report, self._origin_of(kept))

    def _crashed(self, report: CrashReport) -> None:
        self.keeper.crashed()
        if self._metrics is not None:
            self._metrics.crashed(report)

    async def _kept(self) -> list[KeptCrash]:
        try:
            return await self._journal.ask(ReadCrashes(), whose=self).wait()
        except JournalError:
            return []

    def _line(self, kept: KeptCrash) -> CrashLine:
        return load_line(kept.line, self._origin_of(kept))

    def _origin_of(self, kept: KeptCrash) -> ReportOrigin:
        began = round(self._origin.began * 1000)
        here = (kept.process, kept.began) == (self._origin.process, began)
        return ReportOrigin(kept.process, kept.began / 1000, here)
