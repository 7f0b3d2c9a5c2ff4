"""The definition of a supervisor: its flags and children, and what they may be (supervisor(3))."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import attrs

from greenroom.actors.text.wording import a
from greenroom.supervisor.child_spec import ChildSpec
from greenroom.supervisor.crash.crash_log import CrashLog
from greenroom.supervisor.errors import InvalidChildSpec
from greenroom.supervisor.restarts import USUAL, Intensity
from greenroom.supervisor.strategy import AutoShutdown, Strategy


@attrs.frozen
class SupervisorDefinition:
    """What is declared of a supervisor, as data; `Supervisor` is the one that can be run.

    Raises `InvalidChildSpec` when a flag is not of its kind, or the children cannot be those of
    one supervisor.
    """

    name: str
    children: tuple[ChildSpec, ...] = ()
    strategy: Strategy = attrs.field(default=Strategy.ONE_FOR_ONE, kw_only=True)
    intensity: Intensity = attrs.field(default=USUAL, kw_only=True)
    auto_shutdown: AutoShutdown = attrs.field(default=AutoShutdown.NEVER, kw_only=True)
    crash_log: CrashLog | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_flags(self.name, self.strategy, self.intensity, self.auto_shutdown)
        check_child_specs(self.children, self.auto_shutdown, supervisor=self.name)


def check_flags(
    name: str, strategy: Strategy, intensity: Intensity, auto_shutdown: AutoShutdown
) -> None:
    """Raises `InvalidChildSpec` if one of them is of another type."""
    if not isinstance(name, str) or not name:
        raise InvalidChildSpec(
            f"a supervisor's name must be a string that is not empty, not {name!r}"
        )
    for flag, value, kind in (
        ("strategy", strategy, Strategy),
        ("intensity", intensity, Intensity),
        ("auto_shutdown", auto_shutdown, AutoShutdown),
    ):
        if not isinstance(value, kind):
            must = f"`{flag}` must be {a(kind.__name__)}, not {value!r}"
            raise InvalidChildSpec(f"{name!r}: {must}", advice=_example(kind))


def _example(kind: type) -> str:
    if not issubclass(kind, enum.Enum):
        return "for example Intensity(3, 5.0): 3 restarts in 5 seconds"
    return "one of " + ", ".join(map(str, (f"{kind.__name__}.{each.name}" for each in kind)))


def each_of(specs: Iterable[ChildSpec], supervisor: str) -> tuple[ChildSpec, ...]:
    """The children given. Raises `InvalidChildSpec` for what is no list of them."""
    if not isinstance(specs, Iterable):
        raise InvalidChildSpec(
            f"{supervisor!r}: `children` must be a list of ChildSpec, not {specs!r}",
            advice="put a single child into a list: [spec]",
        )
    return tuple(specs)


def check_child_specs(
    specs: Iterable[ChildSpec],
    auto_shutdown: AutoShutdown | None = None,
    *,
    supervisor: str = "the supervisor",
) -> None:
    """Raises `InvalidChildSpec` when these cannot be the children of one supervisor.

    Without `auto_shutdown`, significant children are not checked against it (supervisor(3),
    check_childspecs/1,2).
    """
    seen: set[str] = set()
    for spec in each_of(specs, supervisor):
        if not isinstance(spec, ChildSpec):
            raise InvalidChildSpec(f"a child of {supervisor!r} must be a ChildSpec, not {spec!r}")
        check_significance(supervisor, spec, auto_shutdown)
        if spec.id in seen:
            raise InvalidChildSpec(f"{supervisor!r} has two children named {spec.id!r}")
        seen.add(spec.id)


def check_significance(
    supervisor: str, spec: ChildSpec, auto_shutdown: AutoShutdown | None
) -> None:
    """supervisor(3), "auto_shutdown": significant children need it, and must not be permanent."""
    if not spec.significant:
        return
    if auto_shutdown is AutoShutdown.NEVER:
        raise InvalidChildSpec(
            f"{spec.id!r} must not be significant: {supervisor!r} has auto_shutdown=NEVER"
        )
    if spec.restart is None:
        raise InvalidChildSpec(
            f"{spec.id!r} is significant, so its restart must be transient or temporary"
        )
