"""A user's messages (`say`): each is kept once, however often it is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

import attrs
import outcome

from greenroom.actors.errors import Fault, GreenroomError, another
from greenroom.actors.ref import ActorStopped, Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.delivery.asks.questions import same_json
from greenroom.delivery.errors import AlreadySaid, DeliveryError, UserUnavailable, damaged
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import Draft, run_policies, user_said
from greenroom.delivery.events.ids import EventId, RunId, UserId
from greenroom.delivery.events.kinds import Event, Kind
from greenroom.delivery.events.record import Entry, Record, Said, Unsaid
from greenroom.delivery.files.entries import KeptFile
from greenroom.delivery.files.reading import ReadFiles
from greenroom.delivery.files.taken import File, FileRefused, check_files, files_in
from greenroom.delivery.journal.reads import ReadSaid
from greenroom.delivery.user.messages import RunStarted, UserMessage, UserSays
from greenroom.delivery.user.parts import UserParts
from greenroom.delivery.user.runs.queued_runs import Places
from greenroom.delivery.user.runs.run_queue import TooManyRuns

Offer = Callable[[Draft, Reply[Record]], None]

SAYS_AT_ONCE = 128
"""Messages of one user that may be on their way to the journal."""


class SayConflict(DeliveryError):
    """The `id` of this `say` was used for a different body or thread. Nothing was kept."""

    fault: ClassVar[Fault] = Fault.CLIENT


@attrs.define(eq=False)
class _WaitingSay:
    """A `say` on its way to the journal, and the requests that wait for its answer."""

    request: UserSays
    replies: list[Reply[RunStarted]] = attrs.field(factory=list)


class Says:
    """A part of the user actor. A `say` is kept in one append on condition that its key is new, and
    its run is launched; the error of a refused append tells which run the first `say` started.
    Meanwhile an equal `say` waits for the same answer, and a different one with that key is
    refused."""

    __slots__ = ("_actor", "_leave", "_offer", "_parts", "_places", "_user", "_waiting")

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        *,
        actor: Ref[UserMessage],
        offer: Offer,
        places: Places,
        leave: Callable[[RunId], None],
    ) -> None:
        """`offer` has a draft kept; `leave` is called for a run that was kept but not launched."""
        self._user = user
        self._parts = parts
        self._actor = actor
        self._offer = offer
        self._places = places
        self._leave = leave
        self._waiting: dict[str, _WaitingSay] = {}

    def say(self, request: UserSays, reply: Reply[RunStarted]) -> None:
        """Answer a message once it is kept. While the server drains a message is not answered: its
        client sends it again to the next server."""
        if self._parts.turns.closed:
            return
        first = self._waiting.get(request.say)
        if first is None:
            self._begin(request, reply)
        elif _is_same(request, first.request):
            first.replies.append(reply)
        else:
            reply.fail(_conflict(request))

    def on_condition(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """The entries of an append, refused with `AlreadySaid` if one is a message that was kept
        before."""
        if not self._waiting:
            return entries
        records = [each for each in entries if type(each) is Record and each.say is not None]
        says = [each for each in records if each.kind is Kind.USER_SAID]
        conditions = (Unsaid(self._user, each.say) for each in says if each.say is not None)
        going_on = filter(None, map(self._parts.when_lost.goes_on, says))
        return [*entries, *conditions, *going_on]

    def _begin(self, request: UserSays, reply: Reply[RunStarted]) -> None:
        if len(self._waiting) >= SAYS_AT_ONCE:
            too_many = f"a user may have at most {SAYS_AT_ONCE} messages waiting for the journal"
            reply.fail(TooManyRuns(too_many, advice="send the message again in a moment"))
            return
        self._waiting[request.say] = _WaitingSay(request, [reply])
        if request.files:
            self._look_for_files(request)
        else:
            self._keep(request)

    def _look_for_files(self, request: UserSays) -> None:
        """A message is kept once all of its files are."""
        try:
            check_files(self._parts.takes, request.files)
        except GreenroomError as error:
            return self._look_up(request, error)
        question = ReadFiles(self._user, [each.key for each in request.files])
        found = partial(self._files_found, request)
        return self._parts.ask_journal(self._actor, question, found)

    def _files_found(
        self, request: UserSays, kept: ReplyOutcome[Sequence[KeptFile | None]]
    ) -> None:
        if isinstance(kept, outcome.Error):
            return self._answer(request.say, kept)
        for file, each in zip(request.files, kept.value, strict=True):
            received = 0 if each is None else each.received
            if each is None or received != file.size:
                return self._look_up(request, _incomplete(file, received))
        return self._keep(request)

    def _look_up(self, request: UserSays, error: GreenroomError) -> None:
        """A new message cannot be kept for this reason; but a repeated one has its answer."""
        question = ReadSaid(self._user, request.say)
        known = partial(self._known, request, error)
        self._parts.ask_journal(self._actor, question, known)

    def fail_all(self, error: Callable[[], ActorStopped]) -> None:
        for say in list(self._waiting):
            self._answer(say, outcome.Error(error()))

    def _known(
        self, request: UserSays, error: GreenroomError, known: ReplyOutcome[Said | None]
    ) -> None:
        if isinstance(known, outcome.Error):
            self._answer(request.say, known)
        elif known.value is None:
            self._answer(request.say, outcome.Error(error))
        else:
            self._answer(request.say, _again(request, known.value))

    def _keep(self, request: UserSays) -> None:
        ids = self._parts.ids
        try:
            context = UserContext.new(
                user=self._user, thread=request.thread, session=request.session, ids=ids
            )
            said = user_said(
                event=ids.new(EventId),
                context=context,
                body=request.body,
                say=request.say,
                files=request.files,
                beside=run_policies(self._parts.say_policies),
            )
            self._places.enter(context.run)
        except GreenroomError as error:
            return self._look_up(request, error)
        kept: Reply[Record] = Reply()
        kept.then(partial(self._kept, request, context))
        return self._offer(said, kept)

    def _kept(self, request: UserSays, context: UserContext, kept: ReplyOutcome[Record]) -> None:
        if isinstance(kept, outcome.Error):
            self._places.leave(context.run)
            return self._answer(request.say, _not_kept(request, kept))
        try:
            self._parts.launch(context, request.body, self._parts.when_lost.first())
        except GreenroomError as error:  # the supervisor of runs is stopping or restarting
            self._places.leave(context.run)
            self._leave(context.run)
            unavailable = UserUnavailable(f"the run could not be started: {error}")
            return self._answer(request.say, outcome.Error(unavailable))
        started = RunStarted(context.run, context.thread)
        return self._answer(request.say, outcome.Value(started))

    def _answer(self, say: str, result: ReplyOutcome[RunStarted]) -> None:
        for number, reply in enumerate(self._waiting.pop(say).replies):
            if isinstance(result, outcome.Error):
                reply.fail(another(result.error) if number else result.error)
            else:
                reply.succeed(result.value)


def _not_kept(request: UserSays, kept: outcome.Error) -> ReplyOutcome[RunStarted]:
    """The answer to a message that was not kept: it was kept before, or there was an error."""
    error = kept.error
    return _again(request, error.said) if isinstance(error, AlreadySaid) else kept


def _again(request: UserSays, said: Said) -> ReplyOutcome[RunStarted]:
    """The answer to the first `say` if this one is equal, an error if it is not.

    A client that let greenroom choose the thread does not know it when it repeats a message.
    """
    try:
        data = Event.decode(said.body).data
        same_files = list(request.files) == list(files_in(data))
        is_same = same_files and same_json(request.body, data.get("body"))
    except (ValueError, KeyError, TypeError) as error:
        return outcome.Error(damaged(f"what user_said of {said.run} kept", error))
    if request.thread in (None, said.thread) and is_same:
        return outcome.Value(RunStarted(said.run, said.thread))
    return outcome.Error(_conflict(request))


def _is_same(one: UserSays, other: UserSays) -> bool:
    same_place = one.thread == other.thread and tuple(one.files) == tuple(other.files)
    return same_place and same_json(one.body, other.body)


def _incomplete(file: File, received: int) -> FileRefused:
    there = f"{received:,} of {file.size:,} bytes of {file.name!r}"
    return FileRefused(
        f"say: the server has {there}: send the file again",
        advice="a file that no message names is forgotten after an hour",
    )


def _conflict(request: UserSays) -> SayConflict:
    return SayConflict(
        f"say: `id` {request.say!r} was used for a different message",
        advice="use a new `id` for each message, and the same one only to repeat a message",
    )
