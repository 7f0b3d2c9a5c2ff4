"""The ref: tell, send, ask, and what the dead say."""

from __future__ import annotations

from collections import deque

import attrs
import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor, run_actor
from greenroom.actors.errors import AskedItself, AskTimeout, GreenroomError, MailboxFull
from greenroom.actors.exit import NORMAL, ExitReason
from greenroom.actors.mailbox import Overflow
from greenroom.actors.ref import ActorStopped, Ask, Ref, Request
from greenroom.actors.reply import Reply, ReplyOutcome
from tests.actors.conftest import Spawn

pytestmark = pytest.mark.requirement("R39")


@attrs.frozen
class Deposit:
    amount: int


@attrs.frozen
class Balance(Request[int]):
    pass


@attrs.frozen
class Stop:
    pass


class Account(Actor[Deposit | Balance | Stop]):
    def __init__(self) -> None:
        self.total = 0
        self.open = trio.Event()

    async def receive(self, message: Deposit | Balance | Stop) -> object:
        match message:
            case Deposit(amount):
                self.total += amount
            case Balance():
                await self.open.wait()
                return self.total
            case Stop():
                self.stop()
        return None


async def test_messages_are_handled_in_the_order_they_were_told(spawn: Spawn) -> None:
    account = Account()
    account.open.set()
    ref = await spawn(account)

    for amount in (1, 2, 4):
        ref.tell(Deposit(amount))

    assert await ref.ask(Balance()) == 7


async def test_send_waits_while_the_mailbox_is_full(spawn: Spawn) -> None:
    class Narrow(Account):
        capacity = 1

    account = Narrow()
    ref = await spawn(account)
    reply = ref.request(Balance())
    await trio.testing.wait_all_tasks_blocked()  # the actor holds the request
    ref.tell(Deposit(1))
    with pytest.raises(MailboxFull):
        ref.tell(Deposit(2))
    with trio.move_on_after(0) as scope:
        await ref.send(Deposit(2))
    assert scope.cancelled_caught

    account.open.set()
    await ref.send(Deposit(4))

    assert await reply.wait() == 0
    assert await ref.ask(Balance()) == 5, "the cancelled send delivered nothing"


async def test_an_ask_without_an_answer_in_time_raises_and_leaves_the_actor_alone(
    spawn: Spawn, autojump_clock: trio.testing.MockClock
) -> None:
    account = Account()
    ref = await spawn(account)

    with pytest.raises(AskTimeout, match="'it' did not answer Balance in 2 s"):
        await ref.ask(Balance(), timeout=2)
    assert trio.current_time() == 2

    account.open.set()
    assert await ref.ask(Balance(), timeout=2) == 0


async def test_a_tell_to_the_dead_raises_and_says_how_it_ended(spawn: Spawn) -> None:
    ref = await spawn(Account())
    ref.tell(Stop())
    assert await ref.wait_stopped() == NORMAL

    for attempt in (lambda: ref.tell(Deposit(1)), lambda: ref.request(Balance())):
        with pytest.raises(ActorStopped, match="actor 'it' has stopped: normal") as stopped:
            attempt()
        assert stopped.value.reason == NORMAL
    with pytest.raises(ActorStopped):
        await ref.send(Deposit(1))
    with pytest.raises(ActorStopped):
        await ref.ask(Balance())


async def test_what_was_owed_to_the_dead_is_dropped_quietly(spawn: Spawn) -> None:
    ref = await spawn(Account())
    ref.tell(Stop())
    await ref.wait_stopped()

    ref.tell_owed(Deposit(1))

    assert ref.statistics().depth == 0


class Holder(Actor[Balance | Stop]):
    """Takes asks and keeps them."""

    def __init__(self, end: Exception | None = None) -> None:
        self.kept: list[Ask[object]] = []
        self.end = end

    async def receive_many(self, messages: deque[Balance | Stop | Ask[object]]) -> None:
        while messages:
            message = messages.popleft()
            if isinstance(message, Ask):
                self.kept.append(message)
            elif self.end is not None:
                raise self.end
            else:
                self.stop()
                return


async def ask_into(results: list[object], ref: Ref[Balance]) -> None:
    try:
        results.append(await ref.ask(Balance()))
    except GreenroomError as error:
        results.append(error)


async def test_every_ask_of_a_crashing_actor_fails_chained_to_the_true_error(
    nursery: trio.Nursery,
) -> None:
    """Those in its hands as well as those still in the mailbox."""
    crash = ValueError("broken")
    results: list[object] = []
    ref: Ref[Balance | Stop] = await nursery.start(run_to_crash, Holder(end=crash))

    nursery.start_soon(ask_into, results, ref)
    await trio.testing.wait_all_tasks_blocked()
    ref.tell(Stop())
    nursery.start_soon(ask_into, results, ref)
    await trio.testing.wait_all_tasks_blocked()

    assert [type(result) for result in results] == [ActorStopped, ActorStopped]
    assert [result.__cause__ for result in results if isinstance(result, ActorStopped)] == [
        crash,
        crash,
    ]


async def run_to_crash(
    holder: Holder, *, task_status: trio.TaskStatus[Ref[Balance | Stop]]
) -> None:
    with pytest.raises(ValueError, match="broken"):
        await run_actor(holder, name="it", task_status=task_status)


async def test_an_ask_taken_and_not_answered_fails_when_the_actor_ends(
    spawn: Spawn, nursery: trio.Nursery
) -> None:
    results: list[object] = []
    ref = await spawn(Holder())
    nursery.start_soon(ask_into, results, ref)
    await trio.testing.wait_all_tasks_blocked()

    ref.tell(Stop())
    await trio.testing.wait_all_tasks_blocked()

    assert str(results[0]).startswith("actor 'it' has stopped: normal (")


async def test_every_sender_that_waits_is_told_of_the_end(
    spawn: Spawn, nursery: trio.Nursery
) -> None:
    """More of them than the mailbox has room for; one is let in with the actor's last batch."""

    class Narrow(Account):
        capacity = 1

    account = Narrow()
    ref = await spawn(account)
    held = ref.request(Balance())
    await trio.testing.wait_all_tasks_blocked()
    ref.tell(Stop())
    errors: list[ExitReason] = []

    async def send() -> None:
        try:
            await ref.send(Deposit(1))
        except ActorStopped as error:
            errors.append(error.reason)

    for _ in range(4):
        nursery.start_soon(send)
    await trio.testing.wait_all_tasks_blocked()
    account.open.set()
    await trio.testing.wait_all_tasks_blocked()

    assert errors == [NORMAL] * 3
    assert await held.wait() == 0


async def test_an_ask_dropped_for_newer_messages_fails_with_mailbox_full(spawn: Spawn) -> None:
    class Dropping(Account):
        capacity = 1
        overflow = Overflow.DROP_OLDEST

    account = Dropping()
    ref = await spawn(account)
    first = ref.request(Balance())
    await trio.testing.wait_all_tasks_blocked()
    second: Reply[int] = ref.request(Balance())
    ref.tell(Deposit(1))

    with pytest.raises(MailboxFull, match="dropped to make room"):
        await second.wait()
    account.open.set()
    assert await first.wait() == 0


async def test_an_actor_that_asks_itself_is_told_instead_of_hanging(spawn: Spawn) -> None:
    class Narcissus(Account):
        async def receive(self, message: Deposit | Balance | Stop) -> object:
            return await self.ref.ask(Balance())

    async with trio.open_nursery() as nursery:

        async def run(*, task_status: trio.TaskStatus[Ref[Deposit | Balance | Stop]]) -> None:
            with pytest.raises(AskedItself, match="'it' asked itself"):
                await run_actor(Narcissus(), name="it", task_status=task_status)

        ref = await nursery.start(run)
        ref.tell(Deposit(1))


async def test_a_piped_request_comes_back_as_a_message(spawn: Spawn) -> None:
    account = Account()
    account.total = 5
    account.open.set()
    source = await spawn(account, name="source")
    sink = Account()
    sink.open.set()
    target = await spawn(sink, name="target")

    def deposit(answer: ReplyOutcome[int]) -> Deposit:
        return Deposit(answer.unwrap())

    source.pipe(Balance(), target, deposit)
    await trio.testing.wait_all_tasks_blocked()

    assert await target.ask(Balance()) == 5


async def test_a_ref_shows_its_name_and_its_end(spawn: Spawn) -> None:
    ref = await spawn(Account())
    assert repr(ref) == "<Ref it>"
    assert ref.exit_reason is None

    ref.tell(Stop())
    await ref.wait_stopped()

    assert repr(ref) == "<Ref it (normal)>"
    assert ref.exit_reason == NORMAL
