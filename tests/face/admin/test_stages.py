"""An incident is named by whatever is asked about: its user, its thread, its run or its event."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from greenroom.admin.client import UnknownReference
from greenroom.delivery.history.unseen.cause import UnseenCause
from tests.face.admin.incidents import (
    ALICE,
    FullDisk,
    crash_twice,
    erase_threads,
    report,
    take_over,
    wait_for,
    why,
)
from tests.protocol.client import Client, refusal
from tests.protocol.server import ADMIN, Server, serving, token_for

pytestmark = [pytest.mark.requirement("R42")]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(admin_token=ADMIN) as server:
        yield server


def thread_of_alice(server: Server) -> str:
    (thread,) = server.run(server.runtime.threads(user="alice").list).threads
    return thread.thread


def expired(server: Server) -> None:
    refusal(server.port, token_for("alice", seconds=-60))


INCIDENTS: dict[str, tuple[Callable[[Server], None], UnseenCause]] = {
    "expired": (expired, UnseenCause.BAD_TOKEN),
    "taken over": (take_over, UnseenCause.TAKEN_OVER),
    "crash loop": (crash_twice, UnseenCause.CRASH_LOOP),
}


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_is_named_by_its_user_its_thread_its_run_and_its_event(
    name: str, server: Server
) -> None:
    happen, cause = INCIDENTS[name]
    event = report(server)
    happen(server)
    found = wait_for(server, cause)
    for subject in (event, found.run, thread_of_alice(server)):
        assert subject is not None
        assert why(server, subject).cause is cause, subject


def test_a_full_disk_is_named_by_a_thread_and_an_event_that_no_tab_received() -> None:
    with serving(FullDisk(), admin_token=ADMIN) as server:
        event = report(server)
        for subject in (event, "alice", thread_of_alice(server)):
            assert why(server, subject).cause is UnseenCause.JOURNAL_TROUBLE


def test_a_deaf_tab_is_named_by_all_and_after_it_was_cut_off_too() -> None:
    patience = {"redelivery_delay": 0.05, "redelivery_longest": 0.1, "redelivery_attempts": 3}
    with serving(admin_token=ADMIN, **patience) as server:
        with Client(server.port, token_for("alice")) as tab:
            tab.hello()
            event = report(server)
            tab.events()
            assert tab.closed_with() == 4101
        found = wait_for(server, UnseenCause.BREAKER_OPEN)
        for subject in (event, "alice", thread_of_alice(server)):
            assert why(server, subject).cause is UnseenCause.BREAKER_OPEN
        assert "4101 (heartbeat missed)" in found.sentence


def test_what_was_erased_is_said_to_be_by_user_thread_and_event_and_has_no_run(
    server: Server,
) -> None:
    event, thread = report(server), thread_of_alice(server)
    erase_threads(server)
    for subject in (event, ALICE):
        found = why(server, subject)
        assert (found.cause, found.run, found.kind) == (UnseenCause.ERASED, None, "erased")
        assert not any("run_" in line for line in found.evidence)
    with pytest.raises(UnknownReference, match="it was erased"):
        why(server, thread)
