"""The journal's commits in Redis: this node keeps its own there, and reads those of others."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, cast

import attrs

from greenroom.delivery.errors import (
    JournalFailed,
    JournalLost,
    JournalTooNew,
)
from greenroom.delivery.journal.redis.client import RedisClient
from greenroom.delivery.journal.redis.connections.address import Endpoint, RedisAddress
from greenroom.delivery.journal.redis.connections.connecting import ANSWER_SECONDS
from greenroom.delivery.journal.redis.connections.slots import SlotMoves
from greenroom.delivery.journal.redis.errors import AWAY, in_words
from greenroom.delivery.journal.redis.nodes.beat import Beat
from greenroom.delivery.journal.redis.nodes.turn import TURN_SECONDS, Seek, Turn
from greenroom.delivery.journal.redis.rows import (
    Change,
    Commit,
    Keys,
    Place,
    text_of,
)
from greenroom.delivery.journal.redis.scripts import (
    BEGIN,
    COMMIT,
    GIVE_TURN,
    JOIN,
    READ_ON,
    RENEW,
    SETTLE,
    TELL,
)

VERSION: Final = 2
AGAIN_SECONDS: Final = 0.1
COMMITS_AT_ONCE: Final = 32
_TURN_MS: Final = round(TURN_SECONDS * 1000)


class Behind(Exception):  # no error: what is new is applied, and it is tried again
    """Others have committed since the copy's place, or have the turn."""


class StillAlive(Exception):  # nor this one
    """A lease that was to be over is not."""


@attrs.define
class _Unanswered:
    """A commit whose answer was lost, and what it was to come after."""

    append: str
    after: Place


class Holding:
    """This node's part of the journal at `url`, on the journal's thread.

    `place`: that of this node's copy. `beat`: what was last known of all nodes.
    """

    def __init__(self, url: str, lease_seconds: float) -> None:
        address = RedisAddress.of(url)
        self.where = address.name
        self._endpoints = address.endpoints
        self.keys = Keys.of(address.journal)
        self.channel = self.keys.channel + secrets.token_urlsafe(12)
        self._lease_ms = round(lease_seconds * 1000)
        self.me = ""
        self.epoch = ""
        self.place = Place(0, "")
        self.beat = Beat(0, {})
        self._cut_by: Exception | None = None
        self._lost: str | None = None
        self._unanswered: _Unanswered | None = None
        self._pending: Place | None = None
        self.turn = Turn()
        self._must_be_over: Sequence[int] = ()
        self.client = RedisClient(address)

    def begin(self, new_epoch: str) -> None:
        """Find the journal, or make a new one. Raises `JournalTooNew`, and the errors of Redis."""
        kind, found = self._run(BEGIN, new_epoch, VERSION)
        if kind == "newer":
            raise JournalTooNew(
                f"{self.where} has version {found} of a journal, but this greenroom reads up to"
                f" {VERSION}",
                advice="use the version of greenroom that wrote it, or a newer one",
            )
        self.epoch = found

    def join(self, *, anew: bool) -> tuple[Place, int]:
        """Become a node, a new one if `anew`. Returns the place from which to read on, which Redis
        keeps for this node, and the number of the newest record there. Raises `JournalLost`, and
        the errors of Redis."""
        me = "" if anew else self.me
        kind, *answer = self._run(JOIN, self.epoch, me, self._lease_ms, self.channel)
        if kind == "epoch":
            self._check_epoch(answer[0])
        self.me, now, commit, append, number = answer
        self.beat = Beat(int(now), self.beat.expires)
        return Place(int(commit), append), int(number)

    def renew(self, place: Place | None = None, *, give_up: bool = False) -> None:
        """Keep the lease, or give it up. `place`: that of a copy which is not filled yet."""
        self.check_lost()
        place = place or self.place
        ms = 0 if give_up else self._lease_ms
        kind, *answer = self._run(RENEW, self.epoch, self.me, ms, place.number, self.channel)
        if kind == "epoch":
            self._check_epoch(answer[0])
        if kind == "older":
            self._another_state(place.number)
        now, *known = answer
        nodes = zip(known[::2], known[1::2], strict=True)
        expires = {int(node): int(what.split()[0]) for node, what in nodes}
        self.beat = Beat(int(now), expires)

    def current_beat(self) -> Beat:
        """What was last known of all nodes."""
        return self.beat

    def newest(self) -> int:
        """On any thread: the number of the last commit. Raises `JournalLost`, and the errors of
        Redis."""
        epoch, commit = self.client.look_up(self.keys.root, "epoch", "commit")
        self._check_epoch((epoch or b"").decode())
        return int(commit or 0)

    def own_address(self) -> str:
        """This machine's, on the way to Redis."""
        for endpoint in self._endpoints[:-1]:
            with suppress(OSError):  # its name is not known here: others may be
                return _own_address(endpoint)
        return _own_address(self._endpoints[-1])

    def tell(self, what: bytes) -> None:
        """On any thread: publish it to the other nodes."""
        self.client.run(TELL, self.keys.of_all, [self.me, what])

    # Commits

    @contextmanager
    def only_if_over(self, leases: Sequence[int]) -> Iterator[None]:
        """What is committed inside ends these leases. Raises `StillAlive` if one is not over."""
        self._must_be_over = leases
        try:
            yield
        finally:
            self._must_be_over = ()

    def keep(self, changes: Sequence[Change]) -> None:
        """Have Redis keep all of the changes or none, once: `kept` is to follow when the copy has
        them, too. Raises `Behind`, `StillAlive`, `JournalLost` and the errors of Redis."""
        self.check()
        append = secrets.token_urlsafe(9)
        keys, arguments = self._commit(append, changes)
        try:
            answer = self.client.run_replicated(COMMIT, keys, arguments)
        except SlotMoves:  # it was not carried out
            raise
        except AWAY as lost:
            self._cut_by, self._unanswered = lost, _Unanswered(append, self.place)
            if not self._was_kept(lost):
                raise Behind from lost
            answer = ["kept"]
        self._judge(answer)
        self._pending = Place(self.place.number + 1, append)

    def kept(self) -> None:
        """The copy has what was just kept."""
        if self._pending is not None:
            self.place, self._pending = self._pending, None
        self.turn.given()

    def give_turn(self) -> None:
        """If others wait for this node, they need not."""
        if self.turn.is_sought and not self.is_cut:
            self.turn.given()
            self._run(GIVE_TURN, self.me, _TURN_MS)

    def read_on(self, seek: Seek | None = None) -> Sequence[Commit] | None:
        """At most `COMMITS_AT_ONCE` commits after the copy's place; None if they are not kept any
        more. `seek`: ask for the turn, too. Raises `JournalLost`, and the errors of Redis."""
        how = (self.me, _TURN_MS, seek) if seek else ("", 0, "")
        answer = self._run_raw(READ_ON, self.place.number, COMMITS_AT_ONCE, *how)
        epoch, newest, append, left, *found = answer
        self._check_epoch(epoch.decode())
        if seek:
            self.turn.sought(int(left) / 1000)
            if seek is Seek.TURN and not self.turn.is_mine:
                return ()
        parts = iter(found)
        commits = [
            Commit(Place(int(number), its.decode()), before.decode(), text)
            for number, its, before, text in zip(parts, parts, parts, parts, strict=True)
        ]
        return self._checked(Place(int(newest), append.decode()), commits)

    def settle(self) -> None:
        """After a cut: from now on, what is under way can no longer be carried out."""
        self._settled()

    @property
    def is_cut(self) -> bool:
        """Whether no answer is known: Redis is away, or its replicas are."""
        return self._cut_by is not None

    # What is wrong

    def check_lost(self) -> None:
        """On any thread. Raises `JournalLost`."""
        if self._lost is not None:
            raise JournalLost(self._lost, advice="restart the service")

    def check(self) -> None:
        """Raises `JournalLost`, and `JournalUnreachable` while no answer is known."""
        self.check_lost()
        if self._cut_by is not None:
            raise in_words(self.where, self._cut_by)

    def lose(self, why: str) -> None:
        """Raises `JournalLost`, from now on."""
        self._lost = why
        self.check_lost()

    def _commit(self, append: str, changes: Sequence[Change]) -> tuple[list[str], list[object]]:
        removed = [change for change in changes if change.row is None]
        others = [change for change in changes if change.row is not None]
        ordered = [*removed, *others]
        numbers = [cast(int, each.row[0]) for each in others if each.table == "log" and each.row]
        places = dict.fromkeys(self.keys.place_of(each.table, each.user) for each in ordered)
        return [*self.keys.of_all, *places], [
            *(self.epoch, self.me, str(self.place.number), self.place.append, append),
            *(str(max(numbers, default="")), _TURN_MS),
            *(text_of(ordered, self.keys), b"\0".join([each.field for each in ordered])),
            *self._must_be_over,
        ]

    def _judge(self, answer: Sequence[str]) -> None:
        match answer:
            case ["kept"]:
                return
            case ["behind" | "wait"]:
                self.turn.sought(0.0 if answer == ["behind"] else TURN_SECONDS)
                raise Behind
            case ["alive"]:
                raise StillAlive
            case ["epoch", epoch]:
                self._check_epoch(epoch)
        raise JournalFailed(f"{self.where} refused a commit: {answer}")

    def _was_kept(self, lost: Exception) -> bool:
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                was_kept = self._settled()
            except AWAY:
                if time.monotonic() > deadline:
                    raise lost from None
            else:
                if was_kept is None:
                    raise lost
                return was_kept
            time.sleep(AGAIN_SECONDS)

    def _settled(self) -> bool | None:
        """Whether the commit whose answer was lost was kept, if Redis still knows. It cannot be any
        more."""
        unanswered = self._unanswered or _Unanswered("", self.place)
        after = unanswered.after
        empty = secrets.token_urlsafe(9)
        arguments = [self.epoch, after.number, after.append, empty]
        try:
            answer = self.client.run_replicated(SETTLE, self.keys.of_all, arguments)
        except AWAY as cut:
            self._cut_by = cut
            raise
        kind, *answer = answer
        if kind == "epoch":
            self._check_epoch(answer[0])
        self._cut_by, self._unanswered = None, None
        return answer[0] == unanswered.append if answer[0] else None

    def _checked(self, newest: Place, commits: Sequence[Commit]) -> Sequence[Commit] | None:
        there, here = newest.number, self.place.number
        first = commits[0] if commits else None
        if there < here or (there == here and newest != self.place):
            self._another_state(there)
        if there > here and (first is None or first.place.number != here + 1):
            return None
        if first is not None and first.before != self.place.append:
            self._another_state(there)
        return commits

    def _another_state(self, number: int) -> None:
        self.lose(
            f"{self.where} has another state of the journal now: its commit {number} does not"
            f" continue commit {self.place.number} of this server"
        )

    def _check_epoch(self, epoch: str) -> None:
        if epoch != self.epoch:
            there = f"another journal now: epoch {epoch}" if epoch else "no journal now"
            self.lose(f"{self.where} has {there}, not epoch {self.epoch}")

    def _run(self, script: str, *arguments: object) -> list[str]:
        return [each.decode() for each in self._run_raw(script, *arguments)]

    def _run_raw(self, script: str, *arguments: object) -> list[bytes]:
        try:
            return self.client.run_raw(script, self.keys.of_all, list(arguments))
        except AWAY as cut:
            self._cut_by = cut
            raise


def _own_address(endpoint: Endpoint) -> str:
    found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_DGRAM)
    kind, *_, address = found[0]
    with socket.socket(kind, socket.SOCK_DGRAM) as own:
        own.connect(address)
        return str(own.getsockname()[0])
