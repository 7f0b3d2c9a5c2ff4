"""A server whose journal cannot be written, is gone, or cannot be read: all it says is so."""

from __future__ import annotations

import logging
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from greenroom.delivery.errors import EventNotKept
from greenroom.testing.faulty_disk import DiskFault, FaultyDisk
from greenroom.testing.neighbour import MEDDLING, Neighbour
from tests.protocol.client import Client, refusal
from tests.protocol.server import serving, token_for
from tests.system.trouble.asking import NOT_KEPT, READY, say, until_ready_says

PAGE = 4096
GONE = "the journal was removed or changed by another program"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    directory = tmp_path / "journals"
    directory.mkdir()
    return directory / "journal.db"


@pytest.mark.fault("P8")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (DiskFault.FULL, "the journal's disk is full"),
        (DiskFault.READ_ONLY, "the journal may not be written"),
        (DiskFault.UNWRITABLE, "the journal's disk fails"),
        (DiskFault.UNSYNCED, "the journal's disk fails"),
    ],
)
def test_a_disk_that_takes_nothing_makes_the_server_unready_with_the_reason_until_it_does_again(
    fault: DiskFault,
    reason: str,
    faulty_disk: FaultyDisk,
    path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "greenroom")
    with serving(journal=path) as server, Client(server.port, token_for("alice")) as client:
        client.hello()
        assert server.probe("readyz") == READY
        faulty_disk.fault = fault
        assert say(client, "one")["error"] == NOT_KEPT
        assert server.probe("readyz") == (503, f"not ready: {reason}\n")
        assert refusal(server.port, token_for("bob"))[0] == 503
        faulty_disk.fault = None
        until_ready_says(server, READY)
        assert say(client, "two")["ok"], "the connection lived on"
    told = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert len(told) == 1, "once"
    assert f"the journal can be written again, after: {reason}" in caplog.text


@pytest.fixture
def may_grow() -> Iterator[Callable[[int], None]]:
    """Sets how large a file of this process may get, until the test ends."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.fault("P8")
def test_what_a_client_asks_for_while_files_may_grow_no_further_may_be_asked_again(
    path: Path, may_grow: Callable[[int], None]
) -> None:
    with serving(journal=path) as server, Client(server.port, token_for("alice")) as client:
        client.hello()
        thread = client.story()[0]["thread"]
        until_ready_says(server, READY)
        may_grow(1)
        refused = client.ask("thread", id="1", thread=thread, title="Costs")["error"]
        may_grow(resource.RLIM_INFINITY)
        assert (refused["code"], refused["temporary"]) == (4105, True)
        assert client.ask("thread", id="2", thread=thread, title="Costs")["ok"]


@pytest.mark.fault("P8")
def test_a_server_whose_files_may_grow_no_further_is_unready_until_they_may(
    path: Path, may_grow: Callable[[int], None]
) -> None:
    with serving(journal=path) as server, Client(server.port, token_for("alice")) as client:
        client.hello()
        may_grow(Path(f"{path}-wal").stat().st_size + PAGE)
        until_ready_says(server, (503, "not ready: the journal's disk is full\n"))
        assert say(client, "one", "x" * 30_000)["error"] == NOT_KEPT
        assert server.probe("readyz")[0] == 503, "a write of one page proves nothing"
        may_grow(resource.RLIM_INFINITY)
        until_ready_says(server, READY)
        assert say(client, "two")["ok"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if os.getuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs root to mount a small file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.fault("P8")
def test_a_full_disk_is_told_before_anything_is_written_to_it_and_its_room_as_well(
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    with serving(journal=small_disk / "journal.db") as server:
        assert server.probe("readyz") == READY
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(PAGE))
        until_ready_says(server, (503, "not ready: the journal's disk is full\n"))
        ballast.unlink()
        until_ready_says(server, READY)
        with Client(server.port, token_for("alice")) as client:
            client.hello()
            assert say(client, "hello")["ok"]


@pytest.mark.fault("D4")
@pytest.mark.parametrize("meddle", MEDDLING.values(), ids=MEDDLING.keys())
def test_a_server_whose_journal_is_gone_keeps_nothing_and_says_so(
    meddle: Callable[[Neighbour], object], path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def emit() -> None:
        async with server.runtime.run(user="alice", agent="clock") as run:
            await run.agent_thinking(text="hm")

    with serving(journal=path) as server, Client(server.port, token_for("alice")) as client:
        client.hello()
        assert say(client, "before")["ok"]
        meddle(Neighbour(path))
        for text in ("one", "two"):
            assert say(client, text)["ok"] is False
        assert server.probe("readyz") == (503, f"not ready: {GONE}\n")
        assert refusal(server.port, token_for("bob")) == (
            503,
            f"Not taking connections: {GONE}.\n",
        )
        with pytest.raises(EventNotKept, match=r"was (removed|replaced|cut short).*a backup"):
            server.run(emit)
    critical = [each for each in caplog.records if each.levelno == logging.CRITICAL]
    assert len(critical) == 1, "once"


@pytest.mark.fault("D4")
def test_a_server_that_nobody_talks_to_notices_that_its_journal_is_gone(path: Path) -> None:
    with serving(journal=path) as server:
        assert server.probe("readyz") == READY
        Neighbour(path).remove()
        until_ready_says(server, (503, f"not ready: {GONE}\n"))


@pytest.mark.fault("D4")
@pytest.mark.parametrize("fault", [DiskFault.FORGETFUL, DiskFault.TORN])
def test_a_disk_that_says_it_wrote_and_did_not_is_found_out(
    fault: DiskFault, faulty_disk: FaultyDisk, path: Path
) -> None:
    with serving(journal=path) as server, Client(server.port, token_for("alice")) as client:
        client.hello()
        faulty_disk.fault, faulty_disk.files = fault, "-wal"
        client.send("say", id="1", body="hello")
        until_ready_says(server, (503, f"not ready: {GONE}\n"))


@pytest.mark.fault("C8")
def test_a_connection_whose_events_cannot_be_read_is_closed_with_a_servers_error(
    path: Path,
) -> None:
    with serving(journal=path) as server, Client(server.port, token_for("alice")) as client:
        ready = client.hello()
        client.story({"shout": 100 * PAGE})
    break_a_long_body(path, b"x")
    with serving(journal=path) as server, Client(server.port, token_for("alice")) as client:
        client.send("hello", session=ready["session"], epoch=ready["epoch"], offset=0)
        assert client.closed_with() == 4105
        closing = next(frame for frame in client.kept if frame["type"] == "closing")
        assert (closing["code"], closing["reason"]) == (4105, "the server failed")


def break_a_long_body(path: Path, filler: bytes) -> None:
    """An overflow page begins with the next one's number (sqlite.org/fileformat2.html#ovflpgs)."""
    data = bytearray(path.read_bytes())
    pages = range(0, len(data), PAGE)
    full = [start for start in pages if data[start + 4 : start + PAGE] == filler * (PAGE - 4)]
    data[full[-3] : full[-3] + 4] = b"\xff" * 4
    path.write_bytes(data)
