"""The emitter sends one run's events to its user actor, in the order of the grammar."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from threading import get_ident
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import attrs
import trio

from greenroom.actors.errors import GreenroomError, MailboxFull
from greenroom.actors.reactors.own_thread import check_thread
from greenroom.actors.ref import ActorStopped
from greenroom.actors.reply import Reply
from greenroom.delivery.errors import AlreadySaid, EventNotKept, UserUnavailable
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import BadEvent, Beside, Draft, Once, draft
from greenroom.delivery.events.ids import AskId, EventId, IdSource, RunId
from greenroom.delivery.events.kinds import JSON, TERMINAL, TEXTS, Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.observer import EmitRefusal
from greenroom.delivery.run.failures.failure import RunFailure
from greenroom.delivery.run.grammar import OutOfOrder, Progress, RunStage, RunStep, Spoken
from greenroom.delivery.run.receipt import Lease, Receipt, Requirement
from greenroom.delivery.user.messages import AskUser, Emit
from greenroom.supervisor.errors import SupervisorError

if TYPE_CHECKING:
    from greenroom.delivery.user.handle import UserHandle

REFUSALS: Mapping[type[GreenroomError], EmitRefusal] = MappingProxyType(
    {
        BadEvent: "bad_event",
        OutOfOrder: "out_of_order",
        EventNotKept: "journal",
        UserUnavailable: "unavailable",
    }
)
"""The errors raised for events that are not accepted, and the reason each is counted under."""


class UnsentText(Protocol):
    """The text of a run's streams that must leave before the run's next event."""

    @property
    def waiting(self) -> Collection[object]:
        """The streams with text that was not sent."""

    async def send_all(self) -> None:
        """Wait until all that waits now was sent."""

    def send_last(self) -> None:
        """Send what can be sent without waiting."""


@attrs.define(eq=False)
class Emitter:
    """Emits the events of one run. `spoken`: what the run has emitted, less what was refused.

    `end` is the last terminal event that was tried; `ended` is True once it is durable. `closed`:
    the run was ended from outside, and no event may follow. `unsent`: the text of the run's
    streams; None when none waits, since each refers to the other. `thread`: that of the trio run.
    `key`: makes the next event unique in its user's log; `AlreadySaid` is raised for another one.
    `by_hand`: `emit` is driven by hand now, and not by a task (`greenroom.portal.emit_call`).
    """

    context: UserContext
    parent: RunId | None
    user: UserHandle
    ids: IdSource
    spoken: Spoken = attrs.field(factory=Spoken)
    requirement: Requirement = attrs.field(factory=Requirement)
    end: Draft | None = None
    ended: bool = False
    closed: bool = False
    unsent: UnsentText | None = None
    key: str | None = None
    by_hand: bool = False
    _waits: set[trio.CancelScope] = attrs.field(factory=set, init=False)
    thread: int = attrs.field(factory=get_ident, init=False)
    _lease: Lease = attrs.field(init=False)  # made once, not for each receipt

    @_lease.default
    def _leases_its_user(self) -> Lease:
        return self.user.leased

    def check_thread(self) -> None:
        """Raises `WrongThread` in another thread than that of the run."""
        check_thread(self.thread, self.context.run)

    @property
    def may_go_by_hand(self) -> bool:
        """Whether an event emitted now would wait for nothing but its reply, if there is room."""
        waits = self.unsent is not None or self.requirement.displayed_within is not None
        return not waits and self.key is None

    async def emit(
        self,
        step: RunStep,
        kind: Kind,
        data: JSON,
        *,
        event: EventId | None = None,
        beside: Beside | None = None,
        ask: AskId | None = None,
    ) -> Receipt:
        """Have one event kept, with `beside`, after the text that its run's streams have written.
        A run continues after an event that was not kept as if it had not been emitted.
        `ask`: the question that an `input_requested` asks.

        Waits while the user actor's mailbox is full; if cancelled while it waits, it has emitted
        nothing.

        Raises `NotDisplayed` if the event was kept but not displayed as the run requires;
        `BadEvent`, `OutOfOrder`, `EventNotKept` or `UserUnavailable` if it was not kept;
        `ActorStopped` if that is not known, and the run continues as if it was. `WrongThread`.
        """
        if self.thread != get_ident():
            self.check_thread()
        key, self.key = self.key, None
        is_required = self.requirement.displayed_within is not None
        if self.unsent is not None:
            await self.send_text()
        before = self.spoken
        try:
            draft = self._draft(
                kind, data, event, beside if key is None else Once(key, beside), key
            )
            self.spoken = before.after(step)
            if kind in TERMINAL:
                self.end = draft
            request = Emit(draft) if ask is None else AskUser(draft, ask)
            reply = self._sent(request, step, before)
            if reply is None:
                reply = await self._sent_when_there_is_room(request, step, before)
            record = await (reply.by_hand() if self.by_hand else reply.wait())
        except (EventNotKept, AlreadySaid) as error:
            self._take_back(step, before)
            self.refused(error)
            raise
        except tuple(REFUSALS) as error:
            self.refused(error)
            raise
        if kind in TERMINAL:
            self.ended = True
        receipt = Receipt(record.id, record.kind, record.offset, record.at, self._lease)
        return await self.requirement.check(receipt) if is_required else receipt

    async def send_text(self) -> None:
        """Send the text that the run's streams have written. It is no checkpoint if none waits.
        Raises `WrongThread`."""
        self.check_thread()
        if self.unsent is not None and self.unsent.waiting:
            await self.unsent.send_all()

    def emit_piece(self, kind: Kind, data: JSON) -> Reply[Record]:
        """Send one piece of a stream; the grammar took the whole stream as one `Progress`.

        Raises `OutOfOrder` if the run is no longer running, `BadEvent` or `UserUnavailable`, and
        `MailboxFull` if it would have to wait. The error of the reply is to be given to `refused`.
        """
        try:
            if self.spoken.stage is not RunStage.RUNNING:
                self.spoken.after(Progress())
            return self._request(Emit(self._draft(kind, data)))
        except tuple(REFUSALS) as error:
            self.refused(error)
            raise

    def _sent(self, request: Emit, step: RunStep, before: Spoken) -> Reply[Record] | None:
        """The place of the answer; None if the event must wait for room."""
        try:
            return self._request(request)
        except MailboxFull:
            if not self.by_hand:
                return None
            self._take_back(step, before)
            raise
        except BaseException:
            self._take_back(step, before)
            raise

    async def _sent_when_there_is_room(
        self, request: Emit, step: RunStep, before: Spoken
    ) -> Reply[Record]:
        try:
            return await self._send_when_there_is_room(request)
        except BaseException:
            self._take_back(step, before)
            raise

    def _take_back(self, step: RunStep, before: Spoken) -> None:
        if not self.closed:
            self.spoken = self.spoken.without(step, before)

    def note(self, step: RunStep) -> None:
        """The user actor has emitted an event of this run."""
        self.spoken = self.spoken.after(step)

    def refused(self, error: GreenroomError) -> None:
        """Count an event that was not accepted."""
        reason = next((why for kind, why in REFUSALS.items() if isinstance(error, kind)), None)
        if reason is not None:
            self.user.observer.emit_refused(reason)

    def close(self, failed: RunFailure) -> Draft:
        """Refuse all further events and those that wait for room; returns the `agent_failed` that
        ends the run after the text that was written."""
        if self.unsent is not None:
            self.unsent.send_last()
        for scope in self._waits:
            scope.cancel()
        self.closed, self.spoken = True, Spoken(RunStage.ENDED)
        event = self.ids.new(EventId)
        self.end = self._draft(Kind.AGENT_FAILED, failed.data(event), event, failed.cause)
        return self.end

    def leave_end(self, kind: Kind, data: JSON) -> None:
        """Leave the run's end to the user actor, which first closes what could not be closed."""
        self.end = self._draft(kind, data)

    def _request(self, request: Emit) -> Reply[Record]:
        try:
            return self.user.actor.request(request)
        except (ActorStopped, SupervisorError) as error:
            raise self._unavailable() from error

    async def _send_when_there_is_room(self, request: Emit) -> Reply[Record]:
        """Events wait in the order in which they were emitted. `close` ends the wait."""
        with trio.CancelScope() as scope:
            self._waits.add(scope)
            try:
                return await self.user.actor.send_request(request)
            except (ActorStopped, SupervisorError) as error:
                raise self._unavailable() from error
            finally:
                self._waits.discard(scope)
        kind = request.draft.kind
        raise OutOfOrder(
            f"{kind} is not allowed now: the run was ended while the event waited for room",
            advice="an agent must stop when it is cancelled",
        )

    def _unavailable(self) -> UserUnavailable:
        return UserUnavailable(
            f"the actors of user {str(self.context.user)!r} are restarting",
            advice="emit the event again",
        )

    def _draft(
        self,
        kind: Kind,
        data: JSON,
        event: EventId | None = None,
        beside: Beside | None = None,
        say: str | None = None,
    ) -> Draft:
        return draft(
            event=event or self.ids.new(EventId),
            kind=kind,
            thread=self.context.thread,
            run=self.context.run,
            parent=self.parent,
            request=self.context.request,
            data=data,
            say=say,
            beside=beside,
            plain=kind in TEXTS,  # a str and numbers of ours
        )
