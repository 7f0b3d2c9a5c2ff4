"""What counts as sent of what a front end's socket takes."""

from __future__ import annotations

import orjson
import trio
import trio.testing

from greenroom.transport.connection.socket.traffic import Traffic
from greenroom.transport.front_ends.commands import Begin, End, Pass, WholeAnswer, Write
from greenroom.transport.front_ends.front_socket import FrontSocket
from greenroom.transport.http.responses import Response


class Writer:
    is_broken = False
    waiting = 0


class Carrier:
    """Keeps what is written."""

    def __init__(self):
        self.writer = Writer()
        self.written = []

    def traffic(self):
        return Traffic(0, 0, 0)

    def begin(self, status, headers):
        self.written.append(status)

    def send(self, data):
        self.written.append(data)

    async def wait_gone(self):
        await trio.sleep_forever()

    async def wait_taken(self): ...


class Scripted:
    """A stream, and its opening, that answers each frame of events with the next commands."""

    patience = float("inf")

    def __init__(self, *commands):
        self.headers = {}
        self.hello = {"type": "hello"}
        self._commands = list(commands)

    async def stream(self):
        return self

    def take(self, kind, frame):
        return self._commands.pop(0)


class Listener:
    async def hear(self, message): ...

    def ended(self, *, flooded): ...


def events(*offsets):
    return orjson.dumps({"type": "events", "events": [{"offset": each} for each in offsets]})


async def sent(*commands):
    """How far each frame of one event, from 1 on, counts as sent, as far as it was written."""
    socket = FrontSocket(Carrier(), Scripted(*commands), lambda: True)
    reached = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(socket.read, Listener())
        await trio.testing.wait_all_tasks_blocked()
        for offset in range(1, len(commands) + 3):
            socket.send_text(events(offset))
            socket.gauge.written = offset
            reached.append(max(socket.gauge.sent, 0))
        nursery.cancel_scope.cancel()
    return reached


BEGUN = [Begin({}), Write(b"x")]


async def test_nothing_counts_before_the_answer_has_begun():
    assert await sent([], BEGUN, [End()]) == [0, 2, 3, 3, 3]


async def test_nothing_counts_from_the_first_event_on_that_was_passed_over():
    assert await sent(BEGUN, [Pass(2)], [Write(b"x")], [End()]) == [1, 1, 1, 1, 1, 1]
    assert await sent([Pass(1)], BEGUN, [End()]) == [0, 0, 0, 0, 0]


async def test_a_whole_answer_counts_if_it_has_the_events():
    assert await sent([WholeAnswer(Response(200), has_events=True)]) == [1, 1, 1]
    assert await sent([WholeAnswer(Response(404))]) == [0, 0, 0]
