"""Uploads of one connection: how they share the room of their user, and wait for each other."""

from __future__ import annotations

from typing import Any, cast

import attrs

from greenroom.actors.ref import Ref
from greenroom.actors.text.safe import safe_str
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.files.taken import Files
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.user.handle import UserHandle
from greenroom.transport.connection.file_requests import PARTS_WAITING, RECENT_MS, FileRequests
from greenroom.transport.connection.machine.events import RequestDone, RequestRefused
from greenroom.transport.connection.messages import ConnectionMessage
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode

TAKES = Files(max_bytes=10, most=1)  # so that 20 bytes may wait


@attrs.define
class Uploading:
    """A connection's uploads, at a time that the test sets."""

    journal: Any = attrs.field(factory=MemoryJournal)
    now: int = 1_000_000
    answers: list[object] = attrs.field(factory=list)
    requests: FileRequests = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        user = UserHandle(UserId("alice"), self.journal, takes=TAKES, now_ms=lambda: self.now)
        connection = cast("Ref[ConnectionMessage]", None)
        self.requests = FileRequests(user, connection, self.answers.append, self.failed)

    def failed(self, part: wire.ClientRequest, error: BaseException) -> RequestRefused:
        return RequestRefused(part.id, CloseCode.RATE_LIMIT, safe_str(error), temporary=True)

    def send(self, file: str, start: int = 0, data: bytes = b"ten bytes!") -> object:
        """The last answer after a part."""
        self.requests.take(wire.FileUpload(f"{file} {start}", file, start, 10, data))
        return self.answers[-1] if self.answers else None


def done(file: str, received: int, start: int = 0) -> RequestDone:
    return RequestDone(f"{file} {start}", {"file": file, "received": received})


async def test_uploads_that_stopped_make_room_and_those_that_go_on_do_not() -> None:
    uploading = Uploading()
    uploading.send("a", data=b"half ")
    uploading.send("b")
    uploading.now += RECENT_MS
    assert uploading.send("a", 5, b"more") == done("a", 9, 5)
    assert isinstance(uploading.send("c"), RequestRefused)  # `b` had a part a minute ago
    uploading.now += 1
    assert uploading.send("c") == done("c", 10)
    assert uploading.send("a", 9, b"!") == done("a", 10, 9)
    assert uploading.send("b", 5, b"again") == done("b", 0, 5)  # it begins anew


class Slow:
    """A journal that does not answer for now."""

    def ask(self, *_: object, **__: object) -> Any:
        return self

    def then(self, _: object) -> None:
        return None


async def test_a_connection_has_a_bound_of_parts_that_wait() -> None:
    uploading = Uploading(journal=Slow())
    for number in range(PARTS_WAITING + 1):
        uploading.send(f"f{number}")
    assert uploading.answers == []
    refused = uploading.send("one more")
    assert isinstance(refused, RequestRefused)
    assert "at most 16 parts" in refused.message
