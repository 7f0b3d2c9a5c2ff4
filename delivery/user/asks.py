"""The open questions to a user: each gets exactly one end, whoever is first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeAlias

import attrs
import orjson
import outcome
import trio

from greenroom.actors.errors import Fault, GreenroomError, another
from greenroom.actors.ref import ActorStopped, Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.delivery.asks.ask_keys import has_key
from greenroom.delivery.asks.questions import check_answer, expiry_of, same_json
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.events.asks import ask_of
from greenroom.delivery.events.draft import CloseReason, Draft, input_answered, input_closed
from greenroom.delivery.events.ids import AskId, EventId, RunId, UserId
from greenroom.delivery.events.kinds import ASK_ENDS, Event, Kind
from greenroom.delivery.events.record import Record
from greenroom.delivery.journal.reads import ReadAskEnd
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.user.messages import (
    AnswerAsk,
    AskDue,
    AskUser,
    AwaitAskEnd,
    UserMessage,
    WithdrawAsk,
)
from greenroom.delivery.user.parts import UserParts

AGAIN_SECONDS = 1.0
"""Seconds after which an expiry that could not be kept is tried again."""

ANSWERS_AT_ONCE = 128
"""Answers and other ends of a question that may wait for the one on its way to the journal."""

AboutAsk: TypeAlias = AskUser | AwaitAskEnd | WithdrawAsk | AnswerAsk
EndOutcome = ReplyOutcome[Record]


class UnknownAsk(DeliveryError):
    """This user was never asked this question, or its end was trimmed."""

    fault: ClassVar[Fault] = Fault.CLIENT


class AskClosed(DeliveryError):
    """The question was closed before the answer came."""

    fault: ClassVar[Fault] = Fault.CLIENT


class AlreadyAnswered(DeliveryError):
    """The question has another answer, which stays."""

    fault: ClassVar[Fault] = Fault.CLIENT


class TooManyAnswers(DeliveryError):
    """Many answers to the question wait for the journal already."""

    fault: ClassVar[Fault] = Fault.CLIENT
    temporary = True


@attrs.define(eq=False)
class _Open:
    """An open question. `asked` is None while it is on its way to the journal, `ending` True while
    an end is. `over`: its run ended meanwhile, so it is closed next. `due`: when it expires, by
    trio's clock. `awaiting` and `replies`: who wants to know how it ends; the latter are runs,
    which also know when it was not kept."""

    run: RunId
    asked: Record | None = None
    due: float | None = None
    withdrawn: bool = False
    ending: bool = False
    over: bool = False
    awaiting: list[Callable[[EndOutcome], None]] = attrs.field(factory=list)
    replies: list[Reply[Record]] = attrs.field(factory=list)


class Asks:
    """A part of the user actor, which is the only one to end a question: an end that comes while
    another is on its way to the journal waits for that one, and is answered by it."""

    __slots__ = ("_actor", "_clock", "_open", "_outbox", "_parts", "_user", "_wind", "_wound")

    def __init__(
        self,
        user: UserId,
        parts: UserParts,
        outbox: Outbox[Reply[Record]],
        actor: Ref[UserMessage],
        wind: Callable[[float, AskDue], None],
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        """`clock` is monotonic, in seconds. `wind` starts the only timer that questions have, or
        sets it to another time."""
        self._user = user
        self._parts = parts
        self._outbox = outbox
        self._actor = actor
        self._wind = wind
        self._clock = clock
        self._open: dict[AskId, _Open] = {}
        self._wound: float | None = None  # the time that the timer is set to

    def take(self, request: AboutAsk, reply: Reply[Any]) -> None:
        """One of `REQUESTS`."""
        self.REQUESTS[type(request)](self, request, reply)

    @property
    def asked(self) -> Sequence[Record]:
        """The `input_requested` of each open question, oldest first."""
        return tuple([each.asked for each in self._open.values() if each.asked is not None])

    def load(self, asked: Iterable[Record], open_runs: Iterable[RunId]) -> None:
        """The questions that the journal has as open. Those whose run has ended are closed."""
        known_runs = set(open_runs)
        for record in asked:
            self._began(ask_of(record), record)
            if record.run not in known_runs:
                self._close(ask_of(record), "withdrawn")

    def ask(self, request: AskUser, reply: Reply[Record]) -> None:
        """Keep a question, and answer with its event. One with a key that an earlier attempt asked
        is not asked again: the answer is the event it has got so far, perhaps its end."""
        known = self._open.get(request.ask)
        if known is not None and known.asked is not None:
            reply.succeed(known.asked)
        elif has_key(request.ask):
            self._look_up(request.ask, partial(self._ask_unless_ended, request, reply))
        else:
            self._keep(request, reply)

    def _ask_unless_ended(self, request: AskUser, reply: Reply[Record], end: EndOutcome) -> None:
        if isinstance(end, outcome.Value):
            reply.succeed(end.value)
        elif isinstance(end.error, UnknownAsk):
            self._keep(request, reply)
        else:
            reply.fail(end.error)

    def _keep(self, request: AskUser, reply: Reply[Record]) -> None:
        self._open[request.ask] = _Open(request.draft.run)
        kept: Reply[Record] = Reply()
        kept.then(partial(self._kept, request.ask, reply))
        self._outbox.offer(request.draft, kept)

    def answer(self, request: AnswerAsk, reply: Reply[int]) -> None:
        """Answered with the offset of the `input_answered`, also if the same answer came before."""
        ended = partial(_answer_by_end, request, reply)
        known = self._open.get(request.ask)
        if known is None or known.asked is None:
            return self._look_up(request.ask, ended)
        if len(known.awaiting) >= ANSWERS_AT_ONCE:
            many = f"at most {ANSWERS_AT_ONCE} answers to a question may wait for the journal"
            reply.fail(TooManyAnswers(many, advice="answer again in a moment"))
            return None
        if known.ending:
            known.awaiting.append(ended)
            return None
        try:
            check_answer(known.asked, request.value)
            answered = input_answered(
                event=self._parts.ids.new(EventId),
                asked=known.asked,
                ask=request.ask,
                value=request.value,
                session=request.session,
            )
        except GreenroomError as error:
            reply.fail(error)
            return None
        known.awaiting.append(ended)
        return self._end(request.ask, answered)

    def withdraw(self, request: WithdrawAsk, reply: Reply[Record]) -> None:
        """Close a question unless it has its end; answered with that end."""
        known = self._open.get(request.ask)
        if known is None:
            return self._look_up(request.ask, partial(_tell_end, reply))
        known.awaiting.append(partial(_tell_end, reply))
        known.withdrawn = True
        return self._close(request.ask, "withdrawn")

    def wait(self, request: AwaitAskEnd, reply: Reply[Record]) -> None:
        """Answered with the end of a question, once it has one."""
        known = self._open.get(request.ask)
        if known is None:
            self._look_up(request.ask, partial(_tell_end, reply))
        else:
            known.replies = [each for each in known.replies if not each.abandoned]
            known.replies.append(reply)

    def expire(self) -> None:
        """Close the questions whose time is over, and wait for the next one's."""
        self._wound, now = None, self._clock()
        for ask, known in list(self._open.items()):
            if known.due is not None and known.due <= now:
                self._close(ask, "expired")
        dues = [each.due for each in self._open.values() if each.due is not None]
        self._wind_to(min((due for due in dues if due > now), default=None))

    def close_run(self, run: RunId) -> None:
        """The run is about to end: close its questions."""
        for ask, known in list(self._open.items()):
            if known.run == run:
                known.over = known.ending or known.asked is None
                self._close(ask, "withdrawn")

    def followed(self, record: Record) -> None:
        """Another node has kept an event of a question."""
        if record.kind is Kind.INPUT_REQUESTED:
            self._began(ask_of(record), record)
        elif (known := self._open.pop(ask_of(record), None)) is not None:
            _tell_all(known, outcome.Value(record))

    def is_late(self, end: Draft) -> bool:
        """Whether the question has an end already that this draft is to end."""
        return end.kind in ASK_ENDS and AskId.trusted(_ask_in(end)) not in self._open

    def close_attempt(self, run: RunId) -> list[Reply[Record]]:
        """The run goes on with another attempt: close the questions that have no key, which it does
        not know. Each reply is answered with the end of a question, once it is kept."""
        asks = [ask for ask, known in self._open.items() if known.run == run and not has_key(ask)]
        ends = [(WithdrawAsk(ask), Reply[Record]()) for ask in asks]
        for request, end in ends:
            self.withdraw(request, end)
        return [end for _, end in ends]

    def fail_all(self, error: Callable[[], ActorStopped]) -> None:
        asks, self._open = self._open, {}
        for known in asks.values():
            _tell_all(known, outcome.Error(error()))

    REQUESTS: ClassVar[Mapping[type[AboutAsk], Callable[..., None]]] = {
        AskUser: ask,
        AwaitAskEnd: wait,
        WithdrawAsk: withdraw,
        AnswerAsk: answer,
    }

    # Inside

    def _kept(self, ask: AskId, reply: Reply[Record], kept: EndOutcome) -> None:
        if isinstance(kept, outcome.Error):
            reply.fail(kept.error)
            if known := self._open.pop(ask, None):
                _tell_all(known, kept)
        else:
            self._began(ask, kept.value)
            reply.succeed(kept.value)

    def _began(self, ask: AskId, asked: Record) -> None:
        known = self._open.setdefault(ask, _Open(asked.run))
        known.asked, known.due = asked, self._due(asked)
        if known.due is not None and (self._wound is None or known.due < self._wound):
            self._wind_to(known.due)
        if known.withdrawn or known.over:  # by a run that did not wait until it was kept
            self._close(ask, "withdrawn")

    def _due(self, asked: Record) -> float | None:
        """By trio's clock, which is not set back: the wall clock is only asked how much is left of
        the question's time, which cannot be more than all of it."""
        expires = expiry_of(asked)
        if expires is None:
            return None
        left = min(expires - self._parts.now_ms(), expires - asked.at)
        return self._clock() + max(0, left) / 1000

    def _close(self, ask: AskId, reason: CloseReason) -> None:
        known = self._open.get(ask)
        if known is not None and known.asked is not None and not known.ending:
            event, asked = self._parts.ids.new(EventId), known.asked
            self._end(ask, input_closed(event=event, asked=asked, ask=ask, reason=reason))

    def _end(self, ask: AskId, end: Draft) -> None:
        self._open[ask].ending = True
        kept: Reply[Record] = Reply()
        kept.then(partial(self._ended, ask))
        self._outbox.offer(end, kept)

    def _ended(self, ask: AskId, end: EndOutcome) -> None:
        """The end is kept; or it is not, and the question is open as before."""
        known = self._open.get(ask)
        if known is None:  # all have failed
            return
        if isinstance(end, outcome.Error):
            known.ending, awaiting, known.awaiting = False, known.awaiting, []
            if known.due is not None:
                self._wind_to(max(known.due, self._clock() + AGAIN_SECONDS))
            for tell in awaiting:
                tell(end)
            if known.over:
                known.over = False
                self._close(ask, "withdrawn")
        else:
            del self._open[ask]
            _tell_all(known, end)

    def _look_up(self, ask: AskId, tell: Callable[[EndOutcome], None]) -> None:
        question = ReadAskEnd(self._user, ask)
        self._parts.ask_journal(self._actor, question, partial(_tell_found, ask, tell))

    def _wind_to(self, due: float | None) -> None:
        if due is not None:
            self._wound = due
            self._wind(max(0.0, due - self._clock()), AskDue())


def _ask_in(end: Draft) -> str:
    return str(orjson.loads(end.rest)["data"]["ask"])


def _tell_all(known: _Open, end: EndOutcome) -> None:
    for tell in known.awaiting:
        tell(end)
    for reply in known.replies:
        _tell_end(reply, end)


def _tell_found(
    ask: AskId, tell: Callable[[EndOutcome], None], found: ReplyOutcome[Record | None]
) -> None:
    if isinstance(found, outcome.Error):
        tell(found)
    elif found.value is None:
        unknown = UnknownAsk(f"no question {ask} was asked of you", advice="it may be trimmed")
        tell(outcome.Error(unknown))
    else:
        tell(outcome.Value(found.value))


def _tell_end(reply: Reply[Record], end: EndOutcome) -> None:
    if isinstance(end, outcome.Error):
        reply.fail(another(end.error))
    else:
        reply.succeed(end.value)


def _answer_by_end(request: AnswerAsk, reply: Reply[int], end: EndOutcome) -> None:
    """The first answer counts: the same one again gets the same reply, another one an error."""
    if isinstance(end, outcome.Error):
        reply.fail(another(end.error))
        return
    data = Event.decode(end.value.body).data
    if end.value.kind is Kind.INPUT_CLOSED:
        closed = f"question {request.ask} is closed: it was {data['reason']}"
        reply.fail(AskClosed(closed))
    elif same_json(data["value"], request.value):
        reply.succeed(end.value.offset)
    else:
        reply.fail(AlreadyAnswered(f"question {request.ask} was already answered"))
