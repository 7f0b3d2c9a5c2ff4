"""The runtime: the assembled tree, and everything that a service uses of it."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    closing,
    contextmanager,
    nullcontext,
)
from typing import cast

from greenroom.actors.errors import GreenroomError
from greenroom.actors.forks.loop import end_children_in_loop
from greenroom.actors.reactors.own_thread import check_trio
from greenroom.admin.crashes.reports import CrashReports
from greenroom.admin.disconnecting import Disconnects
from greenroom.admin.user_data import UserData
from greenroom.agents import Agents, error_words
from greenroom.delivery.crashes import CrashKeeper, CrashText
from greenroom.delivery.dead_letters import DeadLetters
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import BadId, IdSource
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.policy import Policies, Policy, checked_policies
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.ledger import Ledger
from greenroom.delivery.observer import NO_OBSERVER, Observer
from greenroom.delivery.outbox.feed import OutboxLimits
from greenroom.delivery.outbox.notes import LAZY_SECONDS
from greenroom.delivery.retention import Sweeping
from greenroom.delivery.run.block import block
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.run.run import Agent, DescribeError, Run
from greenroom.delivery.run.timeouts import Timeouts
from greenroom.delivery.user.bans import Bans
from greenroom.delivery.user.parts import OnUndelivered, UsersSettings, nothing_more
from greenroom.delivery.user.users import Users
from greenroom.draining import drain_users
from greenroom.journal_opening import begin, open_journal
from greenroom.listening import Listening
from greenroom.loading.agent import named_agents
from greenroom.metrics.counts import Metrics
from greenroom.metrics.gauges import watching_lag
from greenroom.metrics.table import Values
from greenroom.portal.errors import OPEN_ELSEWHERE
from greenroom.settings import Settings
from greenroom.settings.role import NodeRole
from greenroom.supervisor.application import Component, open_application
from greenroom.supervisor.child_spec import task_child
from greenroom.supervisor.crash.crash_report import CrashReport
from greenroom.supervisor.dynamic_supervisor import DynamicSupervisorRef, dynamic_supervisor_child
from greenroom.supervisor.inspection.cpu_meter import measuring_cpu
from greenroom.supervisor.inspection.tree import TreeNode, snapshot
from greenroom.supervisor.static_supervisor_ref import StaticSupervisorRef
from greenroom.supervisor.strategy import Strategy
from greenroom.transport.auth.tokens import Authenticator
from greenroom.transport.door.half_open import HalfOpen
from greenroom.transport.door.listeners import Listeners
from greenroom.transport.door.paths import Handler

logger = logging.getLogger("greenroom")


class NotOpen(GreenroomError):
    """The runtime was used outside of the block of `open_runtime`."""


class Runtime(UserData):
    """A running greenroom: made by `open_runtime`, valid inside its block.

    The first of its agents answers what users say; `run` lets any code speak to a user as an agent.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        agents: Mapping[str, Agent],
        *,
        ids: IdSource,
        policies: Policies | None = None,
        on_undelivered: OnUndelivered = nothing_more,
        describe_error: DescribeError | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._policies = {**settings.policies, **checked_policies(policies, "policies")}
        self._on_undelivered = on_undelivered
        self.timeouts: Timeouts = settings.timeouts
        self.journal = journal
        words = error_words(settings, describe_error)
        pace, role = settings.text_pace, NodeRole(settings.role)
        self._agents = Agents(agents, ids, settings.timeouts, pace, words, role)
        self._ids = ids
        self._wall_clock = wall_clock
        self._root: StaticSupervisorRef | None = None
        self._draining = self._closed = False
        self._listeners: Listeners | None = None
        self._half_open = HalfOpen(settings.max_half_open)
        self.metrics: Metrics | None = self._new_metrics() if settings.metrics else None
        kept = CrashText(words.secrets, words.keep_texts)
        self._crash_reports = CrashReports(journal, kept, self.metrics, wall_clock)
        self._observer: Observer = self.metrics or NO_OBSERVER
        self.users: Users = Users(
            self._users_settings(),
            supervisor=lambda: cast(DynamicSupervisorRef, self.root.child("users")),
            journal=journal,
            converse=self._agents.answer,
        )
        self._bans = Bans(wall_clock)
        super().__init__(Disconnects(self.users, self._bans, journal))
        self._ledger = Ledger(self.users, journal, self._observer)
        self.dead_letters: DeadLetters = DeadLetters(self.users, self._ledger, ids)

    async def receipt(self, event: str) -> Receipt:
        """The receipt of an event by its id, of this process or an earlier one.

        Raises `BadId`, `UnknownEvent`, or a `JournalError`.
        """
        return await self._ledger.receipt(event)

    async def receipts(
        self, *, user: str, thread: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[Receipt]:
        """The receipts of a user's last events, oldest first; `before` an offset, to page back."""
        return await self._ledger.receipts(user=user, thread=thread, before=before, limit=limit)

    @property
    def root(self) -> StaticSupervisorRef:
        """The root of the supervision tree. Raises `NotOpen` outside of the runtime's block."""
        if self._root is None:
            raise NotOpen("the runtime is not open", advice="use it inside `open_runtime(…)`")
        return self._root

    @property
    def draining(self) -> bool:
        """True once the runtime accepts no new connections and is about to stop."""
        return self._draining

    @property
    def restarts(self) -> int:
        """The number of restarted children in the whole tree."""
        return self._crash_reports.log.restarts

    def run(
        self,
        context: UserContext | None = None,
        *,
        user: str | None = None,
        thread: str | None = None,
        agent: str = "agent",
        input: JSON = None,  # noqa: A002  # the wire's word
        seconds: float | None = None,
        policy: Policy | Policies | None = None,
    ) -> AbstractAsyncContextManager[Run]:
        """Speak to a user: `async with runtime.run(user="alice", agent="analyst") as run: …`.

        Give a whole `UserContext`, or a `user`, who gets a new thread unless `thread` names one.
        However the block ends, the run ends for the user. `seconds`: what it may take, within the
        tier, if not `settings.agent_seconds`. `policy`: of its critical events, or a dict by
        class; also for sub-runs. Raises `BadPolicy`, `BadId`, `ValueError`, `UserUnavailable` when
        the journal is down, `NotOpen` once closed, and at the end `RunTimedOut` or `RunStopped`.
        """
        if context is not None and not isinstance(context, UserContext):
            raise TypeError(
                f"the first argument of run() must be a UserContext, not {context!r:.60}; "
                "name a user as run(user=…)"
            )
        if context is not None and thread is not None:
            raise TypeError("a UserContext has a thread: run() takes no other beside it")
        if (context is None) == (user is None):
            given = "neither" if context is None else "both"
            raise TypeError(
                f"run() must be given either `context` or `user`, not {given}; `user` begins a new "
                "thread unless `thread` names one, and a `UserContext` speaks in its own"
            )
        try:
            context = context or UserContext.new(user=user or "", thread=thread, ids=self._ids)
        except BadId as error:
            self._observer.id_mismatch(error.expected, error.given)
            raise
        limit, policies = self.timeouts.run_limit(seconds), checked_policies(policy)
        return self._run(context, agent, input, limit, policies)

    async def listen(
        self,
        authenticator: Authenticator | None = None,
        *,
        page: bool = True,
        routes: Mapping[str, Handler] | None = None,
        sockets: Sequence[socket.socket] = (),
    ) -> int:
        """Accept connections on `settings.host` and `settings.port`; returns the port.

        With `sockets`, which listen already, they are accepted from those, which stay open. Without
        an `authenticator` the settings' key is used. A worker has no users: it answers probes, on
        `settings.worker_port`. Raises `BadSettings`, `PortBusy`, `CannotListen`, `BadKeyFile`.
        """
        port, self._listeners = await self.listening.listen(
            authenticator, page=page, routes=routes, sockets=sockets
        )
        return port

    async def drain(self) -> None:
        """Stop accepting, let runs end, and tell each client when to reconnect once they have.

        Runs have `settings.drain_seconds`; those that are left are cut and end as lost. Then
        cut runs and sockets have a few seconds more (`GRACE_SECONDS`, `CLOSING_SECONDS`).
        """
        if self._listeners is not None:
            await self._listeners.finish()
        self._draining = True
        self.users.begin_drain()
        if "listeners" in self.root.children():
            await self.root.terminate_child("listeners")
        await drain_users(self.users, self.settings.drain_seconds)

    def tree(self, *, children: int | None = None) -> TreeNode:
        """The supervision tree as it is now. It sends no message and does not wait.

        At most `children` of each supervisor are shown; the others are counted (`hidden`).
        """
        return snapshot(self.root, children=children)

    def crashes(self) -> tuple[CrashReport, ...]:
        """The last hundred crash reports, oldest first."""
        return self.root.crashes()

    def crash(self, id: str) -> CrashReport | None:  # noqa: A002  # as `CrashReport.id`
        """The crash report of this id, or None if it is no longer kept."""
        return next((report for report in self.crashes() if report.id == id), None)

    @block
    async def _run(
        self, context: UserContext, agent: str, said: JSON, seconds: float, policies: Policies
    ) -> AsyncIterator[Run]:
        if self._closed:
            raise NotOpen(
                "the runtime is closed: the block of `open_runtime` has ended",
                advice="speak to users inside of it",
            )
        async with (
            self.users.lease(context.user) as user,
            self._agents.speak(user, context, agent, said, seconds, policies) as run,
        ):
            yield run

    def _users_settings(self) -> UsersSettings:
        settings = self.settings
        return UsersSettings(
            epoch=self.journal.epoch,
            limits=OutboxLimits(
                backlog_events=settings.backlog_events,
                backlog_bytes=settings.backlog_bytes,
                connections=settings.connections_per_user,
                cursor_interval=LAZY_SECONDS / 2,  # a row for each event costs half an append
                patience=settings.patience,
            ),
            ids=self._ids,
            idle_seconds=settings.idle_seconds,
            observer=self._observer,
            policies=self._policies,
            when_lost=self._agents.when_lost,
            say_policies=self._agents.say_policies,
            takes=self._agents.files,
            on_undelivered=self._on_undelivered,
            now_ms=lambda: round(self._wall_clock() * 1000),
            runs_per_user=settings.runs_per_user,
            queued_runs=settings.queued_runs,
            work=settings.concurrency if settings.role == NodeRole.WORKER else None,
            queue_seconds=settings.queue_seconds,
        )

    def _sweeping(self) -> Sweeping:
        return Sweeping(
            self.journal,
            self.settings.retention,
            self.users,
            self._observer,
            now_ms=lambda: round(self._wall_clock() * 1000),
        )

    @property
    def listening(self) -> Listening:
        """What a server of this runtime is made of. Raises `NotOpen`."""
        return Listening(
            settings=self.settings,
            root=self.root,
            users=self.users,
            dead_letters=self.dead_letters,
            bans=self._bans,
            disconnects=self._disconnects,
            data=self,
            crashes=self._crash_reports,
            ledger=self._ledger,
            agents=self._agents,
            half_open=self._half_open,
            metrics=self.metrics,
            observer=self._observer,
            draining=lambda: self._draining,
            restarts=lambda: self.restarts,
            wall_clock=self._wall_clock,
        )

    def _new_metrics(self) -> Metrics:
        return Metrics(self._gauges, self._gauges_at_hand)

    def _gauges(self) -> Values:
        return {} if self._root is None else self.listening.gauges.read()

    def _gauges_at_hand(self) -> Values:
        return {} if self._root is None else self.listening.gauges.at_hand()

    @contextmanager
    def _open(self, root: StaticSupervisorRef) -> Iterator[None]:
        self._root = root
        try:
            yield
        finally:
            self._closed = True

    @contextmanager
    def _measured(self) -> Iterator[None]:
        metrics = self.metrics
        with (
            measuring_cpu() if self.settings.measure_cpu else nullcontext(),
            watching_lag(metrics.lagged) if metrics is not None else nullcontext(),
        ):
            yield


@asynccontextmanager
async def open_runtime(
    settings: Settings | None = None,
    agents: Mapping[str, Agent] | Agent | None = None,
    *,
    journal: Journal | None = None,
    ids: IdSource | None = None,
    policies: Policies | None = None,
    on_undelivered: OnUndelivered = nothing_more,
    describe_error: DescribeError | None = None,
    wall_clock: Callable[[], float] = time.time,
) -> AsyncIterator[Runtime]:
    """Start the tree and stop it in order at the end of the block.

    `agents` answer what users say. Without a `journal` the one of the settings is opened, and
    closed again. `policies` say what counts as delivered, in place of the settings;
    `on_undelivered` is called with each dead letter and must be quick. `describe_error(error, run)`
    words what the user of a run reads when its code or a tool of it raises `error`. Raises the
    errors of opening a journal; `BadSettings` and `BadAgent` for what cannot be settings or agents.
    """
    check_trio("greenroom.open_runtime()", OPEN_ELSEWHERE)
    settings = Settings.load() if settings is None else Settings.checked(settings)
    answering = named_agents(agents)
    async with open_journal(settings, journal) as opened:
        await begin(opened, wall_clock)
        runtime = Runtime(
            settings,
            opened,
            answering,
            ids=ids or IdSource(),
            policies=policies,
            on_undelivered=on_undelivered,
            describe_error=describe_error,
            wall_clock=wall_clock,
        )
        end_children_in_loop(runtime)
        opened.report_to(runtime._observer)
        await runtime._disconnects.load()
        crashes = runtime._crash_reports
        tree = open_application(
            "greenroom",
            list(_components(runtime.users, runtime._sweeping(), crashes.keeper)),
            strategy=Strategy.ONE_FOR_ONE,
            crash_log=crashes.log,
        )
        with closing(crashes.keeper):
            async with tree as root:
                with runtime._open(root), runtime._measured():
                    yield runtime


def _components(users: Users, sweeping: Sweeping, keeper: CrashKeeper) -> Iterator[Component]:
    yield Component(dynamic_supervisor_child("users"))
    for child in users.children():
        yield Component(child, needs=("users",))
    yield Component(task_child("retention", sweeping.sweep), needs=("users",))
    yield Component(task_child("crash_keeper", keeper.keep), needs=("retention",))
