"""Threads that work off a queue, each job with a run of its user.

python examples/thread_worker.py
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor

import greenroom
from greenroom import blocking

SETTINGS = greenroom.Settings(port=0, journal=":memory:", secret=secrets.token_urlsafe(32))
JOBS = [("alice", 20), ("bob", 25), ("carol", 70), ("alice", 30)]


def fibonacci(number: int) -> int:
    """A computation that no loop should have to wait for."""
    before, last = 0, 1
    for _ in range(number):
        before, last = last, before + last
    return before


def work(portal: blocking.Portal, user: str, number: int) -> str:
    """One job, followed by its user."""
    with portal.run(user=user, agent="worker", input=number) as run:
        with run.tool("fibonacci", {"number": number}) as tool:
            tool.result(fibonacci(number))
        receipt = run.final_report(report=fibonacci(number))
    return f"{user}: {receipt.kind} at {receipt.offset}"


def main() -> None:
    """Four jobs in three threads."""
    with greenroom.start_portal(SETTINGS) as portal, ThreadPoolExecutor(3) as pool:
        for line in pool.map(lambda job: work(portal, *job), JOBS):
            print(line)


if __name__ == "__main__":
    main()
