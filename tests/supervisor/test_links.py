"""Links (erlang(3), link/1; Reference Manual, Processes): supervised actors that end together.

And monitors of supervisors; those of actors are in `tests.actors.test_monitors`.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
import trio

from greenroom.actors.actor import Actor
from greenroom.actors.exit import ExitKind, ExitReason
from greenroom.actors.monitors import Down, Exited, LinkBroken, NotLinkable, link, monitor
from greenroom.actors.ref import Ref
from greenroom.supervisor import (
    DynamicSupervisorRef,
    Intensity,
    Restart,
    StaticSupervisorRef,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
    supervisor_child,
)
from tests.supervisor.stage import Crash, settle

pytestmark = pytest.mark.requirement("R39")


class Partner(Actor[object]):
    def __init__(self) -> None:
        self.seen: list[object] = []
        self.reasons: list[ExitReason] = []

    async def receive(self, message: object) -> None:
        self.seen.append(message)
        match message:
            case "crash":
                raise Crash("of its own")
            case "stop":
                self.stop()
            case "hang":
                await trio.sleep_forever()

    async def stopping(self, reason: ExitReason) -> None:
        self.reasons.append(reason)


class Trapping(Partner):
    traps_exits = True


@pytest.fixture
async def stage() -> AsyncIterator[DynamicSupervisorRef]:
    async with open_supervisor("root", [dynamic_supervisor_child("pairs")]) as root:
        pairs = root.child("pairs")
        assert isinstance(pairs, DynamicSupervisorRef)
        yield pairs


async def start(
    stage: DynamicSupervisorRef, id_: str, actor: Partner, restart: Restart = Restart.TEMPORARY
) -> Ref[object]:
    ref = await stage.start_child(actor_child(id_, lambda: actor, restart=restart))
    assert isinstance(ref, Ref)
    return ref


async def test_a_crash_takes_the_linked_one_along_whichever_it_is(
    stage: DynamicSupervisorRef,
) -> None:
    """Reference Manual, Processes, Links and Receiving Exit Signals: bidirectional."""
    for end in (0, 1):
        pair = [await start(stage, id_, Partner()) for id_ in "ab"]
        link(*pair)
        pair[end].tell("crash")
        reason = await pair[1 - end].wait_stopped()
        assert reason.kind is ExitKind.CRASHED
        assert isinstance(reason.error, LinkBroken)
        assert isinstance(reason.error.__cause__, Crash)


async def test_it_ends_in_the_middle_of_a_message_too_and_gets_its_last_words(
    stage: DynamicSupervisorRef,
) -> None:
    """Reference Manual, Processes, Receiving Signals: anywhere. Beyond OTP: last words."""
    hanging = Partner()
    one, other = await start(stage, "a", Partner()), await start(stage, "b", hanging)
    link(one, other)
    other.tell("hang")
    await settle()
    one.tell("crash")
    await other.wait_stopped()
    (reason,) = hanging.reasons
    assert isinstance(reason.error, LinkBroken)


async def test_a_supervisor_is_not_linked_but_monitored(stage: DynamicSupervisorRef) -> None:
    """Beyond OTP: there supervisors are processes as any other, and linked to their parents."""
    one = await start(stage, "a", Partner())
    for pair in ((one, stage), (stage, one)):
        with pytest.raises(NotLinkable, match="not <DynamicSupervisorRef root/pairs>"):
            link(*pair)  # type: ignore[arg-type]  # the point
    one.tell("crash")
    await settle()
    assert stage.exit_reason is None


async def test_a_normal_end_is_nobody_elses_business(stage: DynamicSupervisorRef) -> None:
    """Reference Manual, Processes, Receiving Exit Signals: a normal one is dropped."""
    one, other = await start(stage, "a", Partner()), await start(stage, "b", Partner())
    link(one, other)
    one.tell("stop")
    await one.wait_stopped()
    await settle()
    assert other.exit_reason is None


async def test_a_shutdown_is_carried_as_a_shutdown(stage: DynamicSupervisorRef) -> None:
    """Reference Manual, Processes, Receiving Exit Signals: the other ends with the same reason."""
    one = await start(stage, "a", Partner())
    other = await start(stage, "b", Partner(), Restart.TRANSIENT)
    link(one, other)
    await stage.terminate_child("a")
    assert (await other.wait_stopped()).kind is ExitKind.SHUTDOWN
    await settle()
    assert not stage.children(), "a transient child stays down after a shutdown"


async def test_the_supervisor_judges_both_ends_and_restarts_both(
    stage: DynamicSupervisorRef,
) -> None:
    """supervisor(3), restart: by each child's own exit reason."""
    one = await start(stage, "a", Partner(), Restart.TRANSIENT)
    other = await start(stage, "b", Partner(), Restart.TRANSIENT)
    link(one, other)
    one.tell("crash")
    await settle()
    assert stage.child("a") is not one
    assert stage.child("b") is not other
    assert [crash.child for crash in stage.crashes()] == ["a", "b"]


@pytest.mark.parametrize(("how", "kind"), [("stop", ExitKind.NORMAL), ("crash", ExitKind.CRASHED)])
async def test_one_that_traps_exits_is_told_of_every_end_and_lives_on(
    how: str, kind: ExitKind, stage: DynamicSupervisorRef
) -> None:
    """Reference Manual, Processes, Receiving Exit Signals: to one that traps exits, a message."""
    trapping = Trapping()
    one, other = await start(stage, "a", Partner()), await start(stage, "b", trapping)
    link(one, other)
    one.tell(how)
    await settle()
    (exited,) = trapping.seen
    assert isinstance(exited, Exited)
    assert (exited.ref, exited.reason.kind) == (one, kind)
    assert other.exit_reason is None


async def test_links_form_chains(stage: DynamicSupervisorRef) -> None:
    """Reference Manual, Processes, Sending Exit Signals: whoever terminates, to all its links."""
    chain = [await start(stage, id_, Partner()) for id_ in "abcd"]
    for one, other in itertools.pairwise(chain):
        link(one, other)
    chain[0].tell("crash")
    await settle()
    assert all(ref.exit_reason is not None for ref in chain)


async def test_unlinked_ones_part_for_good(stage: DynamicSupervisorRef) -> None:
    """erlang(3), unlink/1: no exit signal from the link afterwards."""
    one, other = await start(stage, "a", Partner()), await start(stage, "b", Partner())
    link(one, other).unlink()
    one.tell("crash")
    await settle()
    assert other.exit_reason is None


async def test_who_links_to_the_dead_learns_of_it_at_once(stage: DynamicSupervisorRef) -> None:
    """Reference Manual, Processes, Sending Exit Signals: noproc, when nobody was there."""
    one, other = await start(stage, "a", Partner()), await start(stage, "b", Partner())
    one.tell("crash")
    await one.wait_stopped()
    link(one, other)
    assert (await other.wait_stopped()).kind is ExitKind.CRASHED


async def test_an_actor_may_link_itself_before_it_is_up() -> None:
    """erlang(3), link/1: the calling process, in its init function too."""

    class Eager(Partner):
        async def started(self) -> None:
            link(self.ref, first[-1])

    first: list[Ref[object]] = []
    async with open_supervisor("root", [actor_child("a", Partner)]) as root:
        ref = root.child("a")
        assert isinstance(ref, Ref)
        first.append(ref)
        eager = await root.start_child(actor_child("b", Eager, restart=Restart.TEMPORARY))
        assert isinstance(eager, Ref)
        ref.tell("crash")
        assert isinstance((await eager.wait_stopped()).error, LinkBroken)


async def test_a_tree_that_stops_reports_no_linked_end_as_a_crash(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """supervisor.erl, shutdown/1: an end with the reason shutdown is no error."""

    class Slow(Partner):
        async def stopping(self, reason: ExitReason) -> None:
            await trio.sleep(1)

    specs = [actor_child("a", Partner), actor_child("slow", Slow), actor_child("b", Partner)]
    async with open_supervisor("root", specs) as root:
        one, other = root.child("a"), root.child("b")
        assert isinstance(one, Ref)
        assert isinstance(other, Ref)
        link(one, other)
    assert root.crashes() == ()


class Watchman(Actor[Down]):
    def __init__(self, seen: list[Down]) -> None:
        self.seen = seen

    async def receive(self, down: Down) -> None:
        self.seen.append(down)


@pytest.mark.parametrize("end", ["gives up", "terminated"])
async def test_a_supervisor_is_monitored_like_an_actor(end: str) -> None:
    """erlang(3), monitor/2: any process, a supervisor too: one DOWN, after its children's end."""
    seen: list[Down] = []
    inner = supervisor_child("inner", [actor_child("a", Partner)], intensity=Intensity(0, 5.0))
    specs = [actor_child("watchman", lambda: Watchman(seen)), inner]
    async with open_supervisor("root", specs) as root:
        watchman, watched = root.child("watchman"), root.child("inner")
        assert isinstance(watchman, Ref)
        assert isinstance(watched, StaticSupervisorRef)
        child = watched.child("a")
        assert isinstance(child, Ref)
        watch = monitor(watched, watchman)
        monitor(watched, watchman).demonitor()
        if end == "gives up":
            child.tell("crash")
        else:
            await root.terminate_child("inner")
        await settle()
        assert child.exit_reason is not None
        (down,) = seen
        assert (down.monitor, down.ref, down.reason.kind) == (watch, watched, ExitKind.SHUTDOWN)


async def test_who_monitors_a_supervisor_that_has_ended_learns_of_it_at_once() -> None:
    """Reference Manual, Processes, Monitors: of one that is not there, DOWN comes at once."""
    seen: list[Down] = []
    specs = [actor_child("watchman", lambda: Watchman(seen)), supervisor_child("inner", [])]
    async with open_supervisor("root", specs) as root:
        watchman, watched = root.child("watchman"), root.child("inner")
        assert isinstance(watchman, Ref)
        assert isinstance(watched, StaticSupervisorRef)
        await root.terminate_child("inner")
        monitor(watched, watchman)
        await settle()
        assert [down.ref for down in seen] == [watched]
