"""A bounded mailbox with one reader, which takes all messages at once.

The first message wakes the reader directly, without an event or a channel: `tell` costs about
0.2 µs, and a full mailbox is taken in one wake-up. The reader is a task that waits in `take_all`,
or a dispatcher that asked to be called (`attend`).
"""

from __future__ import annotations

import enum
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import chain, islice
from typing import Generic, TypeVar

import attrs
import outcome
import trio

from greenroom.actors.errors import MailboxFull
from greenroom.actors.guard import call_guarded

M = TypeVar("M")


class Overflow(enum.Enum):
    """What `put_nowait` does when the mailbox is full."""

    REJECT = "reject"
    DROP_OLDEST = "drop_oldest"


class OnRestart(enum.Enum):
    """What becomes of a mailbox when its actor ends and is started again.

    `failed`: waiting messages are dropped and counted, waiting asks fail. `kept`: the ref stays as
    it is and takes messages all the while, for the next actor.
    In both cases, what the actor had in hand when it ended is not handled again.
    """

    FAILED = "failed"
    KEPT = "kept"


@attrs.frozen
class MailboxStatistics:
    """The figures of a mailbox; reading them disturbs nothing.

    `taken` counts the messages that the reader took and did not put back; `in_hand` those of them
    that still wait in its current batch. `age` is the age of the oldest waiting message in seconds,
    counted from when the mailbox was last empty (an upper bound once messages were dropped).
    `dropped` counts messages that were dropped to make room, or because the actor had ended.
    """

    depth: int
    in_hand: int
    capacity: int
    peak: int
    taken: int
    dropped: int
    age: float
    senders_waiting: int


class Mailbox(Generic[M]):
    """Holds up to `capacity` messages for one reader.

    When it is full, `put_nowait` raises `MailboxFull` (`reject`), or drops and counts the oldest
    message and passes it to `on_drop` (`drop_oldest`); `put` waits for room.

    Invariant: while a sender waits, the mailbox is full. The reader itself moves in the messages of
    waiting senders: so no later message overtakes them, a cancelled sender takes up no room, and a
    message that was moved in is delivered.
    """

    __slots__ = (
        "__weakref__",
        "_capacity",
        "_clock",
        "_dropped",
        "_in_hand",
        "_messages",
        "_on_drop",
        "_overflow",
        "_peak",
        "_senders",
        "_taken",
        "_taken_since",
        "_waiting_since",
        "_wake",
    )

    def __init__(
        self,
        capacity: int = 1024,
        *,
        overflow: Overflow = Overflow.REJECT,
        on_drop: Callable[[M], None] | None = None,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"the capacity of a mailbox must be 1 or more, not {capacity}")
        self._messages: deque[M] | tuple[()] = ()  # an empty deque takes 760 bytes
        self._in_hand: deque[M] | tuple[()] = ()
        self._capacity = capacity
        self._overflow = overflow
        self._on_drop = on_drop
        self._clock = clock
        self._wake: Callable[[], None] | None = None
        self._senders: OrderedDict[trio.lowlevel.Task, M] | None = None
        self._waiting_since = self._taken_since = 0.0
        self._peak = self._taken = self._dropped = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def capacity(self) -> int:
        return self._capacity

    @property
    def not_begun(self) -> int:
        """The number of messages that wait here, and in the reader's batch."""
        return len(self._messages) + len(self._in_hand)

    def first(self, count: int) -> list[M]:
        """The messages that are next, at most `count` of them."""
        return list(islice(chain(self._in_hand, self._messages), count))

    @property
    def is_full(self) -> bool:
        return len(self._messages) >= self._capacity

    @property
    def added(self) -> int:
        """The number of messages ever added; the next one gets this number, from 0."""
        return self._first + len(self._messages)

    @property
    def handled(self) -> int:
        """Messages with a lower number than this have been handled and cannot be put back."""
        return self._first - len(self._in_hand)

    @property
    def _first(self) -> int:
        """The number of the message that waits at the front."""
        return self._taken + self._dropped

    @property
    def awaited(self) -> bool:
        """Whether it is empty and the reader waits."""
        return self._wake is not None

    def put_nowait(self, message: M) -> None:
        """Add a message, or do what `overflow` says. Raises `MailboxFull` under `reject`."""
        if len(self._messages) >= self._capacity:
            self._overflowed()
        self.put_owed(message)

    async def put(self, message: M) -> None:
        """Add a message, waiting for room; first come, first served.

        If it is cancelled, nothing was added. It yields to other tasks only if the mailbox is full:
        a fast sender is slowed by the capacity, not by a checkpoint (3 µs) per message.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if len(self._messages) < self._capacity:
            self.put_owed(message)
        else:
            await self._wait_for_room(message)

    def put_owed(self, message: M) -> None:
        """Add a message that the reader asked for (an answer, a timer), even to a full mailbox.

        The reader's own requests bound these, and rejecting one could deadlock the reader.
        """
        if self._wake is not None:
            self._wake()  # first: outside of the reader's trio run it raises, and nothing was done
            self._wake = None
        messages = self._messages
        if messages:
            messages.append(message)
        else:
            self._waiting_since = self._clock()
            self._messages = deque((message,))

    def put_back(self, messages: Collection[M]) -> None:
        """Put messages of the last batch that were not handled back to the front, in their order.

        The mailbox may then hold more than its capacity, until the next batch is taken.
        """
        if not messages:
            return
        self._taken -= len(messages)
        self._in_hand = ()
        self._messages = deque((*messages, *self._messages))
        self._waiting_since = self._taken_since

    async def take_all(self) -> deque[M]:
        """Wait for at least one message, then take all that wait, oldest first.

        Always a checkpoint. If it is cancelled, nothing was taken.
        """
        if self._messages:
            await trio.lowlevel.checkpoint()
        while not self._messages:
            await self._park()
        return self.take_all_nowait()

    def attend(self, wake: Callable[[], None]) -> None:
        """Call `wake` once, in the sender's task, when a message comes; now if one waits already.

        Raises `trio.BusyResourceError` if another reader waits.
        """
        if self._wake is not None:
            raise trio.BusyResourceError("a mailbox has one reader, and another one waits already")
        if self._messages:
            wake()
        else:
            self._in_hand = ()  # the reader is done with its last batch
            self._wake = wake

    def leave(self) -> None:
        """The reader waits no more: `attend` is called off."""
        self._wake = None

    def pass_on(self, message: M) -> deque[M]:
        """While the reader waits: a message that it takes at once, as if it had been added."""
        self._wake = None
        self._taken += 1
        self._peak = self._peak or 1
        self._waiting_since = self._taken_since = self._clock()
        self._in_hand = taken = deque((message,))
        return taken

    def take_nowait(self, limit: int) -> deque[M]:
        """Take at most `limit` messages, oldest first, possibly none; let waiting senders in."""
        taken, self._messages = self._messages or deque(), ()
        count = len(taken)
        if count > self._peak:
            self._peak = count
        if count > limit:
            taken, self._messages = deque(taken.popleft() for _ in range(limit)), taken
            count = limit
        self._in_hand = taken
        self._taken += count
        self._taken_since = self._waiting_since
        if self._senders:
            self._let_in(self._senders)
        return taken

    def take_all_nowait(self) -> deque[M]:
        """Take all messages, possibly none, and let waiting senders in."""
        return self.take_nowait(len(self._messages))

    def _let_in(self, senders: OrderedDict[trio.lowlevel.Task, M]) -> None:
        while senders and len(self._messages) < self._capacity:
            task, message = senders.popitem(last=False)
            self.put_owed(message)
            trio.lowlevel.reschedule(task)

    def discard_all(self) -> deque[M]:
        """Take all messages without handling them: they count as dropped."""
        self._note_peak()
        dropped, self._messages = self._messages or deque(), ()
        self._dropped += len(dropped)
        return dropped

    def remove(self, numbered: Iterable[tuple[int, M]]) -> None:
        """Drop those of these messages that still wait, known by their number and identity."""
        self._note_peak()
        first, waiting = self._first, list(self._messages)
        gone = {
            number
            for number, message in numbered
            if 0 <= number - first < len(waiting) and waiting[number - first] is message
        }
        self._messages = deque(m for number, m in enumerate(waiting, first) if number not in gone)
        self._dropped += len(gone)

    def waiting(self) -> tuple[M, ...]:
        """The messages that wait, oldest first; they stay in the mailbox."""
        return tuple(self._messages)

    def outside(self) -> tuple[M, ...]:
        """The messages of senders that wait for room, oldest first."""
        return tuple(self._senders.values()) if self._senders else ()

    def turn_away(self, error: Callable[[], Exception]) -> None:
        """Raise an `error()` in every waiting sender; their messages are not added."""
        while self._senders:
            task, _ = self._senders.popitem(last=False)
            trio.lowlevel.reschedule(task, outcome.Error(error()))

    def statistics(self) -> MailboxStatistics:
        self._note_peak()
        depth, in_hand = len(self._messages), len(self._in_hand)
        since = self._taken_since if in_hand else self._waiting_since
        return MailboxStatistics(
            depth=depth,
            in_hand=in_hand,
            capacity=self._capacity,
            peak=self._peak,
            taken=self._taken,
            dropped=self._dropped,
            age=self._clock() - since if depth or in_hand else 0.0,
            senders_waiting=len(self._senders or ()),
        )

    def _note_peak(self) -> None:
        """Called before there are fewer messages than there were."""
        self._peak = max(self._peak, len(self._messages))

    def _overflowed(self) -> None:
        if self._overflow is Overflow.REJECT:
            raise MailboxFull(
                f"the mailbox is full ({self._capacity} messages)",
                advice="send() waits for room; or raise the capacity of the actor",
            )
        assert isinstance(self._messages, deque), (
            "a full mailbox holds a message: its capacity is 1 or more"
        )
        self._dropped += 1
        dropped = self._messages.popleft()
        if self._on_drop is not None:
            call_guarded("a mailbox's on_drop failed", self._on_drop, dropped)

    async def _wait_for_room(self, message: M) -> None:
        task = trio.lowlevel.current_task()
        senders = self._senders = self._senders or OrderedDict()
        senders[task] = message

        def abort(_: object) -> trio.lowlevel.Abort:
            del senders[task]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    async def _park(self) -> None:
        self.attend(partial(trio.lowlevel.reschedule, trio.lowlevel.current_task()))
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self.leave()
        return trio.lowlevel.Abort.SUCCEEDED
