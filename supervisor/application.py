"""Applications: components started in the order of what they need (application(3), R33)."""

from __future__ import annotations

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
    """A part of an application: its child spec, and the ids of components that must be up first."""

    spec: ChildSpec
    needs: tuple[str, ...] = attrs.field(default=(), kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.spec, ChildSpec):
            raise InvalidChildSpec(
                f"the spec of a component must be a ChildSpec, not {self.spec!r}"
            )
        if isinstance(self.needs, str):
            raise InvalidChildSpec(
                f"component {self.id!r}: needs must be a tuple of ids, not a string"
            )

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
    the component. With `REST_FOR_ONE`, what started after a component restarts with it, so that no
    component goes on with something that has ended. Raises `UnknownNeed` or `CircularNeeds`.
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
    """The components, each after all that it needs, otherwise in the given order.

    Raises `UnknownNeed`, `CircularNeeds`, or `InvalidChildSpec` for two components of one id.
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
    """What must start for it and is not in order yet, the component itself last."""
    if component.id in path:
        raise CircularNeeds((*path[path.index(component.id) :], component.id))
    for need in component.needs:
        if need not in known:
            raise UnknownNeed(component.id, need, among=known)
        if need not in ordered:
            yield from _with_needs(known[need], known, ordered, (*path, component.id))
    if component.id not in ordered:
        yield component
