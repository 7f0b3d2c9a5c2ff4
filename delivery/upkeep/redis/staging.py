"""Changes of any number that a journal in Redis takes all at once, or not at all.

They come in parts, under keys that no server reads. One last step gives these keys their names in
the journal. What is cut before that leaves the journal as it was; the next import removes what the
cut one had brought.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final, cast

import attrs
from coredis import Redis

from greenroom.delivery.errors import JournalBusy, JournalFailed
from greenroom.delivery.journal.redis.holding import Behind, Holding
from greenroom.delivery.journal.redis.rows import Change, Keys, encoded

ROWS_AT_ONCE: Final = 500

logger = logging.getLogger("greenroom.delivery")

# KEYS: those of the stage and its places, then that of each row. ARGV: the id; then a field and a
# row for each.
_BRING: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'another'} end
for n = 3, #KEYS do
    redis.call('SADD', KEYS[2], KEYS[n])
    redis.call('HSET', KEYS[n], ARGV[2 * n - 4], ARGV[2 * n - 3])
end
return {'brought'}
"""

# KEYS: that of the stage, then the keys to remove. ARGV: the id.
_REMOVE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'another'} end
for n = 2, #KEYS do redis.call('UNLINK', KEYS[n]) end
return {'removed'}
"""

# KEYS: the first ones of each script, those of the stage and its places, then that of each removal.
# ARGV: the epoch, the number and the id of the commit before this one, the id of this one, the
# number of its last record or nothing, the id of the import, what the keys begin with there and
# here; then a field for each removal. The stream is emptied: it does not have this commit, so
# servers read all when they look. It names a key that is never there before it writes: if the slot
# of a cluster moves, Redis stops it at that, and not in the middle.
_TAKE: Final = """
local epoch, commit, append =
    unpack(redis.call('HMGET', KEYS[1], 'epoch', 'commit', 'append'))
if epoch ~= ARGV[1] then return {'epoch', epoch or ''} end
if commit ~= ARGV[2] or append ~= ARGV[3] then return {'behind'} end
if redis.call('GET', KEYS[4]) ~= ARGV[6] then return {'another'} end
redis.call('EXISTS', KEYS[4] .. ':never')
redis.call('XTRIM', KEYS[3], 'MAXLEN', 0)
for n = 6, #KEYS do redis.call('HDEL', KEYS[n], ARGV[n + 3]) end
while true do
    local places = redis.call('SPOP', KEYS[5], 1000)
    if #places == 0 then break end
    for _, place in ipairs(places) do
        local row = ARGV[8] .. string.sub(place, #ARGV[7] + 1)
        if redis.call('EXISTS', row) == 0 then
            redis.call('RENAME', place, row)
        else
            local found = redis.call('HGETALL', place)
            for n = 1, #found, 2 do redis.call('HSET', row, found[n], found[n + 1]) end
            redis.call('DEL', place)
        end
    end
end
redis.call('DEL', KEYS[4])
local number = string.format('%.0f', commit + 1)
redis.call('HSET', KEYS[1], 'commit', number, 'append', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'number', ARGV[5]) end
return {'kept'}
"""


@attrs.frozen
class StageKeys:
    """The keys of imports: in a cluster they are in the journal's slot."""

    journal: Keys

    @property
    def stage(self) -> str:
        """The id of the import that is under way. The other keys begin with it."""
        return f"{self.journal.root}:import"

    @property
    def places(self) -> str:
        """The set of the keys that it has brought."""
        return f"{self.stage}:places"

    @property
    def rows(self) -> str:
        """What these keys begin with."""
        return f"{self.stage}:rows:"

    def place_of(self, row: Change) -> str:
        there = self.journal.place_of(row.table, row.user)
        return self.rows + there.removeprefix(self.journal.rows)


@contextmanager
def staging(holding: Holding) -> Iterator[Staging]:
    """Nothing that was brought is left at the end. Raises the errors of Redis."""
    begun = Staging(holding)
    begun.begin()
    try:
        yield begun
    finally:
        begun.end()


class Staging:
    """The import that is under way; one that begins later ends it."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self._client = holding.client
        self._keys = StageKeys(holding.keys)
        self._id = secrets.token_urlsafe(9)
        self._removed: list[Change] = []
        self._last_number: int | None = None

    def begin(self) -> None:
        self._client.call(_Begin(self._keys.stage, self._id))
        if self._remove_parts():
            logger.warning(
                "%s had a part of an import that was cut: it is removed", self._holding.where
            )

    def bring(self, changes: Iterable[Change]) -> None:
        """A part after the other. Raises `JournalBusy` if another import has begun."""
        changes = iter(changes)
        while part := list(islice(changes, ROWS_AT_ONCE)):
            self._removed += [each for each in part if each.row is None]
            self._bring([each for each in part if each.row is not None])

    def take(self) -> None:
        """The journal has it all from now on. Raises `Behind` if others have committed since the
        copy's place, and nothing was changed."""
        holding, place, there = self._holding, self._holding.place, self._keys
        removed = (holding.keys.place_of(each.table, each.user) for each in self._removed)
        keys = [*holding.keys.of_all, there.stage, there.places, *removed]
        number = "" if self._last_number is None else str(self._last_number)
        arguments = [
            *(holding.epoch, str(place.number), place.append),
            *(secrets.token_urlsafe(9), number, self._id, there.rows, holding.keys.rows),
            *(each.field for each in self._removed),
        ]
        match self._client.run_replicated(_TAKE, keys, arguments):
            case ["kept"]:
                return
            case ["behind"]:
                raise Behind
            case ["another"]:
                raise self._another()
            case answer:
                raise JournalFailed(f"{holding.where} refused an import: {answer}")

    def end(self) -> None:
        """Leave nothing of this import behind."""
        self._remove_parts()
        self._remove([self._keys.stage])

    def _remove_parts(self) -> bool:
        """Whether there was anything. What another import brings stays, if one has begun."""
        found, cursor = False, 0
        while True:
            cursor, places = self._client.call(_ScanParts(cursor, f"{self._keys.stage}:*"))
            found = (bool(places) and self._remove(places)) or found
            if not cursor:
                return found

    def _remove(self, keys: Sequence[str]) -> bool:
        return self._client.run(_REMOVE, [self._keys.stage, *keys], [self._id]) == ["removed"]

    def _bring(self, rows: Sequence[Change]) -> None:
        for each in rows:
            if each.table == "log" and each.row is not None:
                self._last_number = max(self._last_number or 0, cast(int, each.row[0]))
        keys = [self._keys.stage, self._keys.places, *map(self._keys.place_of, rows)]
        values = (part for each in rows for part in (each.field, encoded(each.row or ())))
        if self._client.run(_BRING, keys, [self._id, *values]) != ["brought"]:
            raise self._another()

    def _another(self) -> JournalBusy:
        return JournalBusy(
            f"another import into {self._holding.where} has begun, and nothing was imported",
            advice="wait until it has ended",
        )


@attrs.frozen
class _Begin:
    key: str
    id: str

    async def __call__(self, client: Redis[bytes]) -> None:
        await client.set(self.key, self.id)


@attrs.frozen
class _ScanParts:
    cursor: int
    match: str

    async def __call__(self, client: Redis[bytes]) -> tuple[int, list[str]]:
        cursor, found = await client.scan(self.cursor, match=self.match, count=1000)
        return cursor, [place.decode() for place in found]
