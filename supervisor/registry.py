"""The registry: unique keys for actors, freed when their owners end (Elixir's Registry)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from functools import partial
from typing import Generic, TypeVar

from greenroom.actors.exit import ExitReason
from greenroom.actors.ref import ActorStopped, Ref
from greenroom.supervisor.errors import NotRegistered, RegistryConflict

M = TypeVar("M")


class Registry(Generic[M]):
    """Finds refs by key. Make a registry and pass it on: there is no global one.

    A key belongs to one owner; an owner may have many keys. They are free again once the owner has
    ended and its `stopping` is over: before a supervisor restarts it, and before monitors learn of
    the end.
    """

    def __init__(self, name: str = "registry") -> None:
        self.name = name
        self._owners: dict[str, Ref[M]] = {}
        self._sorted: list[str] = []
        self._call_off: dict[str, Callable[[], None]] = {}

    def __repr__(self) -> str:
        return f"<Registry {self.name}: {len(self)} keys>"

    def __len__(self) -> int:
        return len(self._owners)

    def __contains__(self, key: str) -> bool:
        return key in self._owners

    def __iter__(self) -> Iterator[str]:
        """The present keys, sorted."""
        return iter(tuple(self._sorted))

    def register(self, key: str, owner: Ref[M]) -> None:
        """Give `key` to `owner`; does nothing if it has the key already.

        Raises `RegistryConflict` if another actor has it, `ActorStopped` if the owner has ended.
        """
        present = self._owners.get(key)
        if present is owner:
            return
        if present is not None:
            raise RegistryConflict(self.name, key, present)
        if owner.exit_reason is not None:
            raise ActorStopped(owner.name, owner.exit_reason)
        call_off = owner.when_stopped(partial(self._free, key))  # raises in another thread
        self._call_off[key] = call_off
        self._owners[key] = owner
        insort(self._sorted, key)

    def unregister(self, key: str, owner: Ref[M]) -> None:
        """Free a key before its owner ends. Does nothing if the key is not this owner's."""
        if self._owners.get(key) is owner:
            self._call_off[key]()
            self._free(key)

    def look_up(self, key: str) -> Ref[M]:
        """The owner of a key. Raises `NotRegistered`."""
        owner = self._owners.get(key)
        if owner is None:
            raise NotRegistered(self.name, key)
        return owner

    def get(self, key: str) -> Ref[M] | None:
        """The owner of a key, or None."""
        return self._owners.get(key)

    def with_prefix(self, prefix: str) -> dict[str, Ref[M]]:
        """All keys with a prefix, sorted, with their owners; other keys cost no time."""
        found: dict[str, Ref[M]] = {}
        for index in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            key = self._sorted[index]
            if not key.startswith(prefix):
                break
            found[key] = self._owners[key]
        return found

    def keys_of(self, owner: Ref[M]) -> tuple[str, ...]:
        """The keys of one owner, sorted; looks at every key."""
        return tuple(key for key in self._sorted if self._owners[key] is owner)

    def _free(self, key: str, _: ExitReason | None = None) -> None:
        del self._owners[key], self._call_off[key]
        del self._sorted[bisect_left(self._sorted, key)]
