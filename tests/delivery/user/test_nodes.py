"""Nodes that share a journal: whatever dies, each event is kept and shown once, and
each run ends once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from functools import partial

import attrs
import pytest
import trio

from greenroom.admin.disconnecting import Disconnects
from greenroom.delivery.errors import EventNotKept, RunStopped
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import IdSource, RunId, UserId
from greenroom.delivery.events.nodes.notice import NOTICES_KEPT_SECONDS
from greenroom.delivery.journal.nodes import ReadNodes
from greenroom.delivery.journal.postgres.node_reads import NoticePlace
from greenroom.delivery.user.bans import Bans
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import EraseThread, SessionTaken, ShowTyping, ThreadErased
from greenroom.delivery.user.nodes.following import AllMayConnect, Following
from greenroom.delivery.user.parts import wall_clock_ms
from greenroom.transport.connection.machine.events import Disconnected
from tests.delivery import backstage
from tests.delivery.backstage import ALICE, Backstage, open_backstage
from tests.delivery.shared.shared_place import SharedJournal, SharedPlace

LEASE = 2.0
"""Seconds: the machine may be busy, and the server has not been up for long."""


@asynccontextmanager
async def node(
    place: SharedPlace, *, lease: float = LEASE, is_deaf: bool = False
) -> AsyncIterator[Backstage]:
    """A deaf one neither hears of others nor tells them."""
    async with place.open(lease, is_deaf=is_deaf) as journal, open_backstage(journal) as stage:
        yield stage


@pytest.fixture(params=[False, True], ids=["heard", "deaf"])
def is_deaf(request: pytest.FixtureRequest) -> bool:
    """Whether no notification arrives."""
    return bool(request.param)


def nodes_of(stage: Backstage) -> SharedJournal:
    assert isinstance(stage.journal, SharedJournal)
    return stage.journal


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not holds():  # noqa: ASYNC110  # nothing announces it
            await trio.sleep(0.01)


async def until_kinds(stage: Backstage, kind: str) -> list[str]:
    with trio.fail_after(60):
        while kind not in (kinds := await stage.kinds()):  # noqa: ASYNC110  # nor this
            await trio.sleep(0.02)
    return kinds


async def freeze(stage: Backstage, place: SharedPlace) -> Callable[[], None]:
    """The node's journal thread renews no lease; time passes, and the lease is over."""
    thread = nodes_of(stage)._thread
    looked = thread.look
    await place.stand_still(nodes_of(stage))
    return partial(setattr, thread, "look", looked)


async def test_an_event_reaches_the_users_tabs_on_every_node_once_and_in_order(
    place: SharedPlace,
) -> None:
    async with (
        node(place) as here,
        node(place) as there,
        here.client() as one,
        there.client() as other,
    ):
        async with here.run() as run, there.run() as another:
            for number in range(10):
                await run.agent_thinking(text=str(number))
                await another.agent_thinking(text=str(number))
        await until(lambda: len(one.socket.records) == len(other.socket.records) == 24)
        assert one.offsets == list(range(1, 25))
        assert one.socket.records == other.socket.records


async def test_a_receipt_sees_the_tabs_of_other_nodes(place: SharedPlace) -> None:
    async with node(place) as here, node(place) as there, there.client() as client:
        async with here.run() as run:
            receipt = await run.final_report(report="seen there")
            await receipt.wait_received(timeout=60)
        assert "final_report" in client.kinds


async def test_a_node_that_starts_leaves_the_runs_of_others_alone(place: SharedPlace) -> None:
    async with node(place) as here, here.run() as run:
        async with node(place) as there, there.client():
            await run.agent_thinking(text="not lost")
        await run.final_report(report="still not")
    async with node(place) as later:
        assert "agent_failed" not in await later.kinds()


async def test_what_a_node_left_open_at_its_end_is_ended_by_another_one_at_once(
    place: SharedPlace,
) -> None:
    async with node(place, lease=60) as here, node(place, lease=60) as there:
        async with node(place, lease=60) as gone, gone.run() as run:
            await gone.journal.aclose()
            with pytest.raises(EventNotKept):
                await run.final_report(report="too late")
        kinds = await until_kinds(here, "agent_failed")
        assert kinds.count("agent_failed") == 1
        assert await there.kinds() == kinds


async def test_the_runs_of_a_node_that_is_frozen_end_once_and_it_appends_nothing_for_them(
    place: SharedPlace,
) -> None:
    async with (
        node(place) as frozen,
        node(place) as here,
        node(place) as there,
        here.client(offset=0) as client,
    ):
        number, thaw = nodes_of(frozen)._lease.number, None
        with suppress(RunStopped):
            async with frozen.run() as run:
                thaw = await freeze(frozen, place)
                with trio.CancelScope(shield=True):
                    await until_kinds(here, "agent_failed")
                    with pytest.raises(EventNotKept):
                        await run.final_report(report="too late")
        assert thaw is not None
        thaw()
        await until(lambda: nodes_of(frozen)._lease.number not in (None, number))
        await until(lambda: not frozen.journal.trouble)
        async with frozen.run() as run:
            await run.final_report(report="as a new node")
        await until(lambda: "agent_completed" in client.kinds)
        kinds = await there.kinds()
        assert kinds == [
            *("agent_started", "agent_failed"),
            *("agent_started", "final_report", "agent_completed"),
        ]
        assert client.kinds == kinds


async def test_a_run_is_cancelled_from_another_node(place: SharedPlace, is_deaf: bool) -> None:
    async with (
        node(place, is_deaf=is_deaf) as here,
        node(place, is_deaf=is_deaf) as there,
        there.client(),
    ):
        async with here.run() as run:
            [user] = there.users.active()
            await until(lambda: run.context.run in user.elsewhere)
            kept = user.cancel(run.context.run)
            assert kept is not None
            await kept.wait()
            await trio.sleep_forever()
        assert (await there.data())[-1] == {"outcome": "cancelled"}
        await until(lambda: user.cancel(run.context.run) is None)


async def test_a_session_that_moves_to_another_node_leaves_the_first_one(
    place: SharedPlace, is_deaf: bool
) -> None:
    async with (
        node(place, is_deaf=is_deaf) as here,
        node(place, is_deaf=is_deaf) as there,
        here.client() as first,
    ):
        session = first.attached.session
        async with here.run() as run:
            await (await run.final_report(report="one")).wait_received(timeout=60)
        await until(lambda: first.offsets == [1, 2, 3])
        with trio.fail_after(60):
            while await here.journal.cursor(ALICE, session) is None:  # noqa: ASYNC110  # lazily
                await trio.sleep(0.05)
        async with there.client(session=session, offset=3) as second:
            assert second.attached.session == session
            await until(lambda: bool(first.of(SessionTaken)))
            assert second.of(SessionTaken) == []


async def test_a_client_that_moves_to_a_node_which_has_not_read_its_events_yet_loses_no_place(
    place: SharedPlace,
) -> None:
    async with (
        node(place) as here,
        node(place, is_deaf=True) as there,
        there.users.lease(ALICE) as user,
    ):
        async with here.client() as client, here.run() as run:
            for number in range(300):  # more than a page
                await run.agent_thinking(text=str(number))
            await until(lambda: len(client.offsets) == 301)
        assert user.gauge.last < 301
        async with there.client(offset=301) as moved:
            assert (moved.attached.recovered, moved.attached.after) == (True, 301)
            await until(lambda: user.gauge.last == 302)
            assert moved.attached.offset >= 301  # it may just have looked
        async with there.client(offset=1000) as other:
            assert not other.attached.recovered, "there are not so many"


async def test_clocks_that_differ_by_a_minute_change_nothing_between_nodes(
    place: SharedPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = IdSource(lambda: wall_clock_ms() + 60_000)
    lease = 30.0  # a busy machine keeps it; one that is lost may change the order of the moves
    async with node(place, lease=lease) as here, node(place, lease=lease) as there:
        async with here.client() as client, here.run() as run:
            await (await run.agent_thinking(text="one")).wait_received(timeout=60)
            await until(lambda: client.offsets == [1, 2])
        session = client.attached.session
        monkeypatch.setattr(backstage, "IDS", fast)
        async with here.client(session=session, offset=2) as first:
            monkeypatch.undo()
            assert first.attached.session == session
            async with there.client(session=session, offset=2) as second, there.run() as run:
                assert second.attached.session == session
                assert second.socket.connection < first.socket.connection, "it seems to be older"
                await until(lambda: bool(first.of(SessionTaken)))
                async with here.client(session=session, offset=2) as third, here.run() as other:
                    await until(lambda: bool(second.of(SessionTaken)))
                    await run.agent_thinking(text="by one clock")
                    await other.agent_thinking(text="by the other")
                    await until(lambda: third.kinds.count("agent_thinking") == 2)
                    assert third.offsets == list(range(3, 3 + len(third.offsets)))
                    assert third.of(SessionTaken) == []
        kinds = await there.kinds()
        assert "agent_failed" not in kinds, "no lease was taken"


async def test_typing_reaches_other_nodes(place: SharedPlace) -> None:
    async with (
        node(place) as here,
        node(place) as there,
        there.client() as client,
        here.run() as run,
    ):
        with trio.fail_after(60):
            while not client.of(ShowTyping):  # what is sent before a node listens is lost
                run.typing()
                await trio.sleep(0.05)


async def test_the_erasure_of_a_thread_reaches_other_nodes(
    place: SharedPlace, is_deaf: bool
) -> None:
    async with (
        node(place, is_deaf=is_deaf) as here,
        node(place, is_deaf=is_deaf) as there,
        there.client() as client,
        here.users.lease(ALICE) as user,
    ):
        async with here.run() as run:
            await run.final_report(report="one")
        context = UserContext.new(user="alice", thread=run.thread)
        async with there.run(context=context) as last:  # that node knows where the log ends
            await last.final_report(report="two")
        await until(lambda: user.gauge.last == 6)
        await user.actor.ask(EraseThread(run.thread))
        await until(lambda: bool(client.of(ThreadErased)))
        [elsewhere] = there.users.active()
        assert elsewhere.gauge.erasures == 1
        context = UserContext.new(user="alice", thread=run.thread)
        async with there.run(context=context) as again:
            await again.final_report(report="begins the thread again")
        page = await here.journal.history(ALICE, thread=run.thread, before=None, limit=10)
        assert [str(each.kind) for each in page.records] == [
            *("agent_started", "final_report", "agent_completed")
        ]
        assert len(client.of(ThreadErased)) == 1


async def test_a_user_who_is_erased_at_one_node_is_a_new_one_at_all(
    place: SharedPlace, is_deaf: bool
) -> None:
    async with (
        node(place, is_deaf=is_deaf) as here,
        node(place, is_deaf=is_deaf) as there,
        there.users.lease(ALICE) as user,
    ):
        async with here.run() as run:
            await run.final_report(report="to be erased")
        await until(lambda: user.gauge.last == 3)
        await here.users.erase(ALICE)
        await until(lambda: user.tree.stopped)
        async with there.run() as run:
            await run.final_report(report="new")
        assert [each.offset for each in await here.records()] == [1, 2, 3]


async def test_a_user_who_is_disconnected_at_one_node_is_refused_at_all(
    place: SharedPlace, is_deaf: bool
) -> None:
    async with (
        node(place, is_deaf=is_deaf) as here,
        node(place, is_deaf=is_deaf) as there,
        there.client() as client,
    ):
        desks = [Disconnects(each.users, Bans(time.time), each.journal) for each in (here, there)]
        for desk in desks:
            await desk.load()
        async with here.run() as run:
            await run.final_report(report="heard")
        await until(lambda: "final_report" in client.kinds)
        await desks[0].disconnect(ALICE, reason="enough", until=time.time() + 3600)
        await until(lambda: Disconnected("enough", None) in client.socket.news)
        assert desks[1].bans.until(ALICE) is not None
        assert await desks[0].readmit(ALICE)
        await until(lambda: desks[1].bans.until(ALICE) is None)


async def test_a_node_that_missed_notices_begins_its_users_again_and_looks_at_bans(
    place: SharedPlace,
) -> None:
    async with node(place) as here, node(place) as there, there.users.lease(ALICE) as user:
        desks = [Disconnects(each.users, Bans(time.time), each.journal) for each in (here, there)]
        await desks[1].load()
        there.users.access = AllMayConnect()  # the notice is lost
        await desks[0].disconnect(ALICE, until=time.time() + 3600)
        there.users.access = desks[1]
        following = Following(there.users, there.journal, nodes_of(there).nodes)
        following._place = missed(nodes_of(there).nodes.place)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(following.run)
            await until(lambda: user.tree.stopped and desks[1].bans.until(ALICE) is not None)
            nursery.cancel_scope.cancel()


async def test_lost_runs_are_ended_later_if_their_user_could_not_be_served(
    place: SharedPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node(place) as here:
        lease, refusals, served = here.users.lease, [EventNotKept("not yet")], list[UserId]()

        def refuse_once(user: UserId) -> AbstractAsyncContextManager[UserHandle]:
            if refusals:
                raise refusals.pop()
            served.append(user)
            return lease(user)

        monkeypatch.setattr(here.users, "lease", refuse_once)
        following = Following(here.users, here.journal, nodes_of(here).nodes)
        following.taken_over([(ALICE, IdSource().new(RunId))])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(following.run)
            await until(lambda: served == [ALICE])
            nursery.cancel_scope.cancel()


def missed(place: object) -> object:
    """A place after which notices were forgotten."""
    if isinstance(place, NoticePlace):
        return attrs.evolve(place, below=1 << 60, at=place.at - NOTICES_KEPT_SECONDS)
    return -1


@contextmanager
def process(place: SharedPlace) -> Iterator[subprocess.Popen[str]]:
    """A node whose lease is brief; its first event is durable."""
    program = "tests.delivery.user.node_process"
    command = [sys.executable, "-m", program, place.url, "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline().startswith("evt_")
            yield running
        finally:
            running.kill()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_process_that_is_killed_or_frozen_loses_its_run_to_one_of_two_nodes(
    end: signal.Signals, place: SharedPlace
) -> None:
    async with node(place) as here, node(place) as there, there.client(offset=0) as client:
        with process(place) as running:
            running.send_signal(end)
            kinds = await until_kinds(here, "agent_failed")
            assert kinds.count("agent_failed") == 1
            running.send_signal(signal.SIGCONT)
            said = await trio.to_thread.run_sync(running.communicate)
            if end is signal.SIGSTOP:
                assert said[0].splitlines()[-1] == "reported"
        last = len(await here.records())
        await until(lambda: len(client.socket.records) == last)
        assert client.offsets == list(range(1, last + 1))
        records = await here.records()
        of_the_run = [str(each.kind) for each in records if each.run == records[0].run]
        assert of_the_run[-1] == "agent_failed"
        assert of_the_run.count("agent_failed") == 1


async def test_each_node_is_listed_with_its_lease(place: SharedPlace) -> None:
    async with node(place, lease=60) as here, node(place, lease=60):
        first, second = await here.journal.ask(ReadNodes()).wait()
        assert first.number < second.number
        assert 0 < first.left <= 60
    async with node(place, lease=60) as later:
        assert len(await later.journal.ask(ReadNodes()).wait()) == 1
