"""Incidents to plant in a real server, and what `why` says of each."""

from __future__ import annotations

import time
from functools import partial

from greenroom import Run
from greenroom.admin.client import AdminClient
from greenroom.delivery.events.ids import EventId, UserId
from greenroom.delivery.history.unseen.answer import WhyUnseen
from greenroom.delivery.history.unseen.cause import UnseenCause
from greenroom.delivery.history.unseen.choice import subject_of
from tests.delivery.backstage import Disk
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, crash_user_actor, is_back, token_for

ALICE = UserId("alice")


def admin(port: int) -> AdminClient:
    return AdminClient(f"http://127.0.0.1:{port}", ADMIN)


def why(server: Server, subject: str = "alice") -> WhyUnseen:
    return admin(server.port).why(subject_of(subject))


def cause(server: Server, subject: str = "alice") -> UnseenCause:
    return why(server, subject).cause


def wait_for(server: Server, expected: UnseenCause) -> WhyUnseen:
    return wait_at(server.port, expected)


def wait_at(port: int, expected: UnseenCause) -> WhyUnseen:
    deadline = time.monotonic() + 20
    while (found := admin(port).why(ALICE)).cause is not expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)  # in this thread: the server goes on
    return found


async def _report(server: Server, text: str) -> EventId:
    async with server.runtime.run(user="alice", agent="analyst") as run:
        return (await run.final_report(report=text)).event


def report(server: Server, text: str = "done") -> EventId:
    return server.run(partial(_report, server, text))


def has_crashed(server: Server, times: int) -> bool:
    actor = server.runtime.tree().find("greenroom/users/user:alice/outbox")
    return actor is not None and actor.restarts == times and is_back(server, "alice")


def crash_twice(server: Server) -> None:
    """Crash what serves Alice, and wait until it is back, twice."""
    for number in (1, 2):
        server.run_sync(crash_user_actor, server, "alice")
        server.wait_until(partial(has_crashed, server, number))


def take_over(server: Server) -> None:
    """Alice's session is taken by another client, which leaves."""
    with Client(server.port, token_for("alice")) as first:
        session = first.hello()["session"]
        with Client(server.port, token_for("alice")) as second:
            second.hello(session=session)
            assert first.closed_with() == 4504


def erase_threads(server: Server) -> None:
    """All of Alice's threads are erased."""
    for thread in server.run(server.runtime.threads(user="alice").list).threads:
        admin(server.port).erase_thread(ALICE, thread.thread)


class FullDisk(Disk):
    trouble = "the journal's disk is full"


async def big_reporter(run: Run, said: object) -> None:
    await run.final_report(report="x" * 500_000)
