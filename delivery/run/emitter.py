"""The emitter: how one run's events get to its user's actor, in the order of the grammar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs
import trio

from greenroom.actors.errors import GreenroomError, MailboxFull
from greenroom.actors.ref import ActorStopped
from greenroom.actors.reply import Reply
from greenroom.delivery.errors import EventNotKept, UserUnavailable
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import BadEvent, Draft, draft
from greenroom.delivery.events.ids import EventId, IdSource, RunId
from greenroom.delivery.events.kinds import JSON, TERMINAL, Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.observer import EmitRefusal
from greenroom.delivery.run.grammar import OutOfOrder, RunStage, RunStep, Spoken
from greenroom.delivery.run.receipt import Receipt, Requirement
from greenroom.delivery.user.messages import Emit
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
"""What an emitter is told when its event is not accepted, and what it counts as."""


@attrs.define(eq=False)
class Emitter:
    """Speaks for one run. `spoken` is what the run has said, as far as it is known to be kept.

    `end` is the last terminal event that was tried, `ended` says that it is durable. `closed`: the
    run was ended from outside, and nothing may follow.
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
    _waits: set[trio.CancelScope] = attrs.field(factory=set, init=False)

    async def emit(self, step: RunStep, kind: Kind, data: JSON) -> Receipt:
        """Have one event kept. An event that was not kept is as if it had not been said.

        Waits while the user actor's mailbox is full; cancelled meanwhile, it has said nothing.

        Raises `NotDisplayed` for one that was kept and not seen as the run requires; else
        `BadEvent`, `OutOfOrder`, `EventNotKept`, `UserUnavailable`, or `ActorStopped`: then
        it is not known whether it was kept, and the run goes on as if it was.
        """
        with self._refusals_counted():
            event = self._draft(kind, data)
            before = self.spoken
            self.spoken = before.after(step)
            receipt = await self._keep(event, kind, step, before)
        return await self.requirement.check(receipt)

    async def _keep(self, event: Draft, kind: Kind, step: RunStep, before: Spoken) -> Receipt:
        if kind in TERMINAL:
            self.end = event
        try:
            reply = await self._send(event)
        except BaseException:
            self._take_back(step, before)
            raise
        try:
            record = await reply.wait()
        except EventNotKept:
            self._take_back(step, before)
            raise
        self.ended |= kind in TERMINAL
        return Receipt.of(record, self.user.leased)

    def _take_back(self, step: RunStep, before: Spoken) -> None:
        if not self.closed:
            self.spoken = self.spoken.without(step, before)

    @contextmanager
    def _refusals_counted(self) -> Iterator[None]:
        try:
            yield
        except tuple(REFUSALS) as error:
            reason = next(why for kind, why in REFUSALS.items() if isinstance(error, kind))
            self.user.observer.emit_refused(reason)
            raise

    def close(self, data: JSON) -> Draft:
        """Refuse all that comes from now on, and what waits for room; returns the `agent_failed`
        to end the run with."""
        for scope in self._waits:
            scope.cancel()
        self.closed, self.spoken = True, Spoken(RunStage.ENDED)
        self.end = self._draft(Kind.AGENT_FAILED, data)
        return self.end

    async def _send(self, event: Draft) -> Reply[Record]:
        try:
            return self.user.actor.request(Emit(event))
        except MailboxFull:
            return await self._send_when_there_is_room(event)
        except (ActorStopped, SupervisorError) as error:
            raise self._unavailable() from error

    async def _send_when_there_is_room(self, event: Draft) -> Reply[Record]:
        """Events wait in the order they were emitted in. `close` ends the waiting."""
        with trio.CancelScope() as scope:
            self._waits.add(scope)
            try:
                return await self.user.actor.send_request(Emit(event))
            except (ActorStopped, SupervisorError) as error:
                raise self._unavailable() from error
            finally:
                self._waits.discard(scope)
        raise OutOfOrder(
            f"{event.kind} cannot come now: the run was ended while it waited for room",
            advice="an agent must stop when it is cancelled",
        )

    def _unavailable(self) -> UserUnavailable:
        return UserUnavailable(
            f"the actors of user {str(self.context.user)!r} are restarting",
            advice="emit it again",
        )

    def _draft(self, kind: Kind, data: JSON) -> Draft:
        return draft(
            event=self.ids.new(EventId),
            kind=kind,
            thread=self.context.thread,
            run=self.context.run,
            parent=self.parent,
            request=self.context.request,
            data=data,
        )
