"""The mailbox: bounded, one reader, drained whole, fair to waiting senders."""

from __future__ import annotations

import gc
from collections import deque

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.actors.errors import MailboxFull
from greenroom.actors.exit import NORMAL
from greenroom.actors.mailbox import Mailbox, Overflow
from greenroom.actors.ref import ActorStopped

pytestmark = pytest.mark.requirement("R39")


def full_mailbox(**options: object) -> Mailbox[int]:
    mailbox: Mailbox[int] = Mailbox(2, **options)  # type: ignore[arg-type]  # passed on as given
    mailbox.put_nowait(1)
    mailbox.put_nowait(2)
    return mailbox


async def test_take_all_gives_everything_that_waits_oldest_first() -> None:
    mailbox = full_mailbox()

    assert await mailbox.take_all() == deque([1, 2])
    assert len(mailbox) == 0


async def test_a_parked_reader_is_woken_by_the_first_message_and_takes_the_rest_with_it(
    nursery: trio.Nursery,
) -> None:
    mailbox: Mailbox[int] = Mailbox()
    batches: list[list[int]] = []

    async def read() -> None:
        batches.append(list(await mailbox.take_all()))

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    for number in range(3):
        mailbox.put_nowait(number)
    await trio.testing.wait_all_tasks_blocked()

    assert batches == [[0, 1, 2]]


async def test_a_full_mailbox_rejects_and_keeps_what_it_has() -> None:
    mailbox = full_mailbox()

    with pytest.raises(MailboxFull, match=r"full \(2 messages\)") as full:
        mailbox.put_nowait(3)

    assert full.value.temporary
    assert mailbox.take_all_nowait() == deque([1, 2])


async def test_drop_oldest_gives_up_the_oldest_and_counts_it() -> None:
    dropped: list[int] = []
    mailbox = full_mailbox(overflow=Overflow.DROP_OLDEST, on_drop=dropped.append)

    mailbox.put_nowait(3)

    assert dropped == [1]
    assert mailbox.statistics().dropped == 1
    assert mailbox.take_all_nowait() == deque([2, 3])


async def test_put_waits_for_room_and_is_let_in_by_the_reader(nursery: trio.Nursery) -> None:
    mailbox = full_mailbox()
    nursery.start_soon(mailbox.put, 3)
    await trio.testing.wait_all_tasks_blocked()

    assert mailbox.statistics().senders_waiting == 1
    assert await mailbox.take_all() == deque([1, 2])
    assert await mailbox.take_all() == deque([3])


async def test_nobody_overtakes_a_sender_that_waits(nursery: trio.Nursery) -> None:
    mailbox = full_mailbox()
    for number in (3, 4):
        nursery.start_soon(mailbox.put, number)
        await trio.testing.wait_all_tasks_blocked()

    mailbox.take_all_nowait()

    with pytest.raises(MailboxFull):
        mailbox.put_nowait(5)
    assert mailbox.take_all_nowait() == deque([3, 4])


async def test_a_cancelled_sender_adds_nothing_and_takes_nobodys_turn(
    nursery: trio.Nursery,
) -> None:
    mailbox = full_mailbox()
    cancelled = trio.CancelScope()

    async def give_up() -> None:
        with cancelled:
            await mailbox.put(3)

    nursery.start_soon(give_up)
    await trio.testing.wait_all_tasks_blocked()
    nursery.start_soon(mailbox.put, 4)
    await trio.testing.wait_all_tasks_blocked()
    cancelled.cancel()
    await trio.testing.wait_all_tasks_blocked()
    mailbox.take_all_nowait()

    assert mailbox.take_all_nowait() == deque([4])


async def test_a_message_moved_in_is_delivered_even_if_its_sender_is_cancelled_right_then(
    nursery: trio.Nursery,
) -> None:
    mailbox = full_mailbox()
    scope = trio.CancelScope()
    sent: list[bool] = []

    async def send() -> None:
        with scope:
            await mailbox.put(3)
            sent.append(True)

    nursery.start_soon(send)
    await trio.testing.wait_all_tasks_blocked()
    mailbox.take_all_nowait()
    scope.cancel()
    await trio.testing.wait_all_tasks_blocked()

    assert sent == [True]
    assert mailbox.take_all_nowait() == deque([3])


async def test_a_cancelled_reader_takes_nothing() -> None:
    mailbox = full_mailbox()

    with trio.CancelScope() as scope:
        scope.cancel()
        await mailbox.take_all()

    assert scope.cancelled_caught
    assert mailbox.take_all_nowait() == deque([1, 2])


async def test_after_a_parked_reader_is_cancelled_another_may_read(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox()
    with trio.move_on_after(0):
        await mailbox.take_all()

    mailbox.put_nowait(1)

    assert await mailbox.take_all() == deque([1])


async def test_a_second_reader_is_refused(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox()
    nursery.start_soon(mailbox.take_all)
    await trio.testing.wait_all_tasks_blocked()

    with pytest.raises(trio.BusyResourceError, match="one reader"):
        await mailbox.take_all()
    mailbox.put_nowait(1)


async def test_taking_is_a_checkpoint_even_when_messages_wait() -> None:
    mailbox = full_mailbox()

    with trio.testing.assert_checkpoints():
        await mailbox.take_all()


async def test_what_is_owed_to_the_reader_gets_in_over_the_capacity() -> None:
    mailbox = full_mailbox()

    mailbox.put_owed(3)

    assert mailbox.statistics().depth == 3


async def test_what_was_put_back_comes_first_again_and_does_not_count_as_taken() -> None:
    mailbox = full_mailbox()
    batch = await mailbox.take_all()
    batch.popleft()
    mailbox.put_nowait(3)

    mailbox.put_back(batch)

    assert mailbox.statistics().taken == 1
    assert mailbox.take_all_nowait() == deque([2, 3])
    assert mailbox.statistics().taken == 3


async def test_turning_senders_away_raises_an_error_of_its_own_at_each(
    nursery: trio.Nursery,
) -> None:
    mailbox = full_mailbox()
    errors: list[ActorStopped] = []

    async def send(number: int) -> None:
        try:
            await mailbox.put(number)
        except ActorStopped as error:
            errors.append(error)

    for number in range(3, 7):
        nursery.start_soon(send, number)
    await trio.testing.wait_all_tasks_blocked()
    mailbox.turn_away(lambda: ActorStopped("it", NORMAL))
    await trio.testing.wait_all_tasks_blocked()

    assert len(set(map(id, errors))) == 4
    assert mailbox.take_all_nowait() == deque([1, 2])


async def test_statistics_tell_depth_peak_and_the_age_of_the_oldest(
    autojump_clock: trio.testing.MockClock,
) -> None:
    mailbox = full_mailbox()
    await trio.sleep(3)
    before = mailbox.statistics()
    batch = mailbox.take_all_nowait()
    await trio.sleep(4)
    in_hand = mailbox.statistics()
    mailbox.put_nowait(3)
    mailbox.put_back(batch)
    put_back = mailbox.statistics()

    assert (before.depth, before.capacity, before.peak, before.age) == (2, 2, 2, 3.0)
    assert (in_hand.depth, in_hand.taken, in_hand.peak) == (0, 2, 2)
    assert (in_hand.in_hand, in_hand.age) == (2, 7.0), "taken, but not looked at yet"
    assert put_back.in_hand == 0
    assert put_back.age == 7.0, "its oldest message has waited through both sleeps"


async def test_what_the_reader_has_popped_is_not_in_hand_any_more(
    autojump_clock: trio.testing.MockClock,
) -> None:
    mailbox = full_mailbox()
    batch = mailbox.take_all_nowait()
    batch.popleft()
    assert mailbox.statistics().in_hand == 1
    batch.popleft()
    await trio.sleep(1)
    assert (mailbox.statistics().in_hand, mailbox.statistics().age) == (0, 0.0)


def test_a_mailbox_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more, not 0"):
        Mailbox(0)


@settings(max_examples=60, deadline=None)
@given(
    schedule=st.random_module(),
    capacity=st.integers(1, 4),
    counts=st.lists(st.integers(0, 8), min_size=1, max_size=5),
    victims=st.sets(st.integers(0, 4)),
)
def test_whatever_the_schedule_nothing_is_lost_doubled_reordered_or_over_capacity(
    schedule: object, capacity: int, counts: list[int], victims: set[int]
) -> None:
    """Each sender sends 0, 1, 2… and some are cancelled on the way."""
    received: list[tuple[int, int]] = []
    sent: list[tuple[int, int]] = []

    async def send(mailbox: Mailbox[tuple[int, int]], sender: int, scope: trio.CancelScope) -> None:
        with scope:
            for number in range(counts[sender]):
                await mailbox.put((sender, number))
                sent.append((sender, number))

    async def read(mailbox: Mailbox[tuple[int, int]]) -> None:
        while True:
            batch = await mailbox.take_all()
            assert len(batch) <= capacity
            received.extend(batch)

    async def main() -> None:
        mailbox: Mailbox[tuple[int, int]] = Mailbox(capacity)
        scopes = [trio.CancelScope() for _ in counts]
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as senders:
                for sender, scope in enumerate(scopes):
                    senders.start_soon(send, mailbox, sender, scope)
                nursery.start_soon(read, mailbox)
                await trio.lowlevel.checkpoint()
                for victim in victims & set(range(len(counts))):
                    scopes[victim].cancel()
            await trio.testing.wait_all_tasks_blocked()
            assert mailbox.statistics().senders_waiting == 0
            nursery.cancel_scope.cancel()

    trio.run(main)

    assert sorted(sent) == sorted(received)
    for sender in range(len(counts)):
        own = [number for origin, number in received if origin == sender]
        assert list(range(len(own))) == own


async def test_a_mailbox_whose_reader_waits_keeps_no_buffer_of_its_last_batch(
    nursery: trio.Nursery,
) -> None:
    """An empty deque takes 760 bytes, and a server holds three mailboxes for each idle user."""
    mailbox = full_mailbox()
    mailbox.take_all_nowait()
    nursery.start_soon(mailbox.take_all)
    await trio.testing.wait_all_tasks_blocked()

    assert not any(isinstance(held, deque) for held in gc.get_referents(mailbox))
    nursery.cancel_scope.cancel()
