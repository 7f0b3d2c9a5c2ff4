"""The copy of the journal as Redis has it: this node's commits go there first, and those of others
come from there. On the journal's thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from greenroom.delivery.errors import AlreadySaid, JournalBusy, JournalUnreachable, OutOfSequence
from greenroom.delivery.journal.redis.connections.connecting import ANSWER_SECONDS
from greenroom.delivery.journal.redis.copy import Copy
from greenroom.delivery.journal.redis.errors import AWAY
from greenroom.delivery.journal.redis.holding import COMMITS_AT_ONCE, Behind, Holding
from greenroom.delivery.journal.redis.mirrored import MirroredDatabase
from greenroom.delivery.journal.redis.nodes.turn import Seek
from greenroom.delivery.journal.redis.rows import Change, Changed, Commit, Place, changed_by
from greenroom.delivery.journal.redis.scanning import all_rows

R = TypeVar("R")

RENEW_SECONDS: Final = 1.0
"""Seconds between two renewals of a lease while a whole journal is read."""


class Mirror:
    """`followed` is called with what others changed, once the copy has it, or with None if that may
    be anything; `check` before each commit, in its transaction."""

    def __init__(self, holding: Holding, copy: Copy) -> None:
        self.holding, self.copy = holding, copy
        self._turn = holding.turn
        self.database = MirroredDatabase(copy.database, self._keep, self._kept)
        self.followed: Callable[[Changed | None], None] = _nothing_to_do
        self.check: Callable[[], None] = _nothing_to_check
        self.reached = CopyProgress()

    def carry_out(self, work: Callable[[], R]) -> R:
        """Carry out `work`, whose reads and writes hold true of one state of the journal; again, if
        others committed meanwhile. What writes nothing, or refuses, has seen all that was committed
        when it was asked for. Raises `JournalBusy` if that never ends, and its errors."""
        deadline = time.monotonic() + ANSWER_SECONDS
        is_fresh = is_last = is_behind = False
        try:
            while True:
                if is_behind or self._turn.is_contended:
                    is_fresh = self._take_turn(deadline)
                place = self.holding.place
                try:
                    done = work()
                except Behind:
                    is_behind = True
                except (OutOfSequence, AlreadySaid):
                    if is_fresh or not self._follows_more():
                        raise
                else:
                    if is_fresh or self.holding.place != place or not self._follows_more():
                        return done
                if is_last:
                    raise _busy(self.holding.where)
                is_fresh = not is_behind
                is_last = time.monotonic() > deadline  # if it stood still, it tries once more
        finally:
            self.holding.give_turn()

    def _take_turn(self, deadline: float) -> bool:
        """Wait until others let this node go first, and apply what they have committed. Whether
        that came about before the deadline."""
        self.follow(self._seek())
        while not self._turn.is_mine and time.monotonic() < deadline:
            self._turn.wait()
            self.follow(self._seek())
        return self._turn.is_mine

    def _seek(self) -> Seek:
        return Seek.ALL if self.reached.is_awaited else Seek.TURN

    def follow(self, seek: Seek | None = None) -> None:
        """Apply what others have committed; `seek`: and ask for the turn. Raises `JournalLost`, and
        the errors of Redis and of SQLite."""
        while True:
            commits = self.holding.read_on(seek)
            if commits is None:
                self.fill()
                continue
            if commits:
                self._apply(commits)
            if len(commits) < COMMITS_AT_ONCE:
                return

    def _follows_more(self) -> bool:
        """Whether others had committed what the copy had not: it has that now."""
        place = self.holding.place
        self.follow()
        return self.holding.place != place

    def fill(self) -> None:
        """Read the whole journal: all rows, as they were at some moment from now on, and then what
        was committed since now. Raises the errors of Redis, and `JournalLost`."""
        place, number = self.holding.join(anew=False)
        known, renew_at = self.copy.newest(), time.monotonic() + RENEW_SECONDS
        with self.copy.database:
            self.copy.empty()
            for table, rows in all_rows(self.holding.client, self.holding.keys):
                self.copy.fill(table, rows)
                if time.monotonic() > renew_at:
                    renew_at = time.monotonic() + RENEW_SECONDS
                    self.holding.renew(place)
            self.copy.continue_from(number)
            self._check_continues(known, number)
        self._is_at(place)
        self.followed(None)

    def reach_now(self) -> None:
        """On a reader's thread: wait until the copy has all that is committed now. Raises
        `JournalUnreachable`, `JournalLost`, and the errors of Redis."""
        self.holding.check_lost()
        try:
            newest = self.holding.newest()
        except AWAY:  # the connection broke while nothing was asked
            newest = self.holding.newest()
        if self.reached.lacks(newest):
            self._turn.ask_again()
        if not self.reached.wait_for(newest, ANSWER_SECONDS):
            raise JournalUnreachable(
                f"{self.holding.where} has commits that this server could not read in time: it is"
                " behind, or replicas do not have them yet",
                advice="start replicas that are away; otherwise wait: it is tried again",
            )

    def _apply(self, commits: Sequence[Commit]) -> None:
        self._turn.contend()
        changed = changed_by(
            [commit.text for commit in commits], self.holding.keys, self.copy.key_of
        )
        with self.copy.database:
            self.copy.apply(changed)
        self._is_at(commits[-1].place)
        self.followed(changed)

    def _keep(self, changes: Sequence[Change]) -> None:
        self.check()
        self.holding.keep(changes)

    def _kept(self) -> None:
        self.holding.kept()
        self.reached.is_at(self.holding.place.number)

    def _is_at(self, place: Place) -> None:
        self.holding.place = place
        self.reached.is_at(place.number)

    def _check_continues(self, known: tuple[int, str] | None, number: int) -> None:
        """A record that this node knew is there, or it was trimmed."""
        if known is None:
            return
        found = self.copy.database.execute("SELECT id FROM log WHERE number = ?", known[:1]).get
        if number < known[0] or found not in (None, known[1]):
            self.holding.lose(
                f"{self.holding.where} has another state of the journal now: it does not continue"
                " what this server had read"
            )


class CopyProgress:
    """How far the copy is, for those who wait for it in other threads. `wake` is called in their
    threads, once someone waits for more."""

    def __init__(self) -> None:
        self.wake: Callable[[], None] = _nothing_to_check
        self._changed = threading.Condition()
        self._number = self._wanted = self._awaited = 0

    @property
    def is_behind(self) -> bool:
        """Whether there is more."""
        return self._wanted > self._number

    @property
    def is_awaited(self) -> bool:
        """Whether someone waits for more."""
        return self._awaited > self._number

    def is_at(self, number: int) -> None:
        with self._changed:
            self._number = number
            self._changed.notify_all()

    def want(self, number: int) -> None:
        """There is a commit with this number."""
        with self._changed:
            if number <= max(self._wanted, self._number):
                return
            self._wanted = number
        self.wake()

    def lacks(self, number: int) -> bool:
        """Whether the copy has not that commit yet, which someone waits for."""
        with self._changed:
            self._awaited = max(self._awaited, number)
        self.want(number)
        return self.is_awaited

    def wait_for(self, number: int, seconds: float) -> bool:
        """Whether the copy has that commit within the time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._number >= number, seconds)


def mirror_of(holding: Holding, new_epoch: str) -> Mirror:
    """A copy of the whole journal. Raises the errors of `Holding.begin` and `Mirror.fill`."""
    holding.begin(new_epoch)
    holding.join(anew=True)
    mirror = Mirror(holding, Copy(holding.epoch))
    mirror.fill()
    mirror.follow()
    return mirror


def _busy(where: str) -> JournalBusy:
    return JournalBusy(
        f"other servers committed to {where} whenever this one was about to",
        advice="try again; if it happens often, there are more servers than this Redis can serve",
    )


def _nothing_to_do(_: Changed | None) -> None:
    """The default."""


def _nothing_to_check() -> None:
    """The default."""
