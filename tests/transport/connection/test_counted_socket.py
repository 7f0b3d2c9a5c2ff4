"""A WebSocket that counts frames."""

from collections import deque

import pytest
import trio
from trio.testing import lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked
from websockets.frames import Frame, Opcode
from wsproto.connection import Connection

from greenroom.transport.connection.socket.client_stream import IGNORED_BYTES, ClientStream
from greenroom.transport.connection.socket.counted_socket import CountedSocket
from tests.transport.connection.socket_pairs import socket_pair

MAX_BYTES = 1_000
pytestmark = pytest.mark.fault("S13")


class Budget:
    """So many frames, and how often it was asked for one more."""

    def __init__(self, frames):
        self.left = frames
        self.asked = 0

    def allow(self):
        self.asked += 1
        self.left -= 1
        return self.left >= 0


class Heard:
    """What was heard, and whether that was all."""

    def __init__(self):
        self._messages, self._receive = trio.open_memory_channel(100)
        self.flooded = None

    async def hear(self, message):
        await self._messages.send(message)

    def ended(self, *, flooded):
        if self.flooded is None:
            self.flooded = flooded
            self._messages.close()

    async def next(self):
        return await self._receive.receive()


async def opened(nursery, budget):
    client, server = memory_stream_pair()
    return client, await opened_on(nursery, budget, client, server)


async def opened_on(nursery, budget, client, server):
    stream = ClientStream(server, max_bytes=MAX_BYTES)
    socket = CountedSocket(stream, b"101", max_bytes=MAX_BYTES, allow=budget.allow)
    await socket.open(nursery)
    assert await client.receive_some() == b"101"
    socket.heard = Heard()
    nursery.start_soon(socket.read, socket.heard)
    return socket


def masked(opcode, payload=b"", *, fin=True):
    return Frame(opcode, payload, fin=fin).serialize(mask=True)


async def test_the_work_for_a_flood_ends_with_the_budget(autojump_clock):
    """Nothing behind the frame that is too many is even parsed."""
    budget = Budget(10)
    async with trio.open_nursery() as nursery:
        client, socket = await opened(nursery, budget)
        await client.send_all(masked(Opcode.PING) * 5_000)
        await wait_all_tasks_blocked()
        assert (budget.asked, socket.heard.flooded) == (11, True)
        assert await client.receive_some() == bytes([0x8A, 0]) * 10  # a pong for each it may send
        nursery.cancel_scope.cancel()


async def test_messages_before_the_flood_are_got_and_then_the_end(autojump_clock):
    async with trio.open_nursery() as nursery:
        client, socket = await opened(nursery, Budget(3))
        texts = [masked(Opcode.TEXT, b"%d" % number) for number in range(9)]
        nursery.start_soon(client.send_all, b"".join(texts))
        assert [await socket.heard.next() for _ in range(3)] == ["0", "1", "2"]
        with pytest.raises(trio.EndOfChannel):
            await socket.heard.next()
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("kept", [b"", b"x"], ids=["empty", "of a byte"])
async def test_a_message_in_very_many_fragments_takes_bounded_memory(kept, autojump_clock):
    async with trio.open_nursery() as nursery:
        client, socket = await opened(nursery, Budget(10**6))
        await client.send_all(masked(Opcode.TEXT, kept, fin=False))
        await client.send_all(masked(Opcode.CONT, b"", fin=False) * 20_000)
        await wait_all_tasks_blocked()
        assert len(socket._message_parts) <= 1
        await client.send_all(masked(Opcode.CONT, b"end"))
        assert await socket.heard.next() == f"{kept.decode()}end"
        nursery.cancel_scope.cancel()


async def test_of_a_flood_no_more_is_read_than_lets_its_peer_read_why(autojump_clock):
    async with trio.open_nursery() as nursery:
        client, server = memory_stream_pair()
        stream = ClientStream(server, b"early")
        await stream.send_all(b"101")
        stream.ignore_rest()
        nursery.start_soon(stream.receive_some)
        await client.send_all(b"x" * (IGNORED_BYTES + 1000))
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert await server.receive_some() == b"x" * 1000


async def test_what_comes_behind_a_flood_is_taken_from_its_peer_and_not_looked_at(autojump_clock):
    """What is left unread would reset the connection, and its peer would not read the close."""
    budget = Budget(10)
    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        await opened_on(nursery, budget, client, server)
        await client.send_all(masked(Opcode.PING) * 5_000)
        for _ in range(3):
            await client.send_all(masked(Opcode.PING) * 5_000)
            await wait_all_tasks_blocked()
        assert budget.asked == 11
        nursery.cancel_scope.cancel()
    with trio.move_on_after(1) as nothing_left:
        await server.receive_some()
    assert nothing_left.cancelled_caught


async def test_the_end_of_a_flood_is_seen():
    client, server = memory_stream_pair()
    stream = ClientStream(server)
    await stream.send_all(b"101")
    stream.ignore_rest()
    await client.send_all(b"x" * 1000)
    await client.aclose()
    assert await stream.receive_some() == b""


async def read_to_the_end(client):
    got = b""
    while data := await client.receive_some():
        got += data
    return got


CLOSE_4502 = Frame(Opcode.CLOSE, (4502).to_bytes(2)).serialize(mask=False)
BROKEN = {
    "a continuation of nothing": masked(Opcode.CONT, b"of nothing"),
    "no UTF-8": masked(Opcode.TEXT, b"\xff"),
    "reserved bits": b"\xa1\x80\x00\x00\x00\x00",
    "no mask": b"\x81\x02{}",
}


@pytest.mark.parametrize("late", BROKEN.values(), ids=BROKEN)
async def test_nothing_follows_our_close_frame_whatever_breaks_the_protocol_behind_it(late):
    client, server = socket_pair()
    async with client, trio.open_nursery() as nursery:
        socket = await opened_on(nursery, Budget(9), client, server)
        nursery.start_soon(socket.aclose, 4502)
        assert await client.receive_some() == CLOSE_4502
        await client.send_all(late)
        assert await read_to_the_end(client) == b""


@pytest.mark.parametrize("code", [1002, 1007])
async def test_nor_does_anything_if_a_client_closes_and_says_that_we_broke_the_protocol(code):
    async with trio.open_nursery() as nursery:
        client, _ = await opened(nursery, Budget(9))
        await client.send_all(masked(Opcode.CLOSE, code.to_bytes(2)))
        answer = Frame(Opcode.CLOSE, code.to_bytes(2)).serialize(mask=False)
        assert await read_to_the_end(client) == answer


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_what_breaks_the_protocol_on_an_open_socket_is_closed_with_its_code(broken):
    async with trio.open_nursery() as nursery:
        client, _ = await opened(nursery, Budget(9))
        await client.send_all(broken)
        answer = await read_to_the_end(client)
    code = 1007 if broken is BROKEN["no UTF-8"] else 1002
    assert (answer[0], answer[2:4]) == (0x88, code.to_bytes(2))


async def test_an_open_socket_has_no_parser_of_a_handshake():
    """It would take 2.6 KB for as long as the socket is open; the front door has read the head."""
    async with trio.open_nursery() as nursery:
        _, socket = await opened(nursery, Budget(1))
        assert type(socket._wsproto) is Connection
        assert not isinstance(socket._wsproto._events, deque)
        assert not isinstance(socket._recv_channel._state.data, deque)
        nursery.cancel_scope.cancel()


async def test_whole_texts_need_nothing_of_what_the_rest_of_the_protocol_does():
    async with trio.open_nursery() as nursery:
        client, socket = await opened(nursery, Budget(9))
        await client.send_all(masked(Opcode.TEXT, b"1"))
        assert await socket.heard.next() == "1"
        assert socket.send_text(b"2")
        assert await client.receive_some() == Frame(Opcode.TEXT, b"2").serialize(mask=False)
        assert "_wsproto" not in vars(socket)
        await client.send_all(masked(Opcode.PING, b"?"))
        assert await client.receive_some() == Frame(Opcode.PONG, b"?").serialize(mask=False)
        assert "_wsproto" in vars(socket)
        nursery.cancel_scope.cancel()


async def test_messages_whole_and_in_fragments_and_controls_are_heard_in_their_order():
    async with trio.open_nursery() as nursery:
        client, socket = await opened(nursery, Budget(99))
        await client.send_all(
            masked(Opcode.TEXT, b"1")
            + masked(Opcode.TEXT, b"2", fin=False)
            + masked(Opcode.PING, b"a")
            + masked(Opcode.CONT, b"2")
            + masked(Opcode.BINARY, b"3")
            + masked(Opcode.TEXT, b"4")
        )
        assert [await socket.heard.next() for _ in range(4)] == ["1", "22", b"3", "4"]
        assert await client.receive_some() == Frame(Opcode.PONG, b"a").serialize(mask=False)
        nursery.cancel_scope.cancel()


class Deaf(Heard):
    """Listens to nothing until the socket is patient no more."""

    async def hear(self, message):
        await self.socket.be_patient(trio.sleep_forever)


async def test_a_close_does_not_wait_for_who_listens_to_what_was_said_before():
    client, server = socket_pair()
    async with client, trio.open_nursery() as nursery:
        stream = ClientStream(server, max_bytes=MAX_BYTES)
        socket = CountedSocket(stream, b"101", max_bytes=MAX_BYTES, allow=Budget(9).allow)
        await socket.open(nursery)
        deaf = Deaf()
        deaf.socket = socket
        nursery.start_soon(socket.read, deaf)
        await client.send_all(masked(Opcode.TEXT, b"1"))
        await wait_all_tasks_blocked()
        nursery.start_soon(socket.aclose, 4502)
        assert await client.receive_some() == b"101"
        assert await client.receive_some() == CLOSE_4502
        await client.send_all(masked(Opcode.CLOSE, (4502).to_bytes(2)))
        assert await read_to_the_end(client) == b""


class Polite(Heard):
    """Waits for room before it hears anything, as a connection does."""

    async def hear(self, message):
        await self.socket.wait_for_room()


@pytest.mark.parametrize("pieces", [1, 2, 3])
async def test_a_close_amid_a_wait_for_room_cuts_off_nothing_on_a_stream_that_is_no_socket(
    pieces, autojump_clock
):
    """The wait is called off, whoever writes just then: what waits must still leave."""
    client, server = lockstep_stream_pair()
    text, got = b"x" * 200_000, b""
    async with client, trio.open_nursery() as nursery:
        socket = await opened_in_lockstep(nursery, client, server)
        assert socket.send_text(text)
        await client.send_all(masked(Opcode.TEXT, b"1"))
        await wait_all_tasks_blocked()
        for _ in range(pieces):
            got += await client.receive_some()
            await wait_all_tasks_blocked()
        nursery.start_soon(socket.aclose, 4502)
        await wait_all_tasks_blocked()
        expected = Frame(Opcode.TEXT, text).serialize(mask=False) + CLOSE_4502
        with trio.move_on_after(5):
            while len(got) < len(expected) and (data := await client.receive_some()):
                got += data
        assert (len(got), got[-8:]) == (len(expected), expected[-8:])
        nursery.cancel_scope.cancel()


async def opened_in_lockstep(nursery, client, server):
    stream = ClientStream(server, max_bytes=MAX_BYTES)
    socket = CountedSocket(stream, b"101", max_bytes=MAX_BYTES, allow=Budget(9).allow)
    polite = Polite()
    polite.socket = socket
    async with trio.open_nursery() as both:
        both.start_soon(client.receive_some)
        await socket.open(nursery)
    nursery.start_soon(socket.read, polite)
    return socket


async def test_a_pong_waits_behind_the_frame_that_is_being_written_and_never_cuts_into_it():
    text = b'"' + b"x" * 1_000_000 + b'"'
    client, server = socket_pair(buffer=4096)
    async with client, trio.open_nursery() as nursery:
        socket = await opened_on(nursery, Budget(9), client, server)
        assert socket.send_text(text)
        assert 0 < socket.writer.taken < len(text)
        await client.send_all(masked(Opcode.PING, b"?"))
        await wait_all_tasks_blocked()
        assert socket.send_text(b"{}")
        expected = [Frame(Opcode.TEXT, text), Frame(Opcode.PONG, b"?"), Frame(Opcode.TEXT, b"{}")]
        data = b"".join(frame.serialize(mask=False) for frame in expected)
        got = b""
        while len(got) < len(data):
            got += await client.receive_some()
        assert got == data
        nursery.cancel_scope.cancel()
    await server.aclose()


async def test_no_text_follows_the_close_frame_of_either_side():
    client, server = socket_pair()
    async with client, trio.open_nursery() as nursery:
        socket = await opened_on(nursery, Budget(9), client, server)
        await client.send_all(masked(Opcode.CLOSE, (1000).to_bytes(2)))
        while socket.closed is None:  # what comes between is the point
            assert socket.send_text(b"{}")
            await trio.lowlevel.checkpoint()
        assert not socket.send_text(b"[]")
        answer = Frame(Opcode.CLOSE, (1000).to_bytes(2)).serialize(mask=False)
        assert (await read_to_the_end(client)).replace(b"\x81\x02{}", b"") == answer


async def test_one_whose_reading_was_stopped_closes_with_a_handshake_all_the_same(autojump_clock):
    async with trio.open_nursery() as nursery:
        client, server = memory_stream_pair()
        socket = CountedSocket(
            ClientStream(server, max_bytes=MAX_BYTES),
            b"101",
            max_bytes=MAX_BYTES,
            allow=Budget(9).allow,
        )
        await socket.open(nursery)
        with trio.CancelScope() as scope:
            nursery.start_soon(_stop_reading, socket, scope)
            await socket.read(Heard())
        nursery.start_soon(socket.aclose, 1000)
        await wait_all_tasks_blocked()
        said = Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=False)
        assert await client.receive_some() == b"101" + said
        began = trio.current_time()
        fragments = masked(Opcode.TEXT, b"half", fin=False) + masked(Opcode.CONT, b"whole")
        await client.send_all(fragments + masked(Opcode.CLOSE, b"\x03\xe8"))
        assert await client.receive_some() == b""
        assert trio.current_time() == began


async def _stop_reading(socket, scope):
    await wait_all_tasks_blocked()
    socket.stop_reading(scope)


@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.PING, Opcode.PONG])
async def test_a_flood_is_taken_from_its_peer_after_reading_was_stopped_too(opcode, autojump_clock):
    """Else the close resets the connection, and the peer may not read why it was closed."""
    client, server = memory_stream_pair()
    socket = CountedSocket(
        ClientStream(server, max_bytes=MAX_BYTES),
        b"101",
        max_bytes=MAX_BYTES,
        allow=Budget(3).allow,
    )
    async with trio.open_nursery() as nursery:
        await socket.open(nursery)
        await client.send_all(masked(opcode, b"x") * 9)
        with trio.CancelScope() as scope:
            nursery.start_soon(_stop_reading, socket, scope)
            await socket.read(heard := Heard())
        assert heard.flooded
        await client.send_all(masked(opcode, b"x") * 99)
        await client.send_eof()
        with trio.move_on_after(2) as late:
            await socket.aclose(4408)
        assert not late.cancelled_caught


async def test_a_frame_that_is_being_sent_leaves_whole_before_reading_stops(autojump_clock):
    """On a stream that is no socket, what is cancelled in its middle breaks the stream."""
    client, server = lockstep_stream_pair()
    socket = CountedSocket(
        ClientStream(server, max_bytes=MAX_BYTES),
        b"101",
        max_bytes=MAX_BYTES,
        allow=Budget(9).allow,
    )
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            nursery.start_soon(client.send_all, masked(Opcode.PING, b"?"))
            nursery.start_soon(_stop_reading, socket, scope)
            nursery.start_soon(_receive_later, client, got := [])
            await socket.read(Heard())
        assert scope.cancelled_caught
    assert got == [bytes([0x8A, 1]) + b"?"]
    assert not socket.writer.is_broken


async def _receive_later(client, got):
    await trio.sleep(1)
    got.append(bytes(await client.receive_some()))
