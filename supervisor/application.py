"""Applications: components started in the order of what they need (application(3), R33)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import AbstractAsyncContextManager

import attrs

from greenroom.supervisor.child_spec import ChildSpec
from greenroom.supervisor.crash.crash_log import CrashLog
from greenroom.supervisor.errors import CircularNeeds, InvalidChildSpec, UnknownNeed
from greenroom.supervisor.restarts import Intensity
from greenroom.supervisor.static_supervisor_ref import StaticSupervisorRef
from greenroom.supervisor.strategy import AutoShutdown, Strategy
from greenroom.supervisor.supervisor import open_supervisor


@attrs.frozen
class Component:
    """A part of an application: how it starts, and the ids of those that must be up before."""

    spec: ChildSpec
    needs: tuple[str, ...] = attrs.field(default=(), kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.spec, ChildSpec):
            raise InvalidChildSpec(f"a component is made of a child spec, not {self.spec!r}")
        if isinstance(self.needs, str):
            raise InvalidChildSpec(f"component {self.id!r}: needs is a tuple of ids, not a string")

    @property
    def id(self) -> str:
        return self.spec.id


def open_application(
    name: str,
    components: Iterable[Component],
    *,
    strategy: Strategy = Strategy.REST_FOR_ONE,
    intensity: Intensity | None = None,
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    crash_log: CrashLog | None = None,
) -> AbstractAsyncContextManager[StaticSupervisorRef]:
    """Run components under one supervisor, each after what it needs, stopped in reverse.

    A start that fails stops what had started, in reverse, and raises `StartFailed`, which names
    the component. By `REST_FOR_ONE`, what started after a component restarts with it, so nobody
    is left with the remains of what it needs. Raises `UnknownNeed` or `CircularNeeds` at once.
    """
    specs = [component.spec for component in start_order(components)]
    return open_supervisor(
        name,
        specs,
        strategy=strategy,
        intensity=intensity,
        auto_shutdown=auto_shutdown,
        crash_log=crash_log,
    )


def start_order(components: Iterable[Component]) -> tuple[Component, ...]:
    """Each after all that it needs, and otherwise in the order they were given.

    Raises `UnknownNeed`, `CircularNeeds`, or `InvalidChildSpec` for two of one id.
    """
    known: dict[str, Component] = {}
    for component in components:
        if component.id in known:
            raise InvalidChildSpec(f"two components are named {component.id!r}")
        known[component.id] = component
    ordered: dict[str, Component] = {}
    for component in known.values():
        for each in _with_needs(component, known, ordered, ()):
            ordered[each.id] = each
    return tuple(ordered.values())


def _with_needs(
    component: Component,
    known: dict[str, Component],
    ordered: dict[str, Component],
    path: tuple[str, ...],
) -> Iterator[Component]:
    """What has to start for it, itself last, without those in order already."""
    if component.id in path:
        raise CircularNeeds((*path[path.index(component.id) :], component.id))
    for need in component.needs:
        if need not in known:
            raise UnknownNeed(component.id, need, difflib.get_close_matches(need, known, 1))
        if need not in ordered:
            yield from _with_needs(known[need], known, ordered, (*path, component.id))
    if component.id not in ordered:
        yield component
