"""Refs: the addresses of actors, and the only way to send them messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from threading import get_ident
from typing import Any, Generic, TypeVar

import attrs
import trio

from greenroom.actors.errors import ActorError, AskedItself, AskTimeout, NotARequest
from greenroom.actors.exit import Callbacks, ExitReason, call_each, enrol, wait_for_end
from greenroom.actors.killable import Killable
from greenroom.actors.mailbox import Mailbox, MailboxStatistics
from greenroom.actors.own_life import OwnLife
from greenroom.actors.probe import NO_PROBE, Probe, guarded
from greenroom.actors.reactors.dispatcher import Dispatcher
from greenroom.actors.reactors.own_thread import WrongThread
from greenroom.actors.reply import Reply, ReplyOutcome

M_contra = TypeVar("M_contra", contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
N = TypeVar("N")


class ActorStopped(ActorError):
    """The actor has ended; `reason` says how."""

    temporary = True

    def __init__(self, name: str, reason: ExitReason) -> None:
        super().__init__(
            f"actor {name!r} has stopped: {reason}",
            advice="if it was restarted, ask its supervisor for the child again",
        )
        self.name = name
        self.reason = reason
        self.__cause__: BaseException | None = reason.error


class Request(Generic[R_co]):
    """A message that has an answer, for `class Balance(Request[int])` an `int`."""

    __slots__ = ()


@attrs.define(eq=False)  # not frozen: that doubles what a request costs
class Ask(Generic[R]):
    """A request in a mailbox, with the place for its answer."""

    request: Request[R]
    reply: Reply[R]


class Ref(Killable, Generic[M_contra]):
    """The address of an actor. Once the actor has stopped, its methods raise `ActorStopped`.

    In another thread than that of the actor's trio run they raise `WrongThread`, and do nothing:
    there, use `trio.from_thread.run_sync(ref.tell, message)`.
    """

    __slots__ = (
        "__weakref__",
        "_abort",
        "_actor",
        "_answered",
        "_hand_over",
        "_in_turn",
        "_is_over",
        "_last_words",
        "_mailbox",
        "_own",
        "_probe",
        "_reason",
        "_task",
        "_thread",
        "_unanswered",
        "_when_stopped",
        "name",
        "traps_exits",
    )

    def __init__(
        self, name: str, mailbox: Mailbox[M_contra | Ask[object]], probe: Probe = NO_PROBE
    ) -> None:
        self.name: str = str(name)  # an id is a subclass of str whose repr shows its class
        self._mailbox = mailbox
        self.traps_exits: bool = False
        """Whether the actor gets `Exited` when a linked actor ends, and does not end with it."""
        self._probe = guarded(probe)
        self._reason: ExitReason | None = None
        self._is_over = False  # it was announced; `_reason` is set before
        self._actor: object = None
        self._last_words: trio.CancelScope | None = None
        self._task: trio.lowlevel.Task | None = None
        self._thread = get_ident()
        self._hand_over: Callable[[M_contra], bool] | None = None
        self._in_turn = False  # a dispatcher runs the actor's handler just now
        self._own: OwnLife[M_contra] | None = None
        self._unanswered: set[Reply[Any]] = set()  # Any: each request has its own answer
        self._answered = self._unanswered.discard  # made once, not for each request
        self._abort: Callable[[ExitReason], None] | None = None
        self._when_stopped: Callbacks | None = None

    def __repr__(self) -> str:
        return f"<Ref {self.name}{f' ({self._reason})' if self._reason else ''}>"

    @property
    def exit_reason(self) -> ExitReason | None:
        """How the actor ended; None while it runs."""
        return self._reason

    def tell(self, message: M_contra) -> None:
        """Put a message in the mailbox. Raises `ActorStopped`, or `MailboxFull` if it rejects."""
        self._check_alive()
        self._mailbox.put_nowait(message)
        if self._probe is not NO_PROBE:
            self._probe.told(self.name, message)

    async def send(self, message: M_contra) -> None:
        """Put a message in the mailbox, waiting for room. Raises `ActorStopped`.

        If it is cancelled or raises, nothing was delivered.
        """
        self._check_alive()
        await self._mailbox.put(message)
        if self._probe is not NO_PROBE:
            self._probe.told(self.name, message)

    def tell_owed(self, message: M_contra) -> None:
        """Deliver a message that the actor itself asked for; silently dropped if it has stopped."""
        if self._reason is None:
            if get_ident() != self._thread:
                raise self._wrong_thread()
            self._mailbox.put_owed(message)
            if self._probe is not NO_PROBE:
                self._probe.told(self.name, message)

    def hand(self, message: M_contra) -> None:
        """As `tell_owed`; but a reactor that has nothing else to do handles the message at once, in
        the caller's task. For reactors whose handlers leave no cancel scope open: it would be the
        caller's."""
        hand_over = self._hand_over
        if hand_over is None or self._probe is not NO_PROBE or not hand_over(message):
            self.tell_owed(message)

    async def ask(self, request: Request[R], *, timeout: float | None = None) -> R:
        """Send a request, waiting for room, and wait for its answer, `timeout` seconds in all.

        Raises `ActorStopped` if the actor ends first, `AskTimeout`, the error that the actor failed
        the request with, `AskedItself` in the actor's own task, or `NotARequest`.
        """
        if self._in_own_task():
            self._check_thread()
            raise AskedItself(f"actor {self.name!r} asked itself and would wait for ever")
        reply: Reply[R] | None = None
        try:
            if timeout is None:
                reply = await self.send_request(request)
                return await reply.wait()
            with trio.move_on_after(timeout):
                reply = await self.send_request(request)
                return await reply.wait()
        finally:
            self._unanswered.discard(reply)
        failed = "had no room for" if reply is None else "did not answer"
        raise AskTimeout(
            f"{self.name!r} {failed} {type(request).__name__} in {timeout} s",
            advice=self._why_silent(),
        )

    def _why_silent(self) -> str:
        dispatcher = getattr(self._actor, "dispatcher", None)
        if isinstance(dispatcher, Dispatcher) and not dispatcher.runs:
            return "its dispatcher does not run: start `dispatcher.run` in a task before the actor"
        return ""

    async def send_request(self, request: Request[R]) -> Reply[R]:
        """Send a request, waiting for room as `send` does; returns the reply it will set.

        Raises `ActorStopped` or `NotARequest`. If it is cancelled or raises, nothing was delivered.
        It is a checkpoint only if it has to wait.
        """
        if not self._mailbox.is_full:
            return self.request(request)
        self._check_alive()
        if not isinstance(request, Request):
            raise NotARequest(self.name, request)
        ask = Ask(request, Reply[R](self._answered))
        self._unanswered.add(ask.reply)  # before it waits: the actor may end as soon as it is in
        try:
            await self._mailbox.put(ask)  # type: ignore[arg-type]  # Ask[R], R any
        except BaseException:
            self._unanswered.discard(ask.reply)
            raise
        if self._probe is not NO_PROBE:
            self._probe.told(self.name, request)
        return ask.reply

    def request(self, request: Request[R]) -> Reply[R]:
        """Send a request without waiting; returns the reply it will set.

        Raises `ActorStopped`, `NotARequest`, or `MailboxFull` (or drops the oldest message, as
        `tell` does). The reply fails if the actor ends without answering.
        """
        if self._reason is not None or get_ident() != self._thread:
            self._check_alive()
        if not isinstance(request, Request):
            raise NotARequest(self.name, request)
        reply: Reply[R] = Reply(self._answered)
        self._mailbox.put_nowait(Ask(request, reply))  # type: ignore[arg-type]  # Ask[R], R any
        self._unanswered.add(reply)
        if self._probe is not NO_PROBE:
            self._probe.told(self.name, request)
        return reply

    def pipe(self, request: Request[R], to: Ref[N], wrap: Callable[[ReplyOutcome[R]], N]) -> None:
        """Send a request; `to` gets its outcome as the message `wrap(outcome)`.

        If the actor behind `to` calls it, the message arrives only if that actor is not restarted
        before. Raises what `request` raises.
        """
        addressee = to._addressee()
        self.request(request).then(partial(_pass_on, addressee, wrap))

    async def wait_stopped(self) -> ExitReason:
        """Wait until the actor has ended; returns its exit reason."""
        await wait_for_end(self.when_stopped)
        assert self._reason is not None, "_announce_end sets the reason first"
        return self._reason

    def when_stopped(self, callback: Callable[[ExitReason], None]) -> Callable[[], None]:
        """Call `callback(reason)` once the actor has ended, or now; returns a function that undoes.

        The callback runs in the actor's task: it must neither block nor raise.
        """
        self._check_thread()
        callbacks = self._when_stopped = self._when_stopped or {}
        call_off = enrol(callbacks, callback)
        if self._is_over:
            assert self._reason is not None, "_announce_end sets the reason first"
            call_each(callbacks, self._reason)
        return call_off

    @property
    def is_idle(self) -> bool:
        """Whether the actor waits for a message, and none is there."""
        return self._mailbox.awaited

    def statistics(self) -> MailboxStatistics:
        """The figures of the mailbox; reading them sends no message."""
        return self._mailbox.statistics()

    def _in_own_task(self) -> bool:
        if self._in_turn:
            return True
        return self._task is not None and self._task is trio.lowlevel.current_task()

    def _addressee(self) -> Ref[M_contra] | OwnLife[M_contra]:
        """Where to send what is asked for now: to this life alone if the actor itself asks."""
        own = self._own
        return own if own is not None and self._in_own_task() else self

    def _check_alive(self) -> None:
        if self._reason is not None:
            raise ActorStopped(self.name, self._reason)
        if get_ident() != self._thread:
            raise self._wrong_thread()

    def _check_thread(self) -> None:
        if get_ident() != self._thread:
            raise self._wrong_thread()

    def _wrong_thread(self) -> WrongThread:
        return WrongThread(f"actor {self.name!r}")

    def _refuse(self, reason: ExitReason) -> None:
        """From now on every tell raises; waiting senders and asks fail."""
        self._reason = reason
        self._mailbox.turn_away(lambda: ActorStopped(self.name, reason))
        for message in self._mailbox.discard_all():
            if isinstance(message, Ask):
                message.reply.fail(ActorStopped(self.name, reason))

    @property
    def linkable(self) -> bool:
        """Whether a supervisor runs the actor, or it has ended."""
        return self._abort is not None or self._reason is not None

    def _tell_exited(self, message: object) -> None:
        """Any actor may be linked; an actor that traps exits must expect this message."""
        self.tell_owed(message)  # type: ignore[arg-type]  # see above

    def _kill(self) -> Iterable[Killable]:
        """Cut the actor's `stopping` short, although it is shielded. Nothing is below an actor."""
        if self._last_words is not None:
            self._last_words.cancel()
        return ()

    def _fail_taken(self, reason: ExitReason) -> None:
        """Fail the asks that the actor took and did not answer: no other actor can answer them."""
        messages = (*self._mailbox.waiting(), *self._mailbox.outside())
        waiting = {message.reply for message in messages if isinstance(message, Ask)}
        for reply in self._unanswered - waiting:
            reply.fail(ActorStopped(self.name, reason))

    def _announce_end(self, reason: ExitReason) -> None:
        self._reason = reason
        self._abort = None
        self._is_over = True
        call_each(self._when_stopped or {}, reason)

    def _forget_actor(self) -> None:
        """Its supervisor has taken note of its end. An actor knows its ref: were it known in turn,
        both, and all they know, would stay in memory until the garbage collector runs."""
        self._actor = self._last_words = None
        self.traps_exits = False

    def _close(self, reason: ExitReason) -> None:
        """No actor follows the last one: what still waits in the mailbox fails."""
        if not self._is_over:
            self._refuse(reason)
            self._fail_taken(reason)
            self._announce_end(reason)


def _pass_on(
    addressee: Ref[N] | OwnLife[N], wrap: Callable[[ReplyOutcome[R]], N], result: ReplyOutcome[R]
) -> None:
    addressee.tell_owed(wrap(result))
