"""Listening: from a runtime's parts to an open port with its front door, routes and server."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import cast

import attrs

from greenroom.actors.errors import GreenroomError
from greenroom.admin.crashes.door import CrashesDoor
from greenroom.admin.crashes.reports import CrashReports
from greenroom.admin.data_door import DataDoor
from greenroom.admin.disconnecting import Disconnects
from greenroom.admin.door import AdminDoor
from greenroom.admin.guard import Guard
from greenroom.admin.overview_door import OverviewDoor
from greenroom.admin.runs_desk import RunsDesk
from greenroom.admin.runs_door import RunsDoor
from greenroom.admin.session_door import SessionDoor
from greenroom.admin.sessions import VisitorSessions
from greenroom.admin.user_data import UserData
from greenroom.admin.users_door import UsersDoor
from greenroom.admin.why_door import LookedAt, WhyDoor
from greenroom.agents import Agents
from greenroom.delivery.dead_letters import DeadLetters
from greenroom.delivery.events.ids import IdSource
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.ledger import Ledger
from greenroom.delivery.legacy.legacy_ids import modern
from greenroom.delivery.observer import Observer
from greenroom.delivery.user.bans import Bans
from greenroom.delivery.user.users import Users
from greenroom.metrics.counts import Metrics
from greenroom.metrics.door import MetricsDoor
from greenroom.metrics.gauges import Gauges
from greenroom.metrics.glance import Glance
from greenroom.observer.journal_routes import journal_routes
from greenroom.observer.page_door import ObserverPage
from greenroom.observer.thread_door import ThreadDoor
from greenroom.observer.tree.routes import tree_routes
from greenroom.observer.users.routes import user_routes
from greenroom.services.assembly import Services, programs_below, services_of, streams_below
from greenroom.settings import BadSettings, Settings
from greenroom.settings.keys import authenticator_of, tokens_of
from greenroom.settings.role import NodeRole
from greenroom.supervisor.errors import StartFailed
from greenroom.supervisor.static_supervisor_ref import StaticSupervisorRef
from greenroom.transport.auth.tokens import Authenticator
from greenroom.transport.connection.actor import ConnectionSettings
from greenroom.transport.connection.child import ConnectionParts
from greenroom.transport.connection.machine.data import Times
from greenroom.transport.connection.socket.rate_limit import SharedBuckets
from greenroom.transport.door.front_door import FrontDoor
from greenroom.transport.door.half_open import HalfOpen
from greenroom.transport.door.listeners import Address, Listeners, OpenSockets
from greenroom.transport.door.paths import Handler, Probes, Readiness
from greenroom.transport.door.side_door import SideDoor
from greenroom.transport.door.static_pages import StaticPage, load_pages, with_body_data
from greenroom.transport.door.unready import UnreadySockets
from greenroom.transport.front_ends.front_ends import FrontEnds
from greenroom.transport.protocol.frame_codec import FrameDecoder
from greenroom.transport.protocol.frame_limits import FrameLimits
from greenroom.transport.server import Server


@attrs.frozen(kw_only=True)
class Listening:
    """The parts of an open runtime that its listeners reach. It builds every door."""

    settings: Settings
    root: StaticSupervisorRef
    users: Users
    dead_letters: DeadLetters
    bans: Bans
    disconnects: Disconnects
    data: UserData
    crashes: CrashReports
    ledger: Ledger
    agents: Agents
    half_open: HalfOpen
    metrics: Metrics | None
    observer: Observer
    draining: Callable[[], bool]
    restarts: Callable[[], int]
    wall_clock: Callable[[], float]

    @property
    def journal(self) -> Journal:
        return self.ledger.journal

    @property
    def gauges(self) -> Gauges:
        return Gauges(
            root=self.root,
            users=self.users,
            journal=self.journal,
            half_open=self.half_open,
            restarts=self.restarts,
            draining=self.draining,
            wall_clock=self.wall_clock,
        )

    @property
    def ids(self) -> IdSource:
        return self.agents.ids

    async def listen(
        self,
        authenticator: Authenticator | None,
        *,
        page: bool,
        routes: Mapping[str, Handler] | None,
        sockets: Sequence[socket.socket],
    ) -> tuple[int, Listeners]:
        """Start the listeners below the root; their port. Raises as `Runtime.listen`."""
        is_worker = self.settings.role == NodeRole.WORKER
        port = _port_of_worker(self.settings) if is_worker else self.settings.port
        place = OpenSockets(sockets) if sockets else Address(self.settings.host, port)
        if is_worker:
            return await self._start(Listeners(place, self._side_door(routes or {}).welcome))
        authenticator = authenticator or authenticator_of(
            self.settings, clock=self.wall_clock, observer=self.observer
        )
        door = self.front_door(authenticator, page=page, routes=routes or {})
        programs, streams = programs_below(self.root, door.answer), streams_below(self.root)
        server = attrs.evolve(self.server(door), programs=programs, streams=streams)
        return await self._start(Listeners(place, server.welcome))

    def _side_door(self, routes: Mapping[str, Handler]) -> SideDoor:
        probes = Probes(self._readiness).routes()
        return SideDoor(
            {**self._admin_routes(), **self._metrics_routes(), **probes, **routes},
            half_open=self.half_open,
            deadline=self.settings.accept_deadline,
            streams=streams_below(self.root),
            clock=self.wall_clock,
        )

    async def _start(self, listeners: Listeners) -> tuple[int, Listeners]:
        try:
            port = cast(int, await self.root.start_child(listeners.spec))
        except StartFailed as failed:
            if isinstance(failed.__cause__, GreenroomError):
                raise failed.__cause__ from None
            raise
        if self.journal.nodes is not None:
            self.journal.nodes.listens(self.settings.host, port)
        return port, listeners

    def server(self, door: FrontDoor) -> Server:
        """Admits streams through `door` and serves each as a connection of its user."""
        settings = self.settings
        return Server(
            door,
            ConnectionParts(
                self.users,
                door.validity,
                self._connection_settings(),
                self._buckets_of_users(),
                UnreadySockets(settings.connections_per_user),
            ),
            self.half_open,
            self.ids,
            settings.accept_deadline,
            self.observer,
        )

    def _services(self) -> Services | None:
        return services_of(
            self.settings,
            self.root,
            self.ledger,
            users=self.users,
            agents=self.agents,
            ids=self.ids,
            draining=self.draining,
            wall_clock=self.wall_clock,
        )

    def front_door(
        self, authenticator: Authenticator, *, page: bool, routes: Mapping[str, Handler]
    ) -> FrontDoor:
        """The door with all its paths."""
        services = self._services()
        for_programs = services.routes if services else {}
        return FrontDoor(
            authenticator=authenticator,
            allow_origins=self.settings.allow_origins,
            ready=self._readiness,
            pages=self._pages() if page else None,
            routes={**self._admin_routes(), **self._metrics_routes(), **for_programs, **routes},
            observer=self.observer,
            bans=self.bans,
            past=self.users.past,
            gate=services.gate if services else None,
            front_ends=self._front_ends,
        )

    def _front_ends(self, path: str) -> FrontEnds:
        return FrontEnds(path, self.journal)

    def _pages(self) -> Mapping[str, StaticPage]:
        """The page, which knows from its body's `data-takes` what to offer."""
        pages = load_pages()
        agents = self.agents
        known = {"takes": " ".join(agents.takes)}
        if agents.files is not None:
            known["files"] = json.dumps(agents.files.as_json())
        index = with_body_data(pages["/"], known)
        return {**pages, "/": index, "/index.html": index}

    def _readiness(self) -> Readiness:
        if self.draining():
            return Readiness(False, "draining")
        trouble = self.journal.trouble
        return Readiness(not trouble, trouble)

    def _admin_routes(self) -> Mapping[str, Handler]:
        tokens = tokens_of(self.settings)
        if tokens is None:
            return {}
        guard = Guard(tokens, VisitorSessions(self.wall_clock), self.settings.admin_anywhere)
        runs = RunsDoor(RunsDesk(self.users, self.journal)).routes()
        users = {**UsersDoor(self.disconnects).routes(), **DataDoor(self.data).routes()}
        looked = LookedAt(self.root, self.users, self.bans, self.journal, self.wall_clock)
        overview = self._overview_routes()
        tree = tree_routes(self.root, guard.check, self.draining, self.wall_clock)
        crashes = CrashesDoor(self.crashes, guard).routes()
        found = {**WhyDoor(looked).routes(), **ThreadDoor(self.journal, guard).routes()}
        key = self.settings.admin_token or self.settings.secret or self.journal.epoch
        kept = journal_routes(self.journal, guard, key, self.wall_clock)
        observed = {**crashes, **tree, **kept, **user_routes(looked, guard)}
        more = {**users, **runs, **found, **overview, **observed}
        admin = AdminDoor(self.root, self.dead_letters, self.journal, guard, more=more).routes()
        return {**admin, **SessionDoor(guard).routes(), **ObserverPage(guard).routes()}

    def _overview_routes(self) -> Mapping[str, Handler]:
        if self.metrics is None:
            return {}
        return OverviewDoor(self.metrics, Glance(self.gauges), self.wall_clock).routes()

    def _metrics_routes(self) -> Mapping[str, Handler]:
        if self.metrics is None:
            return {}
        settings = self.settings
        return MetricsDoor(
            self.metrics, tokens_of(settings), settings.admin_anywhere, settings.metrics_open
        ).routes()

    def _connection_settings(self) -> ConnectionSettings:
        settings = self.settings
        return ConnectionSettings(
            wall_clock=self.wall_clock,
            times=Times(settings.hello_deadline, settings.heartbeat),
            limits=FrameLimits(
                settings.max_frame_bytes, settings.frames_per_second, settings.frames_burst
            ),
            decoder=FrameDecoder(modern),
        )

    def _buckets_of_users(self) -> SharedBuckets:
        """The frame rate that all sockets of one user share."""
        settings = self.settings
        return SharedBuckets(
            settings.frames_per_second * settings.frames_per_user,
            settings.frames_burst * settings.frames_per_user,
        )


def _port_of_worker(settings: Settings) -> int:
    if settings.worker_port is None:
        raise BadSettings(["a worker listens only if `worker_port` is set"])
    return settings.worker_port
