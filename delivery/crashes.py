"""Crashes that survive restarts: each report is also kept in the journal, beside everything else.

The crash has been dealt with by then. A journal that cannot be written keeps no report; the report
is still in the log and in this process's memory.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Never

import attrs
import trio

from greenroom.actors.guard import call_guarded
from greenroom.delivery.errors import JournalError
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import KeptCrash
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.run.failures.failure import NOT_KEPT
from greenroom.delivery.run.failures.secrets import Secrets
from greenroom.delivery.user.names import child_id, user_of_path
from greenroom.supervisor.crash.crash_log import CrashLog
from greenroom.supervisor.crash.crash_report import CrashReport, EarlierCrash
from greenroom.supervisor.crash.error_note import ErrorNote
from greenroom.supervisor.inspection.as_json import ReportOrigin, crash_json, line_json

REPORT_BYTES: Final = 4 * 1024 * 1024
"""A longer report is kept without its recording."""

logger = logging.getLogger("greenroom.delivery")


@attrs.frozen
class ReadCrashes(Question[list[KeptCrash]]):
    """The crashes that are kept, oldest first, without their reports."""

    def answer(self, reads: Reads) -> list[KeptCrash]:
        return reads.crashes.all()


@attrs.frozen
class ReadCrash(Question[KeptCrash | None]):
    """A crash; None if it is not kept, or no longer."""

    crash: str

    def answer(self, reads: Reads) -> KeptCrash | None:
        return reads.crashes.find(self.crash)


@attrs.frozen
class CrashText:
    """What of the text of errors may be kept on a disk: no secrets, and nothing unless `texts`."""

    secrets: Secrets = attrs.field(factory=Secrets)
    texts: bool = True

    def of(self, report: CrashReport) -> CrashReport:
        return attrs.evolve(
            report.without_live_error(),
            error=self._error(report.error) if report.error is not None else None,
            traceback=self._hidden(report.traceback),
            chain=tuple(map(self._earlier, report.chain)),
        )

    def _error(self, note: ErrorNote) -> ErrorNote:
        return attrs.evolve(
            note,
            message=self._hidden(note.message),
            notes=tuple(map(self._hidden, note.notes)),
            cause=self._error(note.cause) if note.cause is not None else None,
            errors=tuple(map(self._error, note.errors)),
        )

    def _earlier(self, earlier: EarlierCrash) -> EarlierCrash:
        name, colon, text = earlier.reason.partition(": ")
        return attrs.evolve(earlier, reason=f"{name}{colon}{self._hidden(text)}")

    def _hidden(self, text: str) -> str:
        return self.secrets.hidden(text) if self.texts or not text else NOT_KEPT


class CrashKeeper:
    """Keeps the reports of a crash log in the journal. `keep` is run as a child of the tree."""

    def __init__(
        self, log: CrashLog, journal: Journal, origin: ReportOrigin, text: CrashText
    ) -> None:
        self._log = log
        self._journal = journal
        self._origin = origin
        self._text = text
        self._more = trio.Event()
        self._number = 0  # of the newest report that the journal has, or has refused
        self._fails = False
        self._writing = trio.Lock()

    def crashed(self) -> None:
        """There is a report to keep. Never waits."""
        self._more.set()

    async def keep(self) -> Never:
        """Keep each new report, one after the other."""
        while True:
            await self._more.wait()
            self._more = trio.Event()
            for report in self._log.after(self._number):
                async with self._writing:
                    await self._keep(report)

    def close(self) -> None:
        """Begin to keep what is left; the journal's `aclose` waits for it."""
        for report in self._log.after(self._number):
            if (entry := self._entry(report)) is not None:
                self._journal.append_soon([entry])

    @asynccontextmanager
    async def forgetting(self, user: UserId) -> AsyncIterator[None]:
        """A block that erases a user, whose crashes are forgotten at its end. Meanwhile no report
        is on its way to the journal, where it could come too late to be erased."""
        async with self._writing:
            yield
            self._log.forget(lambda report: child_id(user) in report.path.split("/"))

    async def _keep(self, report: CrashReport) -> None:
        if self._log.find(report.id) is not None:  # neither erased nor pushed out
            entry = await trio.to_thread.run_sync(self._entry, report)
            if entry is not None:
                await self._append(report, entry)
        self._number = report.number  # not before: `close` keeps what is cut off here

    async def _append(self, report: CrashReport, entry: KeptCrash) -> None:
        try:
            await self._journal.append([entry])
            self._fails = False
        except JournalError as error:
            if not self._fails:
                logger.warning("crash %s and those after it are not kept: %s", report.id, error)
            self._fails = True

    def _entry(self, report: CrashReport) -> KeptCrash | None:
        """In any thread."""
        kept: list[KeptCrash] = []
        what = f"crash {report.id} cannot be kept in the journal"
        call_guarded(what, lambda: kept.append(self._kept(report)))
        return kept[0] if kept else None

    def _kept(self, report: CrashReport) -> KeptCrash:
        report = self._text.of(report)
        body = crash_json(report)
        if len(body) > REPORT_BYTES:
            report = report.without_recording()
            body = crash_json(report)
        return KeptCrash(
            user_of_path(report.path),
            report.id,
            round(report.at * 1000),
            self._origin.process,
            round(self._origin.began * 1000),
            line_json(report).decode(),
            body.decode(),
        )
