"""The messages that a user actor receives, and those it sends to connections (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from greenroom.actors.recording.redaction import SECRET
from greenroom.actors.recording.small import Small, Weighed
from greenroom.actors.ref import Ref, Request
from greenroom.actors.reply import ReplyOutcome
from greenroom.delivery.events.draft import Draft
from greenroom.delivery.events.ids import AskId, ConnectionId, EventId, RunId, SessionId, ThreadId
from greenroom.delivery.events.kinds import JSON, EventClass
from greenroom.delivery.events.record import Record, size_of
from greenroom.delivery.events.stages import ReceiptStage, Standing
from greenroom.delivery.files.taken import File
from greenroom.delivery.outbox.feed import SocketGauge
from greenroom.delivery.user.nodes.messages import FromNodes, LoseRuns

# From runs


PARTS_BYTES, BESIDE_BYTES = 512, 16 * 1024
"""What an event weighs but for its JSON, and what is kept beside it: about."""


@attrs.define(unsafe_hash=True)  # not frozen, as `Record`
class Emit(Request[Record], Weighed):
    """Accept an event. Answered with its record once the record is durable."""

    draft: Draft

    @property
    def weight(self) -> int:
        beside = 0 if self.draft.beside is None else BESIDE_BYTES
        return PARTS_BYTES + len(self.draft.rest) + beside


@attrs.frozen
class AwaitStage(Request[None]):
    """Answered when the event at `offset` has reached `stage` in some session of the user."""

    offset: int
    stage: ReceiptStage


@attrs.frozen
class AskStanding(Request[Standing]):
    """Answered with how far the event has got."""

    event: EventId
    offset: int
    event_class: EventClass


@attrs.frozen
class AgentTyping:
    """Show on the live connections that an agent is writing. Never kept."""

    thread: ThreadId
    agent: str


@attrs.frozen
class RunLeft:
    """The run's code is gone: end the run if it is open. `words`: its end, which was not kept."""

    run: RunId
    words: Draft | None = None


@attrs.define(unsafe_hash=True)  # not frozen, as `Record`
class AskUser(Emit):
    """Accept the `input_requested` of a question."""

    ask: AskId


@attrs.frozen
class AwaitAskEnd(Request[Record]):
    """Answered with the event that ends the question, once there is one."""

    ask: AskId


@attrs.frozen
class WithdrawAsk(Request[Record]):
    """Close the question, unless it has its end. Answered with the event that ends it."""

    ask: AskId


# From connections and the runtime


@attrs.frozen
class EraseThread(Request[None]):
    """Answered once the thread is erased; its live runs are cancelled first."""

    thread: ThreadId


# From the sweep


@attrs.frozen
class SettleAll(Request[int | None]):
    """Answered once every event that is due has its outcome, with the time (ms) at which the next
    one may be due; None if none waits. Fails if the journal fails."""


@attrs.frozen
class EventsTrimmed:
    """The journal has forgotten the user's events through this offset."""

    through: int


# From connections


@attrs.frozen
class Attached:
    """The content of `ready`. `session` is new if the client named no session or an unknown one.

    Events after offset `after` follow; `event` is the event there, if the journal has it. `asks`:
    the `input_requested` of each open question.
    """

    session: SessionId
    epoch: str
    offset: int
    recovered: bool
    after: int
    event: EventId | None = None
    asks: Sequence[Record] = ()


@attrs.frozen
class Attach(Request[Attached]):
    """Feed this connection from the place in its `hello`: `event` is the client's event at
    `offset`. Fails with `TooManyConnections`."""

    connection: ConnectionId
    ref: Ref[ConnectionNews]
    session: SessionId | None
    epoch: str | None
    offset: int | None
    gauge: SocketGauge = attrs.field(factory=SocketGauge)
    event: EventId | None = None


@attrs.frozen
class Detach:
    """The connection is gone."""

    connection: ConnectionId


@attrs.define(unsafe_hash=True)  # not frozen, as `Record`
class Written:
    """The connection wrote everything up to `through` to its socket."""

    connection: ConnectionId
    through: int


@attrs.define(unsafe_hash=True)  # not frozen, as `Record`
class Acked:
    """The client received everything up to `offset`."""

    connection: ConnectionId
    offset: int


@attrs.frozen
class DisplayedThere:
    """The client displayed the events at these offsets to the user."""

    connection: ConnectionId
    offsets: Sequence[int]


@attrs.frozen
class ConfirmedThere:
    """The user confirmed the event at `offset`; `verdict` says whether it was of value."""

    connection: ConnectionId
    offset: int
    verdict: JSON = attrs.field(metadata=SECRET)
    note: str | None = attrs.field(metadata=SECRET)


@attrs.frozen
class UserTyping:
    """Show on the user's other connections that the user is writing."""

    connection: ConnectionId
    thread: ThreadId


@attrs.frozen
class RunStarted:
    """The answer to a `say`; a repeated `say` gets the same answer."""

    run: RunId
    thread: ThreadId


@attrs.frozen
class UserSays(Request[RunStarted]):
    """Keep the user's message and start a run for it. `say` is the client's idempotency key."""

    say: str
    thread: ThreadId | None
    session: SessionId | None
    body: JSON = attrs.field(metadata=SECRET)
    files: Sequence[File] = ()


@attrs.frozen
class AnswerAsk(Request[int]):
    """The user answers a question. Answered with the offset of the `input_answered`."""

    ask: AskId
    session: SessionId | None
    value: JSON = attrs.field(metadata=SECRET)


FromRun: TypeAlias = (
    Emit | AwaitStage | AskStanding | AgentTyping | RunLeft | AskUser | AwaitAskEnd | WithdrawAsk
)
FromConnection: TypeAlias = (
    Attach
    | Detach
    | Written
    | Acked
    | DisplayedThere
    | ConfirmedThere
    | UserTyping
    | UserSays
    | AnswerAsk
)


# From the journal, and from itself


@attrs.define(unsafe_hash=True)  # not frozen, as `Record`
class AppendDone(Small):
    """The batch in flight is durable, or lost."""

    result: ReplyOutcome[None]


@attrs.frozen
class LookedUp:
    """The journal answered a question; call `then` with the answer."""

    then: Callable[[ReplyOutcome[Any]], None]  # Any: the question decides the type of its answer
    result: ReplyOutcome[Any]


@attrs.frozen
class FlushLazily:
    """Time to write cursors and marks that were not written with an event."""


@attrs.frozen
class EndLeftRuns:
    """Time to try again to end the left runs."""


@attrs.frozen
class RedeliverDue:
    """Time to look for unacknowledged events."""


@attrs.frozen
class EraseOn:
    """Time to look whether the runs of a thread that is to be erased have ended."""


@attrs.frozen
class SettleDue:
    """Time to look for events that can be settled."""


@attrs.frozen
class AskDue:
    """Time to close questions that have expired."""


UserMessage: TypeAlias = (
    FromRun
    | FromConnection
    | SettleAll
    | EventsTrimmed
    | FromNodes
    | LoseRuns
    | EraseThread
    | EraseOn
    | AppendDone
    | LookedUp
    | FlushLazily
    | EndLeftRuns
    | RedeliverDue
    | SettleDue
    | AskDue
)


# To connections


@attrs.define(unsafe_hash=True)  # not frozen, as `Record`
class DeliverEvents(Weighed):
    """Send these records to the client: one user's, in offset order."""

    records: Sequence[Record]
    replay: bool

    @property
    def weight(self) -> int:
        return PARTS_BYTES * len(self.records) + size_of(self.records)


@attrs.frozen
class ShowTyping:
    """`sender` is writing in the thread. Never kept."""

    thread: ThreadId
    sender: str


@attrs.frozen
class ThreadErased:
    """A thread was erased."""

    thread: ThreadId


@attrs.frozen
class ReportRefused:
    """Tell the client that its report was refused."""

    message: str


@attrs.frozen
class FellBehind:
    """The backlog is over the limit; the feed has ended."""


@attrs.frozen
class ReadFailed:
    """The journal could not be read for the connection; the feed has ended."""


@attrs.frozen
class Unacknowledged:
    """Nothing sent after `since` (trio's clock) was acknowledged; the feed has ended."""

    since: float


@attrs.frozen
class SessionTaken:
    """The session has moved to another connection; the feed has ended."""


ConnectionNews: TypeAlias = (
    DeliverEvents
    | ShowTyping
    | ThreadErased
    | ReportRefused
    | FellBehind
    | ReadFailed
    | Unacknowledged
    | SessionTaken
)
