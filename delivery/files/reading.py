"""Questions to a journal about files (pure)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.kinds import Event, Kind
from greenroom.delivery.files.entries import KeptFile, PendingFiles
from greenroom.delivery.files.taken import File, files_in
from greenroom.delivery.journal.reads import Question, Reads


@attrs.frozen
class Upload:
    """A file so far, and the user's other uploads: all, and those that had a part lately."""

    kept: KeptFile | None
    others: PendingFiles
    recent_others: PendingFiles


@attrs.frozen
class ReadUpload(Question[Upload]):
    """Where an upload stands. `since`: from when on (ms) a part is a recent one."""

    user: UserId
    file: str
    since: int

    def answer(self, reads: Reads) -> Upload:
        kept = reads.files.find(self.user, self.file)
        others = reads.files.waiting(self.user, 0, self.file)
        return Upload(kept, others, reads.files.waiting(self.user, self.since, self.file))


@attrs.frozen
class ReadFiles(Question[Sequence[KeptFile | None]]):
    """What is kept of some files."""

    user: UserId
    files: Sequence[str]

    def answer(self, reads: Reads) -> Sequence[KeptFile | None]:
        return [reads.files.find(self.user, each) for each in self.files]


@attrs.frozen
class ReadFilePart(Question[bytes]):
    """The part of a file that begins at `start`; nothing at its end."""

    user: UserId
    file: str
    start: int

    def answer(self, reads: Reads) -> bytes:
        return reads.files.part(self.user, self.file, self.start)


@attrs.frozen
class ReadRunFiles(Question[Sequence[File]]):
    """The files of the message that began a run; none once it is erased or forgotten."""

    user: UserId
    run: RunId

    def answer(self, reads: Reads) -> Sequence[File]:
        first = reads.runs.first(self.run)
        if first is None or first.user != self.user or first.kind is not Kind.USER_SAID:
            return ()
        return files_in(Event.decode(first.body).data)
