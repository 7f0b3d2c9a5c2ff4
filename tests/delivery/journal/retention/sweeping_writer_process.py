"""Appends and sweeps until killed; prints each user's last offset once it is durable."""

from __future__ import annotations

import sys

import trio

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.record import Settled
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.retention.cutoffs import BEGINNING, Cutoffs, SweptTo
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from tests.delivery.journal.journal_conformance import records

USERS = [UserId(f"user-{number}") for number in range(20)]
KEPT = 40


async def speak(journal: Journal) -> None:
    lasts = {user: (await journal.bounds(user)).last for user in USERS}
    while True:
        for user, last in lasts.items():
            lasts[user] = last + 7
            settled = [Settled(user, each, last + 7) for each in EventClass]
            await journal.append([*records(last + 1, last + 7, user=user), *settled])
            print(user, last + 7, flush=True)


async def sweep(journal: Journal) -> None:
    while True:
        place: SweptTo | None = BEGINNING
        while place is not None:
            place = (await journal.sweep(Cutoffs(keep_events=KEPT), place)).next


async def main(path: str) -> None:
    async with open_sqlite_journal(path) as journal, trio.open_nursery() as nursery:
        nursery.start_soon(speak, journal)
        nursery.start_soon(sweep, journal)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
