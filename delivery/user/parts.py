"""The settings and collaborators of a user actor."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence, Set
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

import attrs

from greenroom.actors.ref import Ref
from greenroom.actors.reply import Reply, ReplyOutcome
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.going_on import GoingOn
from greenroom.delivery.events.ids import IdSource, RunId, SessionId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.policy import POLICIES, Policies
from greenroom.delivery.events.record import Bounds, DeadLetter, OpenRun, Record
from greenroom.delivery.files.taken import Files
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.delivery.observer import NO_OBSERVER, Observer
from greenroom.delivery.outbox.feed import ConnectionStanding, OutboxLimits
from greenroom.delivery.outbox.sessions import Reach
from greenroom.delivery.run.attempts.attempt import RunAttempt, WhenLost
from greenroom.delivery.user.messages import LookedUp, UserMessage
from greenroom.delivery.user.outcomes.letter_log import LetterLog
from greenroom.delivery.user.runs.run_queue import RUNS_AT_ONCE, RUNS_WAITING, LiveRun, RunTurns

R = TypeVar("R")
OnUndelivered: TypeAlias = Callable[[DeadLetter], None]
Launch: TypeAlias = Callable[[UserContext, JSON, RunAttempt], None]


QUEUE_SECONDS = 300.0
"""Seconds that a run waits for a worker if there is none."""

BATCH = 256
"""Messages, or events reported as displayed, that a user actor handles before other actors run."""


def nothing_more(_: DeadLetter) -> None:
    """The default `on_undelivered`: do nothing more."""


def never() -> bool:
    """The default `is_draining`."""
    return False


def always() -> bool:
    """The default `leads`."""
    return True


def no_run(_: RunId) -> None:
    """The default `cancel`: there are no live runs."""


def wall_clock_ms() -> int:
    """Milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


@attrs.frozen
class UserAtRest:
    """What the journal has of a user that is not served: what a user actor starts with. `asked`:
    the `input_requested` of each open question. `elsewhere`: open runs that other nodes have."""

    bounds: Bounds
    open_runs: Sequence[OpenRun] = ()
    going_on: Sequence[GoingOn] = ()
    asked: Sequence[Record] = ()
    elsewhere: Set[RunId] = frozenset()


@attrs.frozen
class ReadUser(Question[UserAtRest]):
    """What the journal has of a user."""

    user: UserId

    def answer(self, reads: Reads) -> UserAtRest:
        bounds = reads.bounds(self.user)
        if not bounds.last:  # without events no runs, and no questions
            return UserAtRest(bounds)
        runs = reads.open_runs(self.user)
        going_on = reads.runs.going_on(self.user) if runs else []
        elsewhere = reads.runs.elsewhere(self.user) if runs else frozenset()
        return UserAtRest(bounds, runs, going_on, reads.asks.opened(self.user), elsewhere)


class Fed(Protocol):
    """What a gauge looks at: the outbox."""

    last: int

    @property
    def connections(self) -> int: ...
    def look(self) -> tuple[ConnectionStanding, ...]: ...
    @property
    def furthest_behind(self) -> int: ...
    @property
    def bytes_behind(self) -> int: ...
    @property
    def is_written(self) -> bool: ...


@attrs.define
class Gauge:
    """How well the user's connections keep up, read by runs and metrics: looked up when it is read.

    `fed` is set by the user actor; None while there is none. `erasures` counts the threads that
    were erased: what was read of the journal before is not shown after one.
    """

    fed: Fed | None = None
    erasures: int = 0
    awaits: bool = False

    @property
    def listening(self) -> int:
        """The number of connections."""
        return self.fed.connections if self.fed else 0

    def look(self) -> tuple[ConnectionStanding, ...]:
        """How far each connection is."""
        return self.fed.look() if self.fed else ()

    @property
    def behind(self) -> int:
        """The number of events not yet handed to the slowest connection."""
        return self.fed.furthest_behind if self.fed else 0

    @property
    def bytes_behind(self) -> int:
        """The bytes not yet handed to live connections."""
        return self.fed.bytes_behind if self.fed else 0

    @property
    def last(self) -> int:
        """The last offset that the user actor knows of."""
        return self.fed.last if self.fed else 0

    @property
    def is_written(self) -> bool:
        """Whether all that was emitted is written to the sockets of the connections."""
        return self.fed is not None and self.fed.is_written


@attrs.frozen
class UsersSettings:
    """`idle_seconds`: how long a user without connections and runs stays active.
    At most `runs_per_user` of the runs that a user starts run at once, and at most `queued_runs`
    more wait for their turn. `say_policies`: these runs' own; `takes`: the files with messages.
    `work`: the runs that a worker has at once; None for a node that is none. A run that waits for a
    worker fails after `queue_seconds` without one.
    """

    epoch: str
    limits: OutboxLimits = attrs.field(factory=OutboxLimits)
    policies: Policies = POLICIES
    when_lost: WhenLost = attrs.field(factory=WhenLost)
    say_policies: Policies = attrs.field(factory=dict)
    takes: Files | None = None
    on_undelivered: OnUndelivered = nothing_more
    ids: IdSource = attrs.field(factory=IdSource)
    now_ms: Callable[[], int] = wall_clock_ms
    idle_seconds: float = 60.0
    runs_per_user: int = RUNS_AT_ONCE
    queued_runs: int = RUNS_WAITING
    work: int | None = None
    queue_seconds: float = QUEUE_SECONDS
    observer: Observer = NO_OBSERVER


@attrs.frozen
class UserParts:
    """What a user actor works with.

    `live_runs`: this user's runs that are alive in this process. `launch` starts the agent for a
    message of the user; it must not block, and the run must have its place in `turns` already.
    `cancel` stops a live run, if there is one. `stopped`: the runs that the user stopped and that
    would go on; the actor forgets them when they end. `elsewhere`: open runs that other nodes have,
    or ended, though they may still be alive here. `leads`: whether this node settles events.
    `takes`: the files that may go with messages.
    `gauge` and `reach` outlive the actor's incarnations.
    """

    journal: Journal
    epoch: str
    live_runs: dict[RunId, LiveRun]
    launch: Launch
    turns: RunTurns = attrs.field(factory=RunTurns)
    stopped: set[RunId] = attrs.field(factory=set)
    elsewhere: set[RunId] = attrs.field(factory=set)
    leads: Callable[[], bool] = always
    gauge: Gauge = attrs.field(factory=Gauge)
    cancel: Callable[[RunId], object] = no_run
    reach: dict[SessionId, Reach] = attrs.field(factory=dict)
    limits: OutboxLimits = attrs.field(factory=OutboxLimits)
    policies: Policies = POLICIES
    when_lost: WhenLost = attrs.field(factory=WhenLost)
    is_draining: Callable[[], bool] = never
    say_policies: Policies = attrs.field(factory=dict)
    takes: Files | None = None
    on_undelivered: OnUndelivered = nothing_more
    letter_log: LetterLog = attrs.field(factory=LetterLog)
    ids: IdSource = attrs.field(factory=IdSource)
    observer: Observer = NO_OBSERVER
    now_ms: Callable[[], int] = wall_clock_ms

    def ask_journal(
        self,
        asker: Ref[UserMessage],
        question: Question[R],
        then: Callable[[ReplyOutcome[R]], None],
    ) -> None:
        """Call `then(answer)` in the asker once the journal has answered or has failed to."""
        self.tell_answer(asker, self.journal.ask(question, whose=asker.name, asker=asker), then)

    def tell_answer(
        self, asker: Ref[UserMessage], answer: Reply[R], then: Callable[[ReplyOutcome[R]], None]
    ) -> None:
        """Call `then(answer)` in the asker once the journal has answered."""
        answer.then(partial(_tell_answer, asker, then))


def _tell_answer(
    asker: Ref[UserMessage], then: Callable[[ReplyOutcome[R]], None], result: ReplyOutcome[R]
) -> None:
    asker.tell_owed(LookedUp(then, result))
