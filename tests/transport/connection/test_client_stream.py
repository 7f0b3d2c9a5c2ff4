"""The stream below a WebSocket, and how it splits what a client sends."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import memory_stream_pair, wait_all_tasks_blocked
from websockets.frames import Frame, Opcode
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from greenroom.transport.connection.socket.client_stream import ClientStream
from greenroom.transport.connection.socket.frame_splitter import FrameSplitter
from tests.transport.connection.socket_pairs import socket_pair


async def test_what_came_behind_the_request_is_heard_before_what_comes_now():
    client, server = memory_stream_pair()
    early, late = (Frame(Opcode.TEXT, text).serialize(mask=True) for text in (b"early", b"late"))
    stream = ClientStream(server, early, max_bytes=100)
    heard = []

    async def hear(text):
        heard.append(text)

    stream.on_text = hear
    await client.send_all(late)
    await client.aclose()
    assert await stream.receive_some() == b""
    assert heard == ["early", "late"]


class ClosesBeforeTheRead(trio.abc.Instrument):
    """Once there is something to read, closes the socket before its reader's next step, and lets
    another socket have the number of its descriptor."""

    def __init__(self, socket):
        self.socket = socket
        self.other = None

    def before_task_step(self, task):
        if task.name == "the reader" and self.other is None:
            number = self.socket.fileno()
            self.socket.close()
            self.other = socket_pair()
            assert number in [each.socket.fileno() for each in self.other]


async def test_after_a_close_nothing_is_read_of_what_another_descriptor_of_that_number_got():
    ours, peer = socket_pair()
    stream = ClientStream(ours)
    closes = ClosesBeforeTheRead(ours.socket)

    async def read():
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()

    async with peer, trio.open_nursery() as nursery:
        nursery.start_soon(read, name="the reader")
        await wait_all_tasks_blocked()
        trio.lowlevel.add_instrument(closes)
        await peer.send_all(b"mine")
    trio.lowlevel.remove_instrument(closes)
    for each in closes.other:
        await each.aclose()


async def test_closing_wakes_the_reader():
    _, server = memory_stream_pair()
    stream = ClientStream(server)
    async with trio.open_nursery() as nursery:

        async def read():
            with pytest.raises(trio.ClosedResourceError):
                await stream.receive_some()

        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        await stream.aclose()


MOST = 300
PAYLOADS = st.one_of(
    st.binary(max_size=200), st.text(max_size=100).map(str.encode), st.just(b"x" * 400)
)
FRAMES = st.builds(
    lambda opcode, payload, fin, masked: Frame(opcode, payload, fin).serialize(mask=masked),
    st.sampled_from([Opcode.TEXT] * 4 + [Opcode.CONT, Opcode.BINARY]),
    PAYLOADS,
    st.sampled_from([True] * 4 + [False]),
    st.sampled_from([True] * 9 + [False]),
)
CONTROLS = st.builds(
    lambda opcode, payload: Frame(opcode, payload).serialize(mask=True),
    st.sampled_from([Opcode.PING, Opcode.PONG, Opcode.CLOSE]),
    st.just((1000).to_bytes(2)),
)
ODD = st.sampled_from(
    [
        b"\x81\xfe\x00\x02\0\0\0\0{}",
        b"\x81\xff\0\0\0\0\0\0\0\x02\0\0\0\0{}",
        b"\x81\xff\xff\0\0\0\0\0\0\0",
        b"\xc1\x82\0\0\0\0{}",
        b"\x83\x80\0\0\0\0",
        b"\x09\x80\0\0\0\0",
    ]
)


def parsed(connection, data):
    """What wsproto makes of bytes: joined messages, controls, and how it ends."""
    connection.receive_data(data)
    for event in connection.events():
        match event:
            case TextMessage() | BytesMessage():
                yield type(event).__name__, event.data, event.message_finished
            case Ping() | Pong():
                yield type(event).__name__, bytes(event.payload), True
            case CloseConnection():
                yield "close", event.code, True
                return


def joined(events):
    """Pieces of messages put together, for how they were cut says nothing."""
    got, piece = [], None
    for kind, data, finished in events:
        if not kind.endswith("Message"):
            got.append((kind, data))
            continue
        piece = data if piece is None else piece + data
        if finished:
            got.append((kind, piece))
            piece = None
    return got


def is_over(events):
    return bool(events) and events[-1][0] == "close"


@given(st.lists(st.one_of(FRAMES, FRAMES, FRAMES, CONTROLS, ODD), max_size=8), st.data())
def test_splitting_changes_nothing_of_what_a_whole_parser_sees(frames, data):
    """In whatever pieces the bytes come: the same messages in the same order, the same end."""
    whole = b"".join(frames)
    expected = joined(parsed(Connection(ConnectionType.SERVER), whole))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    splitter, rest, events = FrameSplitter(MOST), Connection(ConnectionType.SERVER), []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        splitter.feed(whole[start:end])
        while not is_over(events) and (taken := splitter.take()) != b"":
            is_text = isinstance(taken, str)
            events += [("TextMessage", taken, True)] if is_text else parsed(rest, taken)
    assert joined(events) == expected


@given(st.lists(st.one_of(FRAMES, FRAMES, FRAMES, CONTROLS, ODD), max_size=8), st.integers(0, MOST))
def test_the_short_way_of_one_text_at_a_time_gives_what_the_long_one_gives(frames, max_bytes):
    short, long = FrameSplitter(max_bytes), FrameSplitter(max_bytes)
    for frame in frames:
        taken = [short.split(frame)]
        long.feed(frame)
        while taken[-1] != b"":
            taken.append(short.take())
        assert taken == [*iter(long.take, b""), b""]


async def test_last_words_leave_after_the_tasks_of_the_connection_have_ended():
    ours, peer = memory_stream_pair()
    stream = ClientStream(ours)
    async with trio.open_nursery() as nursery:
        stream.writer.nursery = nursery
    stream.last_words = lambda: b"bye"
    await stream.aclose()
    assert await peer.receive_some() == b"bye"
