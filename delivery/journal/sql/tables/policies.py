"""The policies of runs, in SQL. Used by one thread at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, cast

from greenroom.delivery.errors import JournalTooNew
from greenroom.delivery.events.ids import RunId, UserId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.policy import DONE, LetterLevel, Policy, RunPolicy, RunSettled
from greenroom.delivery.events.record import Entry
from greenroom.delivery.journal.sql.database import Database
from greenroom.delivery.journal.sql.rows import Write, known

_COLUMNS: Final = "user, run, class, done, expires, dead_letter, level, through, due"
_PolicyRow: TypeAlias = tuple[str, str, str, str, int, int, str, int, int | None]
_ADD: Final = f"""
    INSERT INTO run_policy ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_SETTLE: Final = (
    "UPDATE run_policy SET through = ?4, due = ?5 WHERE user = ?1 AND run = ?2 AND class = ?3"
)
_FORGET: Final = "DELETE FROM run_policy WHERE user = ? AND run = ? AND class = ?"
_OF_USER: Final = f"SELECT {_COLUMNS} FROM run_policy WHERE user = ?"
_DUE: Final = "SELECT user FROM run_policy WHERE due < ? ORDER BY due, user LIMIT ?"
_STAGES: Final = {str(stage): stage for stage in DONE}


def policy_writes(entries: Sequence[Entry]) -> Iterator[Write]:
    """What keeps the policies of runs among the entries, in their order."""
    for entry in entries:
        if isinstance(entry, RunPolicy):
            yield _ADD, [_row(entry)]
        elif isinstance(entry, RunSettled) and entry.over:
            yield _FORGET, [(entry.user, entry.run, entry.event_class)]
        elif isinstance(entry, RunSettled):
            key = (entry.user, entry.run, entry.event_class)
            yield _SETTLE, [(*key, entry.through, entry.due)]


class SqlPolicies:
    """The part of an `SqlStore` on policies of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run_policies(self, user: UserId) -> list[RunPolicy]:
        rows = self._database.execute(_OF_USER, (user,)).fetchall()
        return [_policy_of(row) for row in cast("list[_PolicyRow]", rows)]

    def policies_due(self, before: int, limit: int) -> list[UserId]:
        """Walks at most `limit` steps along the index."""
        rows = self._database.execute(_DUE, (before, limit))
        return [UserId.trusted(user) for user in dict.fromkeys(str(user) for (user,) in rows)]


def _row(entry: RunPolicy) -> _PolicyRow:
    policy = entry.policy
    return (
        entry.user,
        entry.run,
        entry.event_class,
        str(policy.done),
        round(policy.expires_after * 1000),
        int(policy.dead_letter),
        policy.level,
        entry.through,
        entry.due,
    )


def _policy_of(row: _PolicyRow) -> RunPolicy:
    user, run, event_class, done, expires, dead_letter, level, through, due = row
    if done not in _STAGES:
        raise JournalTooNew(f"the journal has a policy with the unknown stage {done!r}")
    policy = Policy(_STAGES[done], expires / 1000, bool(dead_letter), cast(LetterLevel, level))
    of = known(EventClass, event_class)
    return RunPolicy(UserId.trusted(user), RunId.trusted(run), of, policy, through, due)
