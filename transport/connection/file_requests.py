"""A client's uploads: parts of files, kept one after another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

import attrs
import outcome

from greenroom.actors.ref import Ref
from greenroom.actors.reply import ReplyOutcome
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.record import Entry
from greenroom.delivery.files.entries import FileDiscarded, FilePart, FilesForgotten, PendingFiles
from greenroom.delivery.files.reading import ReadUpload, Upload
from greenroom.delivery.files.taken import FileRefused, Files, check_size
from greenroom.delivery.user.handle import UserHandle
from greenroom.transport.connection.machine.events import RequestDone, RequestRefused
from greenroom.transport.connection.messages import ConnectionMessage
from greenroom.transport.protocol import wire

FileRequest: TypeAlias = wire.FileUpload | wire.DiscardFile

PARTS_WAITING: Final = 16
"""Parts of one connection that may wait while another is kept."""

PART_BYTES: Final = 256
"""Each part but the last has as many: a part takes a row of the journal, too."""

MOST_UPLOADS: Final = 256
"""Files of one user that may wait for their messages, however small they are."""

RECENT_MS: Final = 60_000
"""An upload that had no part for so long makes room for another one of the same user."""


class TooManyUploads(DeliveryError):
    """Too much of the user's waits for its messages, or too many parts come at once."""

    temporary = True


@attrs.define(eq=False)
class FileRequests:
    """One connection's parts of files. A part that does not begin where the file ends so far is not
    kept; each answer says where it ends."""

    user: UserHandle
    connection: Ref[ConnectionMessage]
    answer: Callable[[object], None]
    failed: Callable[[wire.ClientRequest, BaseException], RequestRefused]
    _waiting: list[FileRequest] = attrs.field(factory=list)  # the first one is being carried out

    def take(self, request: FileRequest) -> None:
        """Keep one part, or discard a file, without waiting for what that takes."""
        try:
            self._check(request)
        except DeliveryError as error:
            self.answer(self.failed(request, error))
            return
        self._waiting.append(request)
        if len(self._waiting) == 1:
            self._begin(request)

    def drop(self) -> None:
        """The connection ends: parts that wait are dropped."""
        del self._waiting[1:]

    def _check(self, request: FileRequest) -> None:
        if isinstance(request, wire.FileUpload):
            check_part(_taken(self.user), request)
        if len(self._waiting) > PARTS_WAITING:
            raise TooManyUploads(f"at most {PARTS_WAITING} parts of files may wait: send it again")

    def _begin(self, request: FileRequest) -> None:
        if isinstance(request, wire.FileUpload):
            return self._look(request)
        entry = FileDiscarded(self.user.user, request.file)
        gone = self.user.journal.append_soon([entry])
        return gone.then(partial(self._kept, request, {"file": request.file}))

    def _look(self, part: wire.FileUpload) -> None:
        user = self.user.user
        question = ReadUpload(user, part.file, self.user.now_ms() - RECENT_MS)
        reply = self.user.journal.ask(question, whose=user, asker=self.connection)
        reply.then(partial(self._found, part))

    def _found(self, part: wire.FileUpload, result: ReplyOutcome[Upload]) -> None:
        if isinstance(result, outcome.Error):
            return self._done(self.failed(part, result.error))
        kept = result.value.kept
        received = 0 if kept is None else kept.received
        if part.start != received or (kept is not None and not part.data) or _is_said(result.value):
            return self._done(RequestDone(part.id, _received(part, received)))
        try:
            entries = self._entries(part, result.value)
        except DeliveryError as error:
            return self._done(self.failed(part, error))
        kept_soon = self.user.journal.append_soon(entries)
        end = _received(part, part.start + len(part.data))
        return kept_soon.then(partial(self._kept, part, end))

    def _entries(self, part: wire.FileUpload, upload: Upload) -> list[Entry]:
        """Stale uploads of the user make room. Raises `TooManyUploads`."""
        user, now, most = self.user.user, self.user.now_ms(), _taken(self.user).unfinished_bytes
        new = FilePart(user, part.file, part.start, now, part.data)
        if _has_room(upload.others, new.end, most):
            return [new]
        if not _has_room(upload.recent_others, new.end, most):
            raise TooManyUploads(
                f"at most {most:,} bytes of files, and {MOST_UPLOADS} files, may wait for their "
                "messages: send those first, or wait a minute"
            )
        return [FilesForgotten(user, now - RECENT_MS), new]

    def _kept(
        self, request: FileRequest, answer: dict[str, JSON], result: ReplyOutcome[None]
    ) -> None:
        if isinstance(result, outcome.Error):
            return self._done(self.failed(request, result.error))
        return self._done(RequestDone(request.id, answer))

    def _done(self, event: object) -> None:
        self.answer(event)
        del self._waiting[0]
        if self._waiting:
            self._begin(self._waiting[0])


def check_part(taken: Files, part: wire.FileUpload) -> None:
    """Raise `FileRefused` for a part that no file of this agent has."""
    check_size(taken, part.size)
    end = part.start + len(part.data)
    if end > part.size:
        raise FileRefused("file: the part reaches past `size`")
    if not part.data and part.size:
        raise FileRefused("file: `data` is empty, and the file is not")
    if end < part.size and len(part.data) < PART_BYTES:
        raise FileRefused(f"file: a part but the last has {PART_BYTES} bytes or more")


def _has_room(others: PendingFiles, end: int, most: int) -> bool:
    return others.bytes + end <= most and others.files < MOST_UPLOADS


def _received(part: wire.FileUpload, received: int) -> dict[str, JSON]:
    return {"file": part.file, "received": received}


def _taken(user: UserHandle) -> Files:
    if user.takes is None:
        raise FileRefused("file: this agent takes no files")
    return user.takes


def _is_said(upload: Upload) -> bool:
    return upload.kept is not None and upload.kept.run is not None
