"""When the text of a run's streams leaves, and in which order.

The text that a run has written waits in the buffers of its streams. It is sent as one piece for
each stream, in the order in which they began to wait, and no more is sent until the user actor has
answered for all of them. So what is kept of a stream is always a beginning of what was written.
"""

from __future__ import annotations

import math
from functools import partial

import outcome
import trio

from greenroom.actors.errors import GreenroomError, MailboxFull
from greenroom.actors.reply import ReplyOutcome
from greenroom.actors.timers import Alarm, alarm_clock
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.run.emitter import Emitter
from greenroom.delivery.run.text_buffer import PACE, PieceNumbers, TextBuffer, TextPace

GRID = 8
"""Steps of the grid in an interval: text waits for an eighth of it longer at most."""


class Pieces:
    """The pieces of one stream: what waits, what is being kept, what was kept last, what failed.

    `common`: the fields that each piece has besides `text` and `index`.
    """

    def __init__(self, kind: Kind, numbers: PieceNumbers, common: dict[str, JSON]) -> None:
        self.kind: Kind = kind
        self.numbers: PieceNumbers = numbers
        self.common: dict[str, JSON] = common
        self.buffer: TextBuffer = TextBuffer(kind)
        self.waits: bool = False
        self.sent: str | None = None
        self.kept: Record | None = None
        self.error: BaseException | None = None
        self.not_kept: str = ""

    def fail(self, error: BaseException) -> None:
        """The stream ends here: neither what was sent nor what waits is kept."""
        self.error = error
        self.not_kept = (self.sent or "") + self.buffer.text()
        self.sent = None
        self.buffer.clear()


class TextSender:
    """Sends the text of one run's streams: the first text at once, what comes after it together.

    `waiting`: the streams with text that was not sent, in the order in which they began to wait.
    `numbers`: those of the run's partial results.
    """

    def __init__(
        self, emitter: Emitter, pace: TextPace = PACE, numbers: PieceNumbers | None = None
    ) -> None:
        self.emitter = emitter
        self.pace = pace
        self.numbers: PieceNumbers = numbers or PieceNumbers()
        self.waiting: dict[Pieces, None] = {}
        self._in_flight = 0
        self._sent_at = -math.inf
        self._alarm: Alarm | None = None
        self._is_due = False
        self._has_room = True  # as far as is known: asked again when the alarm rings
        self._waiters = trio.lowlevel.ParkingLot()

    def wrote(self, pieces: Pieces) -> None:
        """A stream has text that waits, or more of it than may wait."""
        if not pieces.buffer.size:
            return
        self.waiting[pieces] = None
        self.emitter.unsent = self
        pieces.waits = True
        self._is_due = self._is_due or self._leaves_now(pieces)
        if self._is_due and self._may_send:
            self.send()
        elif self._alarm is None:
            self._wind()

    @property
    def _may_send(self) -> bool:
        return self._has_room and not self._in_flight

    def _leaves_now(self, pieces: Pieces) -> bool:
        if pieces.buffer.size >= self.pace.bytes:
            return True
        return trio.current_time() - self._sent_at >= self.pace.interval

    def send(self) -> None:
        """Send all that waits, unless the user actor has no room: then again after the interval.

        Nothing may be in flight.
        """
        self._silence()
        self._sent_at, self._is_due = trio.current_time(), False
        self._has_room = True
        while self.waiting:
            pieces = next(iter(self.waiting))
            if not self._send(pieces):
                self._has_room = False
                self._wind()
                return
            del self.waiting[pieces]
            pieces.waits = False
        self.emitter.unsent = None
        self._wake()

    async def send_all(self) -> None:
        """Wait until all that waits now was sent. It is no checkpoint if it need not wait."""
        while self.waiting:
            if self._may_send:
                self.send()
            if self.waiting:
                await self.changed()

    def send_last(self) -> None:
        """The run is ended from outside: send what can be sent now."""
        if self.waiting and not self._in_flight:
            self.send()

    async def changed(self) -> None:
        """Wait until something that was sent has been kept or has failed."""
        await self._waiters.park()

    def _send(self, pieces: Pieces) -> bool:
        """False if the user actor has no room."""
        number, text = pieces.numbers.take(), pieces.buffer.text()
        data: JSON = {"text": text, **pieces.common, "index": number}
        try:
            reply = self.emitter.emit_piece(pieces.kind, data)
        except MailboxFull:
            pieces.numbers.give_back(number)
            return False
        except GreenroomError as error:
            pieces.numbers.give_back(number)
            pieces.fail(error)
        else:
            pieces.sent = text
            pieces.buffer.clear()
            self._in_flight += 1
            reply.then(partial(self._landed, pieces, number))
        return True

    def _landed(self, pieces: Pieces, number: int, result: ReplyOutcome[Record]) -> None:
        """Called in the user actor's task."""
        self._in_flight -= 1
        if isinstance(result, outcome.Value):
            pieces.sent, pieces.kept = None, result.value
        else:
            self._failed(pieces, number, result.error)
        if self._in_flight:
            return
        if self.waiting and self._is_due and self._has_room:
            self.send()
        self._wake()

    def _failed(self, pieces: Pieces, number: int, error: BaseException) -> None:
        pieces.numbers.give_back(number)
        pieces.fail(error)
        pieces.waits = False
        self.waiting.pop(pieces, None)
        if not self.waiting:
            self.emitter.unsent = None
        if isinstance(error, GreenroomError):
            self.emitter.refused(error)

    def _ring(self) -> None:
        self._alarm, self._is_due, self._has_room = None, True, True
        if self.waiting and not self._in_flight:
            self.send()

    def _wind(self) -> None:
        """Set the alarm. The alarms of all runs stand on one grid, so that many pieces share a
        wake-up and a commit."""
        step = self.pace.interval / GRID
        due = math.ceil((trio.current_time() + self.pace.interval) / step) * step
        self._alarm = alarm_clock().set_at(due, self._ring)

    def _silence(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _wake(self) -> None:
        if self._waiters:
            self._waiters.unpark_all()
