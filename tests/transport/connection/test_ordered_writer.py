"""The writer of a connection's bytes: in order, and what it says of how far they have come."""

import os

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import memory_stream_pair, wait_all_tasks_blocked
from websockets.frames import Frame, Opcode

from greenroom.transport.connection.socket.ordered_writer import writer_of
from greenroom.transport.connection.socket.text_frames import text_frame
from tests.transport.connection.socket_pairs import socket_pair

MUCH = b"x" * 1_000_000

WAYS = ["write", "flush", "write and flush", "cancel a flush"]
STEPS = st.lists(st.tuples(st.sampled_from(WAYS), st.integers(0, 40_000)), max_size=20)


@st.composite
def tasks_of_steps(draw):
    """What each of a few tasks writes: pieces that can be told apart, and how it waits for them."""
    tasks = draw(st.lists(STEPS, min_size=1, max_size=4))
    return [
        [(way, bytes([number]) * size) for way, size in steps] for number, steps in enumerate(tasks)
    ]


async def write_all(writer, steps, written):
    for way, piece in steps:
        if "write" in way:
            written.append(piece)
            writer.write(piece)
        if "flush" in way:
            with trio.CancelScope() as scope:
                if "cancel" in way:
                    scope.cancel()
                await writer.flush()
        await trio.lowlevel.checkpoint()


async def read(peer, chunk, got):
    while data := await peer.receive_some(chunk):
        got += data


async def arrives_in_order(ends, tasks, chunk):
    ours, peer = ends
    writer, written, got = writer_of(ours), [], bytearray()
    async with peer, trio.open_nursery() as readers:
        readers.start_soon(read, peer, chunk, got)
        async with trio.open_nursery() as nursery:
            writer.nursery = nursery
            for steps in tasks:
                nursery.start_soon(write_all, writer, steps, written)
        assert (writer.waiting, writer.taken) == (0, writer.given)
        await ours.aclose()
    assert bytes(got) == b"".join(written)


@given(tasks_of_steps(), st.sampled_from([100, 4_096, 65_536]), st.random_module())
@settings(max_examples=40, deadline=None)
def test_whatever_several_tasks_write_arrives_once_and_in_the_order_of_their_writes(
    tasks, chunk, seed
):
    """On a socket that takes little at once; a flush that is cancelled loses nothing."""

    async def main():
        await arrives_in_order(socket_pair(buffer=4096), tasks, chunk)

    trio.run(main)


@given(tasks_of_steps(), st.sampled_from([100, 4_096, 65_536]), st.random_module())
@settings(max_examples=40, deadline=None)
def test_so_it_does_on_a_stream_that_is_no_socket(tasks, chunk, seed):
    tasks = [[(way.replace("cancel a flush", "flush"), piece) for way, piece in t] for t in tasks]

    async def main():
        await arrives_in_order(memory_stream_pair(), tasks, chunk)

    trio.run(main)


async def test_taken_is_what_the_system_has_and_not_what_is_kept():
    ours, peer = socket_pair(buffer=4096)
    async with ours, peer:
        writer = writer_of(ours)
        writer.write(b"small")
        assert (writer.given, writer.taken, writer.waiting) == (5, 5, 0)
        assert writer.stalled_since is None
        writer.write(MUCH)
        assert 5 < writer.taken < writer.given
        assert writer.waiting == writer.given - writer.taken
        assert writer.stalled_since is not None


async def test_a_task_flushes_for_as_long_as_something_is_kept():
    ours, peer = socket_pair(buffer=4096)
    async with peer, ours, trio.open_nursery() as nursery:
        writer = writer_of(ours)
        writer.nursery = nursery
        writer.write(b"small")
        assert len(nursery.child_tasks) == 0
        for _ in range(5):
            writer.write(MUCH)
        assert len(nursery.child_tasks) == 1
        left = writer.given
        while left:
            left -= len(await peer.receive_some())
        await wait_all_tasks_blocked()
        assert (len(nursery.child_tasks), writer.waiting) == (0, 0)


async def test_after_a_close_nothing_is_written_to_who_has_the_descriptor_now():
    """The number of a closed descriptor is given to the next socket, maybe another user's."""
    ours, peer = socket_pair()
    writer = writer_of(ours)
    writer.write(b"mine")
    number = ours.socket.fileno()
    await ours.aclose()
    other, other_peer = socket_pair()
    async with peer, other, other_peer:
        assert number in (other.socket.fileno(), other_peer.socket.fileno())
        writer.write(b"mine too")
        assert writer.is_broken
        for each in (other, other_peer):
            with pytest.raises(BlockingIOError):
                os.read(each.socket.fileno(), 1)


async def test_a_close_while_it_waits_ends_the_flush_and_writes_nothing_more():
    ours, peer = socket_pair(buffer=4096)
    async with peer, trio.open_nursery() as nursery:
        writer = writer_of(ours)
        writer.nursery = nursery
        writer.write(MUCH)
        await wait_all_tasks_blocked()
        await ours.aclose()
    assert writer.is_broken


async def test_a_peer_that_is_gone_breaks_it_and_that_is_told():
    told = []
    ours, peer = socket_pair(buffer=4096)
    async with ours, trio.open_nursery() as nursery:
        writer = writer_of(ours)
        writer.nursery, writer.on_progress = nursery, lambda: told.append(writer.is_broken)
        writer.write(MUCH)
        await peer.aclose()
        await wait_all_tasks_blocked()
        assert told[-1:] == [True]
        writer.write(b"more")
        with pytest.raises(trio.BrokenResourceError):
            await writer.flush()
    assert writer.waiting == 0


async def test_a_stream_that_is_cut_off_amid_a_piece_is_written_nothing_more():
    """Nobody knows how much of the piece has left: what follows would be read as its rest."""
    ours, peer = memory_stream_pair()
    blocks = trio.Event()
    ours.send_stream.send_all_hook = blocks.wait
    writer = writer_of(ours)
    writer.write(b"half of it")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.flush)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    writer.write(b"more")
    with pytest.raises(trio.BrokenResourceError):
        await writer.flush()
    await ours.aclose()
    assert b"more" not in await peer.receive_some()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_a_text_frame_is_as_another_implementation_writes_it(size):
    text = b"x" * size
    assert text_frame(text) == Frame(Opcode.TEXT, text).serialize(mask=False)
