"""A user's events as a stream of the Durable Streams protocol, to be read only (pure).

https://github.com/durable-streams/durable-streams/blob/main/PROTOCOL.md, whose sections are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias, cast

import attrs
import orjson

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.transport.events.sse import COMMENT
from greenroom.transport.front_ends.commands import (
    Begin,
    Command,
    End,
    Frame,
    WholeAnswer,
    Write,
    refusal,
)
from greenroom.transport.front_ends.wanted import BEGINNING, ResumePoint, query_of
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response, text
from greenroom.transport.protocol.close_codes import CloseCode

NOW: Final = "now"
LIVE: Final = (None, "long-poll", "sse")
LONG_POLL_SECONDS: Final = 20.0
SSE_SECONDS: Final = 60.0
"""§8.2: after about that long a client connects again."""

DIGITS: Final = 16
LARGEST: Final = 1 << 53
"""Of the offsets that greenroom.v1 has."""

EXPOSED: Final = "ETag, Stream-Cursor, Stream-Next-Offset, Stream-Up-To-Date"
GONE: Final = "The stream has no such place any more: read it from its beginning, or from `now`."

Take: TypeAlias = Callable[[Frame], Iterable[Command]]


@attrs.frozen(kw_only=True)
class LogWanted:
    """Which part of the stream a request asks for. `place`: None for the end of the stream."""

    place: ResumePoint | None
    from_beginning: bool
    live: str | None
    cursor: int
    known: str | None
    """The `ETag` that the client has."""
    only_head: bool


def log_wanted(head: RequestHead, _: UserId, __: bytes) -> LogWanted:
    """Raises `BadRequest`."""
    query = query_of(head)
    offset, live = query.get("offset"), query.get("live")
    if live not in LIVE:
        raise BadRequest("`live` must be `long-poll` or `sse`.")
    if live is not None and offset is None:
        raise BadRequest("A live read must say its `offset`.")
    from_beginning = offset in (None, BEGINNING)
    at_end = offset == NOW or head.method == "HEAD"
    place = None if from_beginning or at_end else place_in(str(offset))
    cursor = query.get("cursor", "0")
    return LogWanted(
        place=place,
        from_beginning=from_beginning and not at_end,
        live=live,
        cursor=int(cursor[:DIGITS]) if cursor.isascii() and cursor.isdigit() else 0,
        known=head.one("if-none-match"),
        only_head=head.method == "HEAD",
    )


def place_in(token: str) -> ResumePoint:
    """§6: tokens sort as the places do. Raises `BadRequest`."""
    offset, _, epoch = token.partition("_")
    is_number = len(offset) == DIGITS and offset.isascii() and offset.isdigit()
    if not (epoch and is_number and int(offset) <= LARGEST):
        raise BadRequest("`offset` must be one that this stream has named, `-1` or `now`.")
    return ResumePoint(epoch, int(offset))


class LogStream:
    """All events of a user, from a place on."""

    def __init__(self, wanted: LogWanted, epoch: str) -> None:
        self._wanted = wanted
        self._epoch = epoch
        self._place = self._end = 0
        self._has_begun = False
        self._takes: Mapping[str, Take] = {
            "ready": self._ready,
            "events": self._events,
            "ping": self._ping,
            "error": self._closing,
            "closing": self._closing,
        }

    @property
    def hello(self) -> Frame:
        wanted, hello = self._wanted, {"type": "hello"}
        if wanted.from_beginning:
            return {**hello, "epoch": self._epoch, "offset": 0}
        if wanted.place is None:
            return hello
        return {**hello, "epoch": wanted.place.epoch, "offset": wanted.place.offset}

    @property
    def patience(self) -> float:
        seconds = {"long-poll": LONG_POLL_SECONDS, "sse": SSE_SECONDS}
        return seconds.get(str(self._wanted.live), float("inf"))

    def take(self, kind: str, frame: Frame) -> Iterable[Command]:
        take = self._takes.get(kind)
        return () if take is None else take(frame)

    def looked_up(self, offset: int | None) -> Iterable[Command]:
        return ()

    def timed_out(self) -> Iterable[Command]:
        if self._has_begun:
            return [End()]
        return [WholeAnswer(Response(204, headers=self._headers()))]

    def _ready(self, ready: Frame) -> Iterable[Command]:
        self._end, self._place = cast(int, ready["offset"]), cast(int, ready["from"])
        wanted = self._wanted
        if wanted.place is not None and not ready["recovered"]:
            return [WholeAnswer(text(410, GONE))]
        if wanted.only_head:
            return [WholeAnswer(self._response(b""))]
        if wanted.live == "sse":
            self._has_begun = True
            control = [self._control()] if self._is_at_end else []
            return [Begin({}), *control]
        if self._is_at_end and wanted.live is None:
            return self._answered([], self._place)
        return ()

    def _events(self, frame: Frame) -> Iterable[Command]:
        before = self._place
        events = cast("Sequence[Mapping[str, JSON]]", frame["events"])
        self._place = cast(int, events[-1]["offset"])
        if not self._has_begun:
            return self._answered(events, before)
        data = b",\ndata: ".join(map(orjson.dumps, events))
        return [Write(b"event: data\ndata: [\ndata: %b\ndata: ]\n\n" % data), self._control()]

    def _ping(self, _: Frame) -> Iterable[Command]:
        return [Write(COMMENT)] if self._has_begun else ()

    def _closing(self, closing: Frame) -> Iterable[Command]:
        """The client comes back to an answer that has ended."""
        if self._has_begun:
            return [End()]
        code = CloseCode(cast(int, closing["code"]))
        return [refusal(code, str(closing.get("reason") or code.meaning.reason))]

    def _answered(self, events: Sequence[Mapping[str, JSON]], before: int) -> Iterable[Command]:
        tag = f'"{before}:{self._place}:{self._epoch}"'
        headers = {"ETag": tag, **self._headers()}
        if self._wanted.known == tag and self._wanted.live is None:
            return [WholeAnswer(Response(304, headers=headers))]
        return [WholeAnswer(self._response(orjson.dumps(events), headers), has_events=True)]

    def _response(self, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
        return Response(200, body, "application/json", headers or self._headers())

    def _headers(self) -> dict[str, str]:
        up_to_date = {"Stream-Up-To-Date": "true"} if self._is_at_end else {}
        place = {"Stream-Next-Offset": self._token, "Stream-Cursor": self._cursor}
        return {**place, **up_to_date, "Access-Control-Expose-Headers": EXPOSED}

    def _control(self) -> Write:
        control = {"streamNextOffset": self._token, "streamCursor": self._cursor}
        up_to_date = {"upToDate": True} if self._is_at_end else {}
        return Write(b"event: control\ndata: %b\n\n" % orjson.dumps(control | up_to_date))

    @property
    def _is_at_end(self) -> bool:
        return self._place >= self._end

    @property
    def _token(self) -> str:
        return f"{self._place:0{DIGITS}}_{self._epoch}"

    @property
    def _cursor(self) -> str:
        """§8.1: more than the client's. No cache may keep what one user may read, so there are no
        intervals of time to tell apart."""
        return str(self._wanted.cursor + 1)
