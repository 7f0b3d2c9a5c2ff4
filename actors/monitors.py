"""Monitors and links: hearing of another actor's end, or sharing it (erlang(3): monitor, link)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Never, Protocol

import attrs

from greenroom.actors.errors import ActorError
from greenroom.actors.exit import ExitKind, ExitReason
from greenroom.actors.own_life import OwnLife
from greenroom.actors.ref import Ref

AnyRef = Ref[Never]
"""A ref of any actor: nothing can be told to it, but it can be watched."""


class LinkBroken(ActorError):
    """A linked actor ended otherwise than normally, and took this one along; see `link`."""

    def __init__(self, name: str, reason: ExitReason) -> None:
        super().__init__(f"linked actor {name!r} ended: {reason}")
        self.name = name
        self.reason = reason
        self.__cause__: BaseException | None = reason.error


class NotLinkable(ActorError):
    """Only an actor that a supervisor runs can be linked: somebody must be able to stop it."""


class Watchable(Protocol):
    """What ends: an actor by its `Ref`, a supervisor by its `SupervisorRef`."""

    name: str

    @property
    def exit_reason(self) -> ExitReason | None: ...

    def when_stopped(self, callback: Callable[[ExitReason], None]) -> Callable[[], None]: ...


@attrs.frozen(eq=False)
class Down:
    """The actor or supervisor that `monitor` watched has ended."""

    monitor: Monitor
    ref: Watchable
    reason: ExitReason


class _Watching:
    """Callbacks on two ends, called off together: by hand, or by whichever end comes first."""

    __slots__ = ("__weakref__", "_calls_off", "_over")

    def __init__(self) -> None:
        self._calls_off: list[Callable[[], None]] = []
        self._over = False

    def _watch(self, ref: Watchable, callback: Callable[[ExitReason], None]) -> None:
        """`callback` may come at once, and then there is nothing left to watch."""
        if not self._over:
            self._calls_off.append(ref.when_stopped(callback))
        if self._over:
            self._call_off()

    def _call_off(self) -> None:
        self._over = True
        while self._calls_off:
            self._calls_off.pop()()


class Monitor(_Watching):
    """An actor watching another, or a supervisor, until either ends; made by `monitor`."""

    __slots__ = ("ref",)

    def __init__(self, watched: Watchable, watcher: Ref[Down]) -> None:
        super().__init__()
        self.ref = watched
        addressee = watcher._addressee()
        self._watch(addressee, lambda _: self._call_off())
        self._watch(watched, lambda reason: self._down(addressee, reason))

    def demonitor(self) -> None:
        """Stop watching. A `Down` that is in the mailbox already still arrives."""
        self._call_off()

    def _down(self, watcher: Ref[Down] | OwnLife[Down], reason: ExitReason) -> None:
        watcher.tell_owed(Down(self, self.ref, reason))
        self._call_off()


def monitor(watched: Watchable, watcher: Ref[Down]) -> Monitor:
    """Have `watcher` told `Down` exactly once, when `watched` ends; at once if it has ended.

    Every call makes a monitor of its own. It goes one way: the watched actor does not notice.
    One that the watcher itself made ends when the watcher is restarted, as its timers do.
    """
    return Monitor(watched, watcher)


@attrs.frozen(eq=False)
class Exited:
    """What an actor with `traps_exits` is told when a linked one ends, however that was."""

    ref: AnyRef
    reason: ExitReason


class Link(_Watching):
    """Two actors that end together; made by `link`."""

    __slots__ = ()

    def __init__(self, one: AnyRef, other: AnyRef) -> None:
        super().__init__()
        self._watch(one, lambda reason: self._carry(one, other, reason))
        self._watch(other, lambda reason: self._carry(other, one, reason))

    def unlink(self) -> None:
        """Part them. What was carried over already stays so."""
        self._call_off()

    def _carry(self, ended: AnyRef, partner: AnyRef, reason: ExitReason) -> None:
        self._call_off()
        if partner.traps_exits:
            partner._tell_exited(Exited(ended, reason))
        elif partner._abort is not None and reason.kind is not ExitKind.NORMAL:
            partner._abort(ExitReason(reason.kind, LinkBroken(ended.name, reason)))


def link(one: AnyRef, other: AnyRef) -> Link:
    """Let each end when the other does, unless that one ended normally.

    The reason is of the same kind, so a supervisor judges both ends alike; its error is
    `LinkBroken`, with the true one as its cause. An actor with `traps_exits` goes on instead, and
    is told `Exited`. When one has ended already, the other learns of it at once. Raises
    `NotLinkable` for an actor that no supervisor runs: there the nursery is the link; and for what
    is no actor, as a supervisor.
    """
    for each in (one, other):
        if not isinstance(each, Ref):
            raise NotLinkable(
                f"{each!r} is no actor's ref, and only actors are linked",
                advice="monitor() hears of the end of a supervisor too",
            )
        if not each.linkable:
            raise NotLinkable(f"{each.name!r} is run by no supervisor, so nothing can stop it")
    return Link(one, other)
