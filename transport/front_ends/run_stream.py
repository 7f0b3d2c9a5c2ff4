"""What a front end is answered while it reads a run (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias, cast

import orjson

from greenroom.delivery.events.ids import RunId, ThreadId
from greenroom.delivery.events.kinds import JSON, Event, Kind
from greenroom.delivery.files.taken import FileRefused
from greenroom.transport.events.sse import COMMENT
from greenroom.transport.front_ends.commands import (
    Begin,
    Command,
    End,
    Frame,
    Hear,
    LookUp,
    Pass,
    WholeAnswer,
    Write,
    refusal,
)
from greenroom.transport.front_ends.family import Family
from greenroom.transport.front_ends.finding import NOT_THERE, REFUSAL, FoundRun
from greenroom.transport.front_ends.speaking import Speaking
from greenroom.transport.front_ends.wanted import Message, RunFace, Saying, Wanted
from greenroom.transport.http.responses import json_answer, text
from greenroom.transport.protocol.close_codes import CloseCode

HELD_BYTES: Final = 256 * 1024
"""What waits, at most, until the requests of the stream are answered."""

STOP_SECONDS: Final = 5.0
"""How long the answer to a stop waits for the end of the run, so that who reads on finds it."""

HELLO: Final[Frame] = {"type": "hello", "features": ["threads"]}
LOOKING: Final = "looking"

Take: TypeAlias = Callable[[Frame], Iterable[Command]]


class RunStream:
    """A run, from where it was found to its end or its next question. Without `found`, it is only
    now begun."""

    def __init__(self, wanted: Wanted, found: FoundRun | None) -> None:
        self._wanted = wanted
        self._found = found
        self._family: Family | None = None
        self._face: RunFace | None = None
        self._thread: ThreadId | None = None
        self._epoch = self._say = ""
        self._attached = self._end = 0  # where the stream begins, and where the log ended then
        self._place = 0  # the last event that was taken
        self._pending: set[str] = set()
        self._speaking: Speaking | None = None
        self._opening = b""
        self._held = bytearray()
        self._has_begun = False
        self._has_ended = False  # the run that is to be stopped
        self.patience = STOP_SECONDS if wanted.stops else float("inf")
        if found is not None:
            self._know(found.run, found.thread)
        self._takes: Mapping[str, Take] = {
            "ready": self._ready,
            "reply": self._reply,
            "events": self._events,
            "ping": self._ping,
            "erased": self._erased,
            "error": self._error,
            "closing": self._closing,
        }

    def know(self, event: Event) -> None:
        """An event that the client has."""
        if self._family is not None and self._face is not None and self._family.has(event):
            self._face.of(event)

    @property
    def is_over(self) -> bool:
        """Whether the client has the whole of it."""
        return self._face is not None and self._face.is_over

    @property
    def hello(self) -> Frame:
        found = self._found
        if found is None or self._wanted.stops:
            return HELLO
        return {**HELLO, "epoch": found.epoch, "offset": found.after}

    def take(self, kind: str, frame: Frame) -> Iterable[Command]:
        take = self._takes.get(kind)
        return () if take is None else take(frame)

    def looked_up(self, offset: int | None) -> Iterable[Command]:
        """Another request that said the same at the same time may have begun the run before this
        stream was attached: then its beginning was missed."""
        self._pending.discard(LOOKING)
        if not self._has_begun and (offset is None or offset <= self._attached):
            return [refusal(CloseCode.POSITION_LOST, "The run began meanwhile: ask again")]
        return self._begin()

    def timed_out(self) -> Iterable[Command]:
        """The run is to stop, and takes its time."""
        return self._stopped()

    # What the server says

    def _ready(self, ready: Frame) -> Iterator[Command]:
        self._epoch = str(ready["epoch"])
        self._attached = self._place = cast(int, ready["from"])
        self._end = cast(int, ready["offset"])
        self._open()
        if self._wanted.said is not None:
            yield from self._speak(self._wanted.said, ready)
        for request in self._requests():
            self._pending.add(str(request["id"]))
            yield Hear(request)
        yield from self._begin()

    def _speak(self, said: Saying, ready: Frame) -> Iterable[Command]:
        try:
            self._speaking = Speaking(said, ready)
        except FileRefused as error:
            return [refusal(CloseCode.PROTOCOL_ERROR, error.message.removeprefix("say: "))]
        self._say = self._speaking.say
        self._pending.add(self._say)
        return [Hear(self._speaking.first())]

    def _requests(self) -> Iterator[Frame]:
        if (found := self._found) is not None:
            yield from found.requests
            if self._wanted.stops:
                yield {"type": "cancel", "id": "stop", "run": found.run}

    def _reply(self, reply: Frame) -> Iterable[Command]:
        self._pending.discard(str(reply["id"]))
        if not reply["ok"]:
            return self._refused(str(reply["id"]), cast(Frame, reply["error"]))
        if self._speaking is not None and not self._speaking.has_spoken:
            return [Hear(self._speaking.after(reply))]
        if self._wanted.stops:
            return self._stopped() if self._has_ended else ()
        if reply["id"] == self._say and self._family is None:
            self._know(RunId(str(reply["run"])), ThreadId(str(reply["thread"])))
            self._open()
            self._pending.add(LOOKING)
            return [LookUp(self._say)]
        return self._begin()

    def _refused(self, request: str, error: Frame) -> Iterable[Command]:
        """The first answer to a question counts, whatever page it comes from; a run that is over
        need not be stopped."""
        code, message = cast(int, error["code"]), str(error["message"])
        if code == CloseCode.ALREADY_ANSWERED or request.startswith(REFUSAL):
            return self._begin()
        if self._wanted.stops:
            return [WholeAnswer(text(404, NOT_THERE))]
        return self._broken(code, message)

    def _events(self, frame: Frame) -> Iterator[Command]:
        for fields in cast("Sequence[Mapping[str, JSON]]", frame["events"]):
            event = Event.from_json(fields)
            self._place = event.offset
            if not self._is_ours(event):
                yield Pass(event.offset)
                yield from self._ends_stop(event)
            elif self._face is not None and not self._face.is_over:
                self._held += self._shown(self._face.of(event), event.offset)
        if self._has_begun or len(self._held) > HELD_BYTES:
            self._pending.clear()
            yield from self._begin()

    def _ends_stop(self, event: Event) -> Iterable[Command]:
        found = self._found
        if not self._wanted.stops or found is None or not _is_end(event, found.run):
            return ()
        self._has_ended = True
        return () if self._pending else self._stopped()

    def _stopped(self) -> Iterable[Command]:
        run = None if self._found is None else self._found.run
        return [WholeAnswer(json_answer(orjson.dumps({"run": run})))]

    def _is_ours(self, event: Event) -> bool:
        if self._wanted.stops:
            return False
        if self._family is None:
            if event.kind is not Kind.USER_SAID or event.data.get("say") != self._say:
                return False
            self._know(event.run, event.thread)
            self._open()
        return self._family is not None and self._family.has(event)

    def _ping(self, _: Frame) -> Iterable[Command]:
        return [Write(COMMENT)] if self._has_begun else ()

    def _erased(self, erased: Frame) -> Iterable[Command]:
        if erased["thread"] != self._thread:
            return ()
        return self._broken(CloseCode.PROTOCOL_ERROR, "The thread was erased.")

    def _error(self, error: Frame) -> Iterable[Command]:
        if self._has_begun:
            return ()
        return [refusal(cast(int, error["code"]), str(error["message"]))]

    def _closing(self, closing: Frame) -> Iterable[Command]:
        code = CloseCode(cast(int, closing["code"]))
        return self._broken(code, str(closing["reason"] or code.meaning.reason))

    # What the client is answered

    def _know(self, run: RunId, thread: ThreadId) -> None:
        self._family, self._thread = Family(run), thread
        self._face = self._wanted.face_of(run, thread)

    def _open(self) -> None:
        """What the answer begins with: what is open, before more events of the run come."""
        if self._face is not None:
            self._opening = self._shown([*self._face.begin(), *self._face.reopened()])

    def _begin(self) -> Iterator[Command]:
        """Begin, or go on, unless an answer to a request is to be awaited."""
        face = self._face
        if self._pending or face is None:
            return
        if not self._has_begun:
            self._has_begun = True
            yield Begin(face.headers)
            yield Write(self._opening)
        if self._place >= self._end:
            answered = () if self._found is None else self._found.answered
            self._held += self._shown(face.interrupted(answered))
        if self._held:
            yield Write(bytes(self._held))
            self._held.clear()
        if face.is_over:
            yield from self._ended(face)

    def _broken(self, code: int, message: str) -> Iterable[Command]:
        face = self._face
        if face is None or not self._has_begun:
            return [refusal(code, message)]
        return [Write(self._shown(face.broken(code, message))), *self._ended(face)]

    def _ended(self, face: RunFace) -> Iterable[Command]:
        return [Write(face.last_words), End()] if face.last_words else [End()]

    def _shown(self, messages: Sequence[Message], offset: int = 0) -> bytes:
        """As an event stream. The last message for an event has its place: whoever has that one
        has all of the event."""
        if not messages or self._face is None:
            return b""
        *others, last = [dict(each) for each in messages]
        head = b""
        if offset:
            head = f"id: {self._epoch}:{offset}\n".encode()
            last = self._face.placed(last, self._epoch, offset)
        lines = [b"data: %b\n\n" % orjson.dumps(each) for each in others]
        return b"".join([*lines, head, b"data: %b\n\n" % orjson.dumps(last)])


def _is_end(event: Event, run: RunId) -> bool:
    return event.run == run and event.kind in (Kind.AGENT_COMPLETED, Kind.AGENT_FAILED)
