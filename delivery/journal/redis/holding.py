"""The journal's rows in Redis, held by one server at a time."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Final, cast
from urllib.parse import urlsplit

import attrs
from coredis import Redis, exceptions

from greenroom.delivery.errors import (
    JournalBusy,
    JournalFailed,
    JournalLost,
    JournalTooNew,
    JournalUnreachable,
)
from greenroom.delivery.journal.redis.client import ANSWER_SECONDS, RedisClient
from greenroom.delivery.journal.redis.errors import AWAY, in_our_words
from greenroom.delivery.journal.redis.rows import (
    LEASE,
    ROOT,
    ROWS,
    Change,
    Row,
    decoded,
    encoded,
    table_of,
)
from greenroom.delivery.journal.redis.scripts import AGAIN, COMMIT, GIVE_UP, RENEW, TAKE

logger = logging.getLogger("greenroom.delivery")

VERSION: Final = 1
OLDEST: Final = 7
AGAIN_SECONDS: Final = 0.1
LEASE_SECONDS: Final = 5.0
ROWS_AT_ONCE: Final = 100


def named(url: str) -> str:
    """What errors call the server: without the password."""
    found = urlsplit(url)
    return f"Redis at {found.hostname or 'localhost'}:{found.port or 6379}{found.path}"


@attrs.define
class Unanswered:
    """A commit whose answer was lost."""

    append: str
    changes: Sequence[Change]


class Holding:
    """What this server holds of the journal at `url`, on the journal's thread."""

    def __init__(self, url: str, name: str, lease_seconds: float = LEASE_SECONDS) -> None:
        self.where = named(url)
        self._name = name
        self._holder = secrets.token_urlsafe(12)
        self._lease_ms = round(lease_seconds * 1000)
        self._renew_at = 0.0
        self._fence, self._commit, self.number = "", 0, 0
        self.epoch = ""
        self._lost: str | None = None
        self.unanswered: Unanswered | None = None
        self._is_cut = False
        self._client = RedisClient(url)

    def take(self, new_epoch: str) -> None:
        """Raises `JournalBusy` while another server renews its lease; one that is not renewed is
        waited for. Raises `JournalTooNew` and the errors of Redis."""
        self._check_server()
        arguments = [self._holder, self._name, self._lease_ms, new_epoch]
        left = self._lease_ms + 1
        while (answer := self._run(TAKE, arguments))[0] == "held":
            if int(answer[2]) > left:
                raise JournalBusy(
                    f"another server, {answer[1]}, has the journal in {self.where}",
                    advice="stop it first, or start this one with --wait SECONDS",
                )
            left = int(answer[2])
            time.sleep(AGAIN_SECONDS)
        _, self._fence, self.epoch, version, commit, number = answer
        self._commit, self.number = int(commit), int(number or 0)
        if int(version) > VERSION:
            raise JournalTooNew(
                f"{self.where} has version {version} of a journal, but this greenroom reads up to"
                f" {VERSION}",
                advice="use the version of greenroom that wrote it, or a newer one",
            )

    def rows(self) -> Iterator[tuple[str, list[Row]]]:
        """All rows, some of a table at a time."""
        places: set[bytes] = set()
        cursor = 0
        while True:
            cursor, found = self._client.call(_Scan(cursor))
            places.update(found)
            if not cursor:
                break
        for place in sorted(places):
            yield from self._rows_at(place.decode())

    def keep(self, changes: Sequence[Change]) -> None:
        """Have Redis keep all of the changes or none, once. Raises coredis's errors, and
        `JournalLost`."""
        self.check()
        append = secrets.token_urlsafe(9)
        removed = [change for change in changes if change.row is None]
        others = [change for change in changes if change.row is not None]
        keys = [ROOT, *(each.place for each in (*removed, *others))]
        values = [part for each in others for part in (each.field, encoded(each.row or ()))]
        fields = [each.field for each in removed]
        numbers = [each.key[0] for each in others if each.table == "log"]
        last = str(max(cast("list[int]", numbers), default=""))
        call = keys, [str(self._commit), append, last, len(removed), *fields, *values]
        try:
            answer = self._run_commit(*call)
        except AWAY as lost:
            self._is_cut, self.unanswered = True, Unanswered(append, changes)
            if self._was_kept(lost):
                return
            answer = self._run_commit(*call)
        self._judge(answer)
        self._commit += 1

    def check_lost(self) -> None:
        """On any thread. Raises `JournalLost`."""
        if self._lost is not None:
            raise JournalLost(self._lost, advice="restart the service, once no other one is there")

    def check(self) -> None:
        """Raises `JournalLost`, and `JournalUnreachable` while no answer is known."""
        self.check_lost()
        if self._is_cut:
            raise JournalUnreachable(
                f"{self.where} cannot be reached",
                advice="start it, or mend the network; the journal then continues by itself",
            )

    def look(self) -> Sequence[Change]:
        """Renew the lease, if it is time; after a cut, find out what was kept. Returns the changes
        that were kept although their caller did not learn of it."""
        if self._is_cut:
            kept = self._settled()
            return kept.changes if kept is not None else ()
        if time.monotonic() >= self._renew_at:
            self._renew()
        return ()

    def close(self) -> None:
        try:
            if self._lost is None:
                with in_our_words(self.where):
                    self._run(GIVE_UP, [self._holder])
        finally:
            self._client.close()

    def abandon(self) -> None:
        """As if the process had ended."""
        self._client.close()

    def _renew(self) -> None:
        try:
            answer = self._run(RENEW, [self._holder, self._lease_ms])
        except AWAY:
            self._is_cut = True
            raise
        self._renew_at = time.monotonic() + self._lease_ms / 5000
        self._check_found(answer, answer[1], answer[2:3])

    def _was_kept(self, lost: Exception) -> bool:
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                return self._settled() is not None
            except AWAY:
                if time.monotonic() > deadline:
                    raise lost from None
            time.sleep(AGAIN_SECONDS)

    def _settled(self) -> Unanswered | None:
        """The commit whose answer was lost, if it was kept. From now on it cannot be any more."""
        answer = self._run(AGAIN, [self._holder, self._lease_ms])
        unanswered = self.unanswered
        if answer[0] != "taken":
            self._check_found(answer, answer[1], [])
        _, self._fence, epoch, commit, append = answer
        self._is_cut, self.unanswered = False, None
        if unanswered is not None and append == unanswered.append:
            self._commit += 1
            self._check_found(answer, epoch, [commit])
            return unanswered
        self._check_found(answer, epoch, [commit])
        return None

    def _check_found(self, answer: list[str], epoch: str, commit: list[str]) -> None:
        if answer[0] == "lost" and epoch == self.epoch:
            self._lose(f"another server has taken the journal in {self.where}")
        if epoch != self.epoch:
            self._lose(f"{self.where} has another journal now: epoch {epoch}, not {self.epoch}")
        if commit and int(commit[0]) != self._commit:
            self._lose(
                f"{self.where} has another state of the journal now: commit {commit[0]}, not"
                f" {self._commit}"
            )

    def _lose(self, why: str) -> None:
        self._lost = why
        self.check()

    def _judge(self, answer: list[str]) -> None:
        if answer[0] != "kept":
            self._check_found(*self._found())
            raise JournalFailed(f"{self.where} refused a commit: {answer}")

    def _found(self) -> tuple[list[str], str, list[str]]:
        answer = self._run(RENEW, [self._holder, self._lease_ms])
        return answer, answer[1], answer[2:3]

    def _run(self, script: str, arguments: list[object]) -> list[str]:
        return self._client.run(script, [ROOT, LEASE], arguments)

    def _run_commit(self, keys: list[str], arguments: list[object]) -> list[str]:
        return self._client.run(COMMIT, keys, [self._fence, *arguments])

    def _check_server(self) -> None:
        info = self._client.call(_info)
        version = int(str(info.get("redis_version", "0")).split(".")[0])
        if version < OLDEST:
            raise JournalFailed(
                f"{self.where} is version {version}, but the journal needs {OLDEST}",
                advice="use a newer server",
            )
        self._say_what_accepted_means(info)
        policy = info.get("maxmemory_policy")
        if policy not in (None, "noeviction"):
            raise JournalFailed(
                f"{self.where} may drop events: its maxmemory-policy is {policy}",
                advice="set maxmemory-policy noeviction",
            )

    def _say_what_accepted_means(self, info: dict[str, object]) -> None:
        if not int(str(info.get("aof_enabled", 0))):
            logger.warning(
                "%s keeps no append-only file: events that were accepted are lost if it ends. Set "
                "appendonly yes and appendfsync always",
                self.where,
            )
        elif (found := self._client.call(_appendfsync)) != "always":
            logger.warning(
                "%s has appendfsync %s: if its machine ends, the last events that were accepted are"
                " lost. Set appendfsync always",
                *(self.where, found),
            )

    def _rows_at(self, place: str) -> Iterator[tuple[str, list[Row]]]:
        cursor = 0
        while True:
            cursor, found = self._client.call(_ScanHash(place, cursor))
            yield table_of(place), [decoded(row) for row in found.values()]
            if not cursor:
                return


async def _info(client: Redis[bytes]) -> dict[str, object]:
    found = await client.info()
    return {str(key): value for key, value in found.items()}


async def _appendfsync(client: Redis[bytes]) -> str:
    try:
        found = await client.config_get(["appendfsync"])
    except exceptions.ResponseError:  # a user without the right to ask
        return "unknown"
    value = next(iter(found.values()), "unknown")
    return value.decode() if isinstance(value, bytes) else value


@attrs.frozen
class _Scan:
    cursor: int

    async def __call__(self, client: Redis[bytes]) -> tuple[int, tuple[bytes, ...]]:
        return await client.scan(self.cursor, match=f"{ROWS}*", count=1000)


@attrs.frozen
class _ScanHash:
    place: str
    cursor: int

    async def __call__(self, client: Redis[bytes]) -> tuple[int, dict[bytes, bytes]]:
        return await client.hscan(self.place, self.cursor, count=ROWS_AT_ONCE)
