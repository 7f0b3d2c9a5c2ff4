"""Signs of life told by bytes, without a socket; and what the system tells of a real one."""

import pytest
import trio
from websockets.frames import Frame, Opcode

from greenroom.transport.connection.socket.client_stream import ClientStream
from greenroom.transport.connection.socket.pulse import MOST_FRAMES, Pulse
from greenroom.transport.connection.socket.traffic import HIDDEN_BYTES, SLOWEST, Traffic
from greenroom.transport.protocol.wire import LARGE_BYTES

pytestmark = pytest.mark.fault("D7")
BIG, SMALL = 10 * LARGE_BYTES, 100
HEARTBEAT = 10.0


class Link:
    """A socket whose bytes move when a test says so, and the pulse that watches it."""

    def __init__(self):
        self.now = 0.0
        self.came = self.left = self.waiting = 0
        self.pulse = Pulse(self.traffic, lambda: self.now)

    def traffic(self):
        return Traffic(self.came, self.left, self.waiting)

    def write(self, through, size):
        self.waiting += size
        self.pulse.wrote(through, size)

    def drain(self, size=None):
        size = self.waiting if size is None else size
        self.waiting, self.left = self.waiting - size, self.left + size

    def beats(self, after=HEARTBEAT / 2):
        self.now += after
        return self.pulse.beats(HEARTBEAT)


@pytest.fixture
def link():
    return Link()


def test_bytes_that_come_are_a_sign_of_life_once(link):
    link.came = 1
    assert link.beats()
    assert not link.beats()


def test_a_backlog_that_shrinks_is_a_sign_of_life_and_one_that_stands_still_is_none(link):
    link.write(1, BIG)
    link.pulse.beats(HEARTBEAT)
    for _ in range(5):
        link.drain(SLOWEST)
        assert link.beats()
    assert link.beats(HEARTBEAT - 1)
    assert not link.beats(1)


def test_a_few_bytes_that_leave_are_none_for_they_go_to_a_buffer_that_nobody_may_read(link):
    for through in range(5):
        link.write(through, SMALL)
        link.drain()
        assert not link.beats()


def test_after_a_big_frame_left_its_receiver_is_given_time_for_it_and_no_more(link):
    link.write(1, BIG)
    link.drain()
    link.pulse.beats(HEARTBEAT)
    assert link.beats(HIDDEN_BYTES / SLOWEST - 1)
    assert not link.beats(1)


def test_what_was_acknowledged_excuses_nothing(link):
    link.write(1, BIG)
    link.drain()
    link.pulse.beats(HEARTBEAT)
    link.pulse.arrived(1)
    assert not link.beats(HEARTBEAT)


def test_what_waits_to_leave_is_on_its_way_and_so_for_a_moment_is_what_has_just_left(link):
    link.write(1, BIG)
    link.write(2, SMALL)
    assert link.pulse.on_its_way(0)
    assert link.pulse.on_its_way(1)
    link.drain()
    assert link.pulse.on_its_way(1)
    assert not link.pulse.on_its_way(1)


def test_a_small_frame_that_left_at_once_is_not_on_its_way(link):
    link.pulse.wrote(1, SMALL)
    assert not link.pulse.on_its_way(0)


def test_a_big_frame_that_left_at_once_is_on_its_way_through_a_slow_link(link):
    link.pulse.wrote(1, BIG)
    assert link.pulse.on_its_way(0)
    link.now = HIDDEN_BYTES / SLOWEST + 1
    assert not link.pulse.on_its_way(0)


def test_what_left_and_was_not_acknowledged_is_late_though_more_waits_behind_it(link):
    link.pulse.wrote(1, SMALL)
    link.write(2, BIG)
    assert not link.pulse.on_its_way(0)
    assert link.pulse.on_its_way(1)


def test_a_big_reply_gives_time_too_and_is_no_event(link):
    link.pulse.wrote(1, SMALL)
    link.waiting = BIG
    link.pulse.replied(BIG)
    link.pulse.arrived(1)
    link.drain()
    link.pulse.beats(HEARTBEAT)
    assert link.beats()
    assert not link.pulse.on_its_way(1)


def test_any_number_of_frames_may_wait(link):
    for through in range(1, 10 * MOST_FRAMES):
        link.write(through, SLOWEST)
    assert len(link.pulse._frames) == MOST_FRAMES
    link.drain(link.waiting - 1)
    assert link.pulse.on_its_way(10 * MOST_FRAMES - 2)
    link.drain()
    link.pulse.on_its_way(0)
    assert not link.pulse.on_its_way(10 * MOST_FRAMES - 2)


async def test_a_real_socket_tells_what_waits_in_it_until_its_peer_reads():
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    async with listener, await trio.open_tcp_stream("127.0.0.1", port) as peer:
        stream = ClientStream(await listener.accept())
        size = 20 * 1024 * 1024  # more than both buffers hold
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.send_all, bytes(size))
            await trio.testing.wait_all_tasks_blocked(0.05)
            before = stream.traffic()
            assert before.waiting + before.left == size
            assert before.waiting > 1024 * 1024
            got = 0
            while got < size:
                got += len(await peer.receive_some())
        with trio.fail_after(30):
            while stream.traffic().waiting:  # noqa: ASYNC110  # until the peer's system says so
                await trio.sleep(0.01)
        assert stream.traffic().left == size
        pong = Frame(Opcode.PONG, b"").serialize(mask=True)
        await peer.send_all(pong)
        assert await stream.receive_some() == pong
        assert stream.traffic().came == len(pong)
        await stream.aclose()
        assert stream.traffic().came == len(pong)
