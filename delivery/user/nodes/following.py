"""Follows the other nodes that share the journal: tells the user actors what concerns them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from itertools import islice
from typing import Final, Never, Protocol

import attrs
import trio

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.nodes.notice import HINTS, Notice, What
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.nodes import Nodes, ReadLasts, ReadNotices
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.nodes.messages import (
    FromNodes,
    LoseRuns,
    Noticed,
    OthersAppended,
    RunsTakenOver,
)

LOOK_SECONDS, OFTEN_SECONDS = 1.0, 0.25
"""Seconds between two looks at what other nodes appended; and if their wake-ups do not arrive."""

USERS_AT_ONCE: Final = 500
NOTICES_AT_ONCE: Final = 1000
CUT_SECONDS: Final = 5.0
"""Seconds that a user actor may take to note that its runs were lost."""

_ACCESS: Final = frozenset({What.DISCONNECTED, What.READMITTED})

logger = logging.getLogger("greenroom.delivery")


class Access(Protocol):
    """Who may connect."""

    def noticed(self, notice: Notice) -> None:
        """Another node has disconnected a user, or lets the user in again."""

    async def load(self) -> None:
        """Look at the journal again: notices of other nodes were missed."""


class AllMayConnect:
    """An `Access` without bans."""

    def noticed(self, notice: Notice) -> None:
        pass

    async def load(self) -> None:
        pass


class UsersServed(Protocol):
    """What is needed of `Users`."""

    def lease(self, user: UserId) -> AbstractAsyncContextManager[UserHandle]: ...
    def active(self) -> Sequence[UserHandle]: ...
    def find(self, user: UserId) -> UserHandle | None: ...
    @property
    def access(self) -> Access: ...
    async def leave(self, user: UserId) -> None: ...
    def look_for_work(self) -> None: ...


@attrs.define
class Following:
    """Implements `Follower`, and looks for itself now and then: a wake-up may be missed."""

    users: UsersServed
    journal: Journal
    nodes: Nodes
    _to_end: dict[UserId, set[RunId]] = attrs.field(factory=lambda: defaultdict(set))
    _failed: list[tuple[UserId, RunId]] = attrs.field(factory=list)
    _gone: set[UserId] = attrs.field(factory=set)
    _woken: trio.Event = attrs.field(factory=trio.Event)
    _rung: trio.Event = attrs.field(factory=trio.Event)
    _place: object = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._place = self.nodes.place

    async def run(self) -> Never:
        """Follow until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_now_and_then)
            nursery.start_soon(self._read_notices)
            nursery.start_soon(self._end_runs)
            await self.nodes.follow(self)
        raise AssertionError("it follows until it is cancelled")

    # Wake-ups

    def appended(self, users: Sequence[UserId]) -> None:
        for user in users:
            if (handle := self.users.find(user)) is not None:
                _tell(handle, OthersAppended())

    def noticed(self, notice: Notice) -> None:
        if notice.what in HINTS:
            self._perform(notice)
        else:
            self._rung.set()

    def _perform(self, notice: Notice) -> None:
        if notice.what in _ACCESS:
            self.users.access.noticed(notice)
            return
        if notice.what is What.RUN_QUEUED:
            self.users.look_for_work()
            return
        handle = self.users.find(notice.user)
        if handle is None:
            return
        if notice.what is What.CANCEL:
            if notice.of[0] in handle.live_runs:
                handle.cancel(RunId.trusted(str(notice.of[0])))
        elif notice.what is What.USER_ERASED:
            self._gone.add(notice.user)
            self._woken.set()
        else:
            _tell(handle, Noticed(notice))

    async def _look_now_and_then(self) -> Never:
        while True:
            await trio.sleep(LOOK_SECONDS if self.nodes.hears else OFTEN_SECONDS)
            self._rung.set()
            failed, self._failed = self._failed, []
            self.taken_over(failed)
            with suppress(GreenroomError):  # the journal tells of its trouble itself
                await self._look()

    async def _read_notices(self) -> Never:
        while True:
            await self._rung.wait()
            self._rung = trio.Event()
            with suppress(GreenroomError):  # it is looked again soon
                await self._look_at_notices()

    async def _look_at_notices(self) -> None:
        more = True
        while more:
            page = await self.journal.ask(ReadNotices(self._place, NOTICES_AT_ONCE)).wait()
            self._place, more = page.place, page.more
            if page.missed:
                await self._look_at_all()
            for notice in page.notices:
                self._perform(notice)

    async def _look_at_all(self) -> None:
        """Notices are gone that this node did not read: no user may rest on what is known."""
        logger.warning("this server heard nothing of others for minutes: its users begin again")
        await self.users.access.load()
        self._gone.update(handle.user for handle in self.users.active())
        self._woken.set()

    async def _look(self) -> None:
        for users in _pages(self.users.active()):
            lasts = await self.journal.ask(ReadLasts([each.user for each in users])).wait()
            for handle in users:
                if lasts.get(handle.user, 0) != handle.gauge.last or handle.gauge.awaits:
                    _tell(handle, OthersAppended())

    # Runs of nodes that are gone

    def taken_over(self, runs: Sequence[tuple[UserId, RunId]]) -> None:
        for user, run in runs:
            self._to_end[user].add(run)
        self._woken.set()

    async def _end_runs(self) -> Never:
        while True:
            await self._woken.wait()
            self._woken = trio.Event()
            while self._gone:
                await self.users.leave(self._gone.pop())
            while self._to_end:
                users = list(islice(self._to_end, USERS_AT_ONCE))
                async with trio.open_nursery() as nursery:
                    for user in users:
                        nursery.start_soon(self._serve, user, self._to_end.pop(user))

    async def _serve(self, user: UserId, runs: set[RunId]) -> None:
        """The actor of a user who was not served finds the runs as it starts."""
        try:
            async with self.users.lease(user) as handle:
                handle.actor.tell_owed(RunsTakenOver(runs))
        except GreenroomError as error:
            logger.warning("user %r: lost runs are not ended yet: %s", str(user), error)
            self._failed += [(user, run) for run in runs]

    # Runs of this node that another one has

    async def lease_lost(self) -> None:
        async with trio.open_nursery() as nursery:
            for handle in self.users.active():
                nursery.start_soon(self._lose, handle)

    async def _lose(self, handle: UserHandle) -> None:
        """An actor that restarts finds in the journal whose the runs are."""
        _stop_runs(handle)
        with suppress(GreenroomError):
            await handle.actor.ask(LoseRuns(), timeout=CUT_SECONDS)
        _stop_runs(handle)  # one may have been taken up meanwhile


def _stop_runs(handle: UserHandle) -> None:
    for run in list(handle.live_runs.values()):
        run.stop()


def _tell(handle: UserHandle, news: FromNodes) -> None:
    with suppress(GreenroomError):  # it restarts, and reads all of it
        handle.actor.tell_owed(news)


def _pages(handles: Iterable[UserHandle]) -> Iterator[list[UserHandle]]:
    rest = iter(handles)
    while page := list(islice(rest, USERS_AT_ONCE)):
        yield page
