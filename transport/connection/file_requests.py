"""A client's uploads: parts of files, kept one after another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import attrs
import outcome

from greenroom.actors.ref import Ref
from greenroom.actors.reply import ReplyOutcome
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.events.record import Entry
from greenroom.delivery.files.entries import FilePart, FilesForgotten
from greenroom.delivery.files.reading import ReadUpload, Upload
from greenroom.delivery.files.taken import FileRefused, Files, check_size
from greenroom.delivery.user.handle import UserHandle
from greenroom.transport.connection.machine.events import RequestDone, RequestRefused
from greenroom.transport.connection.messages import ConnectionMessage
from greenroom.transport.protocol import wire

PARTS_WAITING: Final = 16
"""Parts of one connection that may wait while another is kept."""

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
    _waiting: list[wire.FileUpload] = attrs.field(factory=list)  # the first one is being kept

    def take(self, part: wire.FileUpload) -> None:
        """Keep one part, without waiting for what that takes."""
        try:
            self._check(part)
        except DeliveryError as error:
            self.answer(self.failed(part, error))
            return
        self._waiting.append(part)
        if len(self._waiting) == 1:
            self._look()

    def drop(self) -> None:
        """The connection ends: parts that wait are dropped."""
        del self._waiting[1:]

    def _check(self, part: wire.FileUpload) -> None:
        taken = _taken(self.user)
        check_size(taken, part.size)
        if part.start + len(part.data) > part.size:
            raise FileRefused("file: the part reaches past `size`")
        if not part.data and part.size:
            raise FileRefused("file: `data` is empty, and the file is not")
        if len(self._waiting) > PARTS_WAITING:
            raise TooManyUploads(f"at most {PARTS_WAITING} parts of files may wait: send it again")

    def _look(self) -> None:
        part, user = self._waiting[0], self.user.user
        question = ReadUpload(user, part.file, self.user.now_ms() - RECENT_MS)
        reply = self.user.journal.ask(question, whose=user, asker=self.connection)
        reply.then(partial(self._found, part))

    def _found(self, part: wire.FileUpload, result: ReplyOutcome[Upload]) -> None:
        if isinstance(result, outcome.Error):
            return self._done(self.failed(part, result.error))
        kept = result.value.kept
        received = 0 if kept is None else kept.received
        if part.start != received or (kept is not None and not part.data) or _is_said(result.value):
            return self._done(RequestDone(part.id, {"file": part.file, "received": received}))
        try:
            entries = self._entries(part, result.value)
        except DeliveryError as error:
            return self._done(self.failed(part, error))
        kept_soon = self.user.journal.append_soon(entries)
        return kept_soon.then(partial(self._kept, part))

    def _entries(self, part: wire.FileUpload, upload: Upload) -> list[Entry]:
        """Stale uploads of the user make room. Raises `TooManyUploads`."""
        user, now, most = self.user.user, self.user.now_ms(), _taken(self.user).unfinished_bytes
        new = FilePart(user, part.file, part.start, now, part.data)
        if new.end + upload.others <= most:
            return [new]
        if new.end + upload.recent_others > most:
            raise TooManyUploads(
                f"at most {most:,} bytes of files may wait for their messages: "
                "send those first, or wait a minute"
            )
        return [FilesForgotten(user, now - RECENT_MS), new]

    def _kept(self, part: wire.FileUpload, result: ReplyOutcome[None]) -> None:
        if isinstance(result, outcome.Error):
            return self._done(self.failed(part, result.error))
        received = part.start + len(part.data)
        return self._done(RequestDone(part.id, {"file": part.file, "received": received}))

    def _done(self, event: object) -> None:
        self.answer(event)
        del self._waiting[0]
        if self._waiting:
            self._look()


def _taken(user: UserHandle) -> Files:
    if user.takes is None:
        raise FileRefused("file: this agent takes no files")
    return user.takes


def _is_said(upload: Upload) -> bool:
    return upload.kept is not None and upload.kept.run is not None
