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
from greenroom.transport.connection.file_requests import (
    MOST_UPLOADS,
    PART_BYTES,
    PARTS_WAITING,
    RECENT_MS,
    FileRequests,
)
from greenroom.transport.connection.machine.events import RequestDone, RequestRefused
from greenroom.transport.connection.messages import ConnectionMessage
from greenroom.transport.protocol import wire
from greenroom.transport.protocol.close_codes import CloseCode

WHOLE = 10 * PART_BYTES
TAKES = Files(max_bytes=WHOLE, most=1)  # so that two of them may wait


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

    def send(self, file: str, start: int = 0, parts: int = 10, size: int = WHOLE) -> object:
        """The last answer after as many parts of the least size, from the one at `start`."""
        data, begin = bytes(parts * PART_BYTES), start * PART_BYTES
        self.requests.take(wire.FileUpload(f"{file} {start}", file, begin, size, data))
        return self.answers[-1] if self.answers else None


def done(file: str, received: int, start: int = 0) -> RequestDone:
    return RequestDone(f"{file} {start}", {"file": file, "received": received * PART_BYTES})


async def test_uploads_that_stopped_make_room_and_those_that_go_on_do_not() -> None:
    uploading = Uploading()
    uploading.send("a", parts=5)
    uploading.send("b")
    uploading.now += RECENT_MS
    assert uploading.send("a", 5, 4) == done("a", 9, 5)
    assert isinstance(uploading.send("c"), RequestRefused)  # `b` had a part a minute ago
    uploading.now += 1
    assert uploading.send("c") == done("c", 10)
    assert uploading.send("a", 9, 1) == done("a", 10, 9)
    assert uploading.send("b", 5, 5) == done("b", 0, 5)  # it begins anew


async def test_the_number_of_uploads_is_bounded_however_small_they_are() -> None:
    uploading = Uploading()
    for number in range(MOST_UPLOADS):
        assert uploading.send(f"f{number}", parts=0, size=0) == done(f"f{number}", 0)
    assert isinstance(uploading.send("one more", parts=0, size=0), RequestRefused)
    uploading.requests.take(wire.DiscardFile("d", "f1"))
    assert uploading.answers[-1] == RequestDone("d", {"file": "f1"})
    assert uploading.send("one more", parts=0, size=0) == done("one more", 0)


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
