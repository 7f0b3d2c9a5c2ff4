"""What a user says: kept once for each key, however often it comes."""

from __future__ import annotations

from collections.abc import Callable

import outcome

from greenroom.actors.errors import ActorStopped, GreenroomError
from greenroom.actors.ref import Ref
from greenroom.actors.reply import Outcome, Reply
from greenroom.delivery.context import UserContext
from greenroom.delivery.draft import Draft, user_said
from greenroom.delivery.errors import UserUnavailable
from greenroom.delivery.ids import EventId, RunId, UserId
from greenroom.delivery.journal import Record, Said
from greenroom.delivery.user_messages import RunStarted, UserMessage, UserSays
from greenroom.delivery.user_parts import UserParts

Offer = Callable[[Draft, Reply[Record]], None]


class Says:
    """A part of the user actor. The first `say` of a key is looked up in the journal, kept, and
    its run launched; those that come meanwhile wait for the same answer."""

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        *,
        actor: Ref[UserMessage],
        offer: Offer,
        leave: Callable[[RunId], None],
    ) -> None:
        """`offer` has a draft kept; `leave` tells of a run that was kept but not launched."""
        self._user = user
        self._parts = parts
        self._actor = actor
        self._offer = offer
        self._leave = leave
        self._waiting: dict[str, list[Reply[RunStarted]]] = {}

    def say(self, request: UserSays, reply: Reply[RunStarted]) -> None:
        replies = self._waiting.setdefault(request.say, [])
        replies.append(reply)
        if len(replies) == 1:
            self._parts.ask_journal(
                self._actor,
                lambda journal: journal.said(self._user, request.say),
                lambda said: self._known(request, said),
            )

    def fail_all(self, error: Callable[[], ActorStopped]) -> None:
        for say in list(self._waiting):
            self._answer(say, outcome.Error(error()))

    def _known(self, request: UserSays, known: Outcome[Said | None]) -> None:
        if isinstance(known, outcome.Error):
            self._answer(request.say, known)
        elif known.value is not None:
            again = RunStarted(known.value.run, known.value.thread)
            self._answer(request.say, outcome.Value(again))
        else:
            self._keep(request)

    def _keep(self, request: UserSays) -> None:
        ids = self._parts.ids
        try:
            context = UserContext.new(
                user=self._user, thread=request.thread, session=request.session, ids=ids
            )
            said = user_said(
                event=ids.new(EventId), context=context, body=request.body, say=request.say
            )
            self._parts.turns.enter(context.run)
        except GreenroomError as error:  # it cannot be kept: that is its sender's to know
            return self._answer(request.say, outcome.Error(error))
        kept: Reply[Record] = Reply()
        kept.then(lambda result: self._kept(request, context, result))
        return self._offer(said, kept)

    def _kept(self, request: UserSays, context: UserContext, kept: Outcome[Record]) -> None:
        if isinstance(kept, outcome.Error):
            self._parts.turns.leave(context.run)
            return self._answer(request.say, kept)
        try:
            self._parts.launch(context, request.body)
        except GreenroomError as error:  # the supervisor of runs is stopping or restarting
            self._parts.turns.leave(context.run)
            self._leave(context.run)
            unavailable = UserUnavailable(f"the run could not be started: {error}")
            return self._answer(request.say, outcome.Error(unavailable))
        started = RunStarted(context.run, context.thread)
        return self._answer(request.say, outcome.Value(started))

    def _answer(self, say: str, result: Outcome[RunStarted]) -> None:
        for reply in self._waiting.pop(say, ()):
            if isinstance(result, outcome.Error):
                reply.fail(result.error)
            else:
                reply.succeed(result.value)
