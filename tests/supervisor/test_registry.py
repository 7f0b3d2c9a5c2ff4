from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import NoReturn

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.actor import Actor, attach
from greenroom.actors.exit import NORMAL, ExitReason
from greenroom.actors.ref import ActorStopped, Ref
from greenroom.supervisor import (
    DynamicSupervisorRef,
    Registry,
    Restart,
    StaticSupervisorRef,
    Strategy,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
    supervisor_child,
)
from greenroom.supervisor.errors import NotRegistered, RegistryConflict
from tests.supervisor.stage import Crash, kill, settle

pytestmark = pytest.mark.requirement("R39")


class Owner(Actor[str]):
    def __init__(self, registry: Registry[str], key: str) -> None:
        self.registry, self.key = registry, key

    async def started(self) -> None:
        self.registry.register(self.key, self.ref)

    async def receive(self, message: str) -> None:
        if message == "crash":
            raise Crash(self.key)
        self.stop()

    async def stopping(self, reason: ExitReason) -> None:
        await trio.sleep(1)


@pytest.fixture
async def owners() -> AsyncIterator[DynamicSupervisorRef]:
    async with open_supervisor("root", [dynamic_supervisor_child("owners")]) as root:
        owners = root.child("owners")
        assert isinstance(owners, DynamicSupervisorRef)
        yield owners


def ref(name: str) -> Ref[str]:
    return attach(Actor[str](), name)


async def test_a_key_has_one_owner_and_who_comes_second_is_told_whose_it_is() -> None:
    """Elixir's Registry, register/3: {:error, {:already_registered, pid}}.

    Not here: there, that is also the answer to the one who has it.
    """
    registry: Registry[str] = Registry("users")
    first, second = ref("first"), ref("second")
    registry.register("alice", first)
    registry.register("alice", first)
    with pytest.raises(RegistryConflict, match="'alice' in 'users' belongs to 'first'") as refusal:
        registry.register("alice", second)
    assert refusal.value.owner is first
    assert registry.look_up("alice") is first


async def test_an_unknown_key_is_an_error_or_none_as_you_ask() -> None:
    """Elixir's Registry, lookup/2 and whereis_name/1: [], or :undefined."""
    registry: Registry[str] = Registry()
    assert registry.get("nobody") is None
    assert "nobody" not in registry
    with pytest.raises(NotRegistered, match="nobody"):
        registry.look_up("nobody")


async def test_only_its_owner_gives_a_key_back() -> None:
    """Elixir's Registry, unregister/2: the keys of the calling process alone."""
    registry: Registry[str] = Registry()
    owner = ref("owner")
    registry.register("key", owner)
    registry.unregister("key", ref("stranger"))
    assert "key" in registry
    registry.unregister("key", owner)
    registry.unregister("key", owner)
    assert len(registry) == 0
    owner._close(NORMAL)


@pytest.mark.parametrize("how", ["crash", "stop"])
async def test_the_keys_of_an_owner_are_free_the_moment_it_has_ended(
    how: str, owners: DynamicSupervisorRef, autojump_clock: trio.testing.MockClock
) -> None:
    """Elixir's Registry: entries of a dead process are removed. Beyond it: in that very moment."""
    registry: Registry[str] = Registry()
    owner = await owners.start_child(actor_child("a", lambda: Owner(registry, "key")))
    assert isinstance(owner, Ref)
    registry.register("second key", owner)
    assert registry.keys_of(owner) == ("key", "second key")
    owner.tell(how)
    await trio.sleep(0.5)
    assert "key" in registry, "its last words are not over"
    await owner.wait_stopped()
    assert list(registry) == []
    with pytest.raises(ActorStopped):
        registry.register("key", owner)


async def test_the_next_incarnation_takes_the_key_over(
    owners: DynamicSupervisorRef, autojump_clock: trio.testing.MockClock
) -> None:
    """Elixir's Registry, Using in :via: whatever starts under a name registers it, each time."""
    registry: Registry[str] = Registry()
    spec = actor_child("a", lambda: Owner(registry, "key"), restart=Restart.TRANSIENT)
    first = await owners.start_child(spec)
    registry.look_up("key").tell("crash")
    await trio.sleep(2)
    await settle()
    assert registry.look_up("key") is owners.child("a")
    assert registry.look_up("key") is not first


HOWS: dict[str, Callable[[StaticSupervisorRef, StaticSupervisorRef, Ref[str]], object]] = {
    "supervisor killed": lambda root, _, __: kill(root, "inner"),
    "worker killed": lambda _, inner, __: kill(inner, "worker"),
    "worker crashes": lambda _, __, worker: worker.tell("crash"),
    "worker ends": lambda _, __, worker: worker.tell("stop"),
}


@pytest.mark.parametrize("how", HOWS)
async def test_a_name_is_free_again_when_a_supervisor_or_its_worker_starts_anew(
    how: str, autojump_clock: trio.testing.MockClock
) -> None:
    """SUITE: simple_global_supervisor (the registry is no global one)."""
    registry: Registry[str] = Registry()
    spec = actor_child("worker", lambda: Owner(registry, "key"))
    middle = supervisor_child("inner", [spec], strategy=Strategy.ONE_FOR_ALL)
    async with open_supervisor("root", [middle], strategy=Strategy.ONE_FOR_ALL) as root:
        inner, first = root.child("inner"), registry.look_up("key")
        assert isinstance(inner, StaticSupervisorRef)
        HOWS[how](root, inner, first)
        await trio.sleep(2)
        again = root.child("inner")
        assert isinstance(again, StaticSupervisorRef)
        assert (again is not inner) == (how == "supervisor killed")
        second = again.child("worker")
        assert second is not first
        assert registry.look_up("key") is second
        await again.terminate_child("worker")
        assert await again.restart_child("worker") is registry.look_up("key")
    assert list(registry) == []


async def test_a_start_that_fails_gives_its_keys_back(owners: DynamicSupervisorRef) -> None:
    """Elixir's Registry: entries of a dead process are removed, also of one never up."""

    class Hasty(Owner):
        async def started(self) -> None:
            await super().started()
            raise Crash("after all")

    registry: Registry[str] = Registry()
    with pytest.raises(Exception, match="after all"):
        await owners.start_child(actor_child("a", lambda: Hasty(registry, "key")))
    assert "key" not in registry


async def test_keys_are_found_by_prefix_in_order() -> None:
    """Beyond OTP: Elixir's Registry has select/2, a match over all keys."""
    registry: Registry[str] = Registry()
    for key in ["user:bob", "user:alice", "users", "run:1", "user:"]:
        registry.register(key, ref(key))
    found = registry.with_prefix("user:")
    assert list(found) == ["user:", "user:alice", "user:bob"]
    assert [each.name for each in found.values()] == list(found)
    assert list(registry.with_prefix("")) == list(registry)


keys = st.text(alphabet="ab:", max_size=3)


@given(st.lists(st.tuples(st.sampled_from(["register", "end", "unregister"]), keys)), keys)
def test_it_is_a_plain_dictionary_of_those_alive(script: list[tuple[str, str]], end: str) -> None:
    """Elixir's Registry, keys: :unique, against a dictionary."""
    registry: Registry[str] = Registry()
    model: dict[str, Ref[str]] = {}

    async def play() -> None:
        for deed, key in script:
            match deed:
                case "register" if key not in model:
                    model[key] = ref(key)
                    registry.register(key, model[key])
                case "end" if key in model:
                    model.pop(key)._close(NORMAL)
                case "unregister" if key in model:
                    registry.unregister(key, model.pop(key))
            assert list(registry) == sorted(model)
            assert registry.with_prefix(end) == {
                key: owner for key, owner in model.items() if key.startswith(end)
            }

    trio.run(play)


@pytest.mark.fault("W5")
async def test_keys_and_monitors_are_served_also_when_a_callback_before_them_raises(
    owners: DynamicSupervisorRef,
) -> None:
    """Elixir's Registry: keys are removed once their owner exits."""

    def fail(_: ExitReason) -> NoReturn:
        raise SystemExit(1)

    registry: Registry[str] = Registry()
    heard: list[ExitReason] = []
    actor = await owners.start_child(actor_child("a", lambda: Owner(registry, "key")))
    registry.register("another", actor)
    actor.when_stopped(fail)
    registry.register("third", actor)
    actor.when_stopped(heard.append)

    actor.tell("stop")
    await actor.wait_stopped()
    await settle()

    assert len(registry) == 0
    assert len(heard) == 1


@pytest.mark.fault("W5")
async def test_a_callback_of_a_supervisors_end_that_raises_keeps_no_other_from_hearing() -> None:
    """erlang(3): monitor/2, each monitor gets its message."""

    def fail(_: ExitReason) -> NoReturn:
        raise SystemExit(1)

    heard: list[ExitReason] = []
    async with open_supervisor("root") as root:
        for callback in (heard.append, fail, heard.append):
            root.when_stopped(callback)
    assert len(heard) == 2
