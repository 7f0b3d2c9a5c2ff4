"""Monitors and links: a message when an actor ends, or a common end (erlang(3): monitor, link)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Never, Protocol

import attrs

from greenroom.actors.errors import ActorError
from greenroom.actors.exit import ExitKind, ExitReason
from greenroom.actors.own_life import OwnLife
from greenroom.actors.ref import Ref

AnyRef = Ref[Never]
"""A ref of any actor: it can be watched, but takes no messages."""


class LinkBroken(ActorError):
    """A linked actor did not end normally, so this one ended too; see `link`."""

    def __init__(self, name: str, reason: ExitReason) -> None:
        super().__init__(f"linked actor {name!r} ended: {reason}")
        self.name = name
        self.reason = reason
        self.__cause__: BaseException | None = reason.error


class NotLinkable(ActorError):
    """Only an actor that a supervisor runs can be linked: the supervisor stops it."""


class Watchable(Protocol):
    """What can be watched: the `Ref` of an actor, the `SupervisorRef` of a supervisor."""

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
    """Callbacks on two ends, removed together: by a call, or when the first of them comes."""

    __slots__ = ("__weakref__", "_calls_off", "_over")

    def __init__(self) -> None:
        self._calls_off: list[Callable[[], None]] = []
        self._over = False

    def _watch(self, ref: Watchable, callback: Callable[[ExitReason], None]) -> None:
        """`callback` may be called at once; then there is nothing left to watch."""
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
        self._watch(addressee, self._watcher_ended)
        self._watch(watched, partial(self._down, addressee))

    def demonitor(self) -> None:
        """Stop watching. A `Down` that is already in the mailbox still arrives."""
        self._call_off()

    def _watcher_ended(self, _: ExitReason) -> None:
        self._call_off()

    def _down(self, watcher: Ref[Down] | OwnLife[Down], reason: ExitReason) -> None:
        watcher.tell_owed(Down(self, self.ref, reason))
        self._call_off()


def monitor(watched: Watchable, watcher: Ref[Down]) -> Monitor:
    """Send `watcher` one `Down` when `watched` ends, or now if it has ended.

    Every call makes another monitor. The watched actor does not notice it. A monitor that the
    watcher itself made ends when the watcher is restarted, as its timers do. Raises `TypeError`
    for what cannot be watched, or cannot be sent a message.
    """
    if not hasattr(watched, "when_stopped"):
        raise TypeError(
            f"`watched` must be the ref of an actor or a supervisor, not {watched!r}; "
            "`whereis(name)` finds the ref of a registered name"
        )
    if not isinstance(watcher, Ref):
        raise TypeError(
            f"`watcher` must be the ref of the actor that gets the `Down`, such as `self.ref`, "
            f"not {watcher!r}"
        )
    return Monitor(watched, watcher)


@attrs.frozen(eq=False)
class Exited:
    """The message to an actor with `traps_exits` when a linked actor ends, for any reason."""

    ref: AnyRef
    reason: ExitReason


class Link(_Watching):
    """Two actors that end together; made by `link`."""

    __slots__ = ()

    def __init__(self, one: AnyRef, other: AnyRef) -> None:
        super().__init__()
        self._watch(one, partial(self._carry, one, other))
        self._watch(other, partial(self._carry, other, one))

    def unlink(self) -> None:
        """Remove the link. An end that was already carried over is not undone."""
        self._call_off()

    def _carry(self, ended: AnyRef, partner: AnyRef, reason: ExitReason) -> None:
        self._call_off()
        if partner.traps_exits:
            partner._tell_exited(Exited(ended, reason))
        elif partner._abort is not None and reason.kind is not ExitKind.NORMAL:
            partner._abort(ExitReason(reason.kind, LinkBroken(ended.name, reason)))


def link(one: AnyRef, other: AnyRef) -> Link:
    """End each of two actors when the other ends, unless it ended normally.

    The exit reason is of the same kind, so a supervisor judges both ends alike; its error is
    `LinkBroken`, with the true error as its cause. An actor with `traps_exits` goes on instead and
    gets the message `Exited`. If one has ended already, the other is ended now. Raises
    `NotLinkable` for an actor that no supervisor runs, whose link is its nursery, and for anything
    that is no actor, such as a supervisor.
    """
    for each in (one, other):
        if not isinstance(each, Ref):
            raise NotLinkable(
                f"only refs of actors can be linked, not {each!r}",
                advice="use monitor() to learn of the end of a supervisor",
            )
        if not each.linkable:
            raise NotLinkable(
                f"actor {each.name!r} cannot be linked: no supervisor runs it, so none can stop it",
                advice="start it with actor_child() under a supervisor",
            )
    return Link(one, other)
