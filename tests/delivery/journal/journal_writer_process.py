"""Appends three records at a time until killed; prints the last offset once they are durable."""

from __future__ import annotations

import sys

import trio

from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from tests.delivery.journal.journal_conformance import ALICE, records


async def main(path: str) -> None:
    async with open_sqlite_journal(path) as journal:
        last = (await journal.bounds(ALICE)).last
        while True:
            await journal.append(records(last + 1, last + 3))
            last += 3
            print(last, flush=True)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
