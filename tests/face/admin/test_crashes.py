"""Crashes that survive restarts, as a real server shows them."""

from __future__ import annotations

from pathlib import Path

import attrs
import orjson
import pytest
import trio

import greenroom
from greenroom.actors import Actor
from greenroom.delivery.crashes import ReadCrash, ReadCrashes
from greenroom.delivery.errors import JournalFull
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.settings import Settings
from greenroom.supervisor import actor_child
from greenroom.supervisor.inspection.as_json import CrashLine, load_crash, load_crashes
from tests.delivery.backstage import Disk
from tests.face.cli import greenroom as run_command
from tests.face.http_get import get
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"  # of nobody


class Divider(Actor[int]):
    """Ends at a zero."""

    def __init__(self, cake: int = 12) -> None:
        self.cake = cake

    async def receive(self, guests: int) -> None:
        self.cake //= guests


class Teller(Actor[str]):
    async def receive(self, text: str) -> None:
        raise ValueError(text)


def crashed(server: Server, user: str = "alice") -> None:
    """Wait for the crash of an agent of the user."""
    before = len(server.runtime.crashes())
    with Client(server.port, token_for(user)) as client:
        client.hello()
        client.ask("say", id=f"{server.port} {before}", body="crash")
        server.wait_until(lambda: len(server.runtime.crashes()) > before)


def lines_of(server: Server) -> tuple[CrashLine, ...]:
    return load_crashes(get(server, "/admin/crashes")[1])


async def until_kept(journal: MemoryJournal, number: int) -> list[str]:
    """The crashes in the journal, once it has this number of them."""
    with trio.fail_after(30):
        kept = await journal.ask(ReadCrashes()).wait()
        while len(kept) < number:
            await trio.sleep(0.01)
            kept = await journal.ask(ReadCrashes()).wait()
    return [each.crash for each in kept]


@pytest.mark.requirement("R42")
def test_a_restarted_server_shows_the_crashes_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with serving(admin_token=ADMIN, journal=path) as server:
        crashed(server)
        (before,) = lines_of(server)
        report = get(server, f"/admin/crashes/{before.id}")[1]
    assert (before.here, before.process != "") == (True, True)

    with serving(admin_token=ADMIN, journal=path) as server:
        (after,) = lines_of(server)
        again = get(server, f"/admin/crashes/{before.id}")[1]
        there = ("--url", f"http://127.0.0.1:{server.port}", "--token", ADMIN)
        listed = run_command("crashes", *there, cwd=tmp_path)
        shown = run_command("crash", before.id[:4], *there, cwd=tmp_path)
        crashed(server)
        assert [line.here for line in lines_of(server)] == [False, True]

    assert after == attrs.evolve(before, here=False)
    assert load_crash(again) == load_crash(report)
    assert orjson.loads(again)["here"] is False
    assert "(earlier)" in listed.out
    assert "not in this server's" in shown.out
    assert "RuntimeError: boom" in shown.out


@pytest.mark.requirement("R55")
def test_an_erased_users_crashes_are_gone_from_the_memory_and_the_journal() -> None:
    with serving(admin_token=ADMIN) as server:
        crashed(server, "alice")
        crashed(server, "bob")
        server.run(server.runtime.erase_user, "alice")
        assert [line.path.split("/")[2] for line in lines_of(server)] == ["user:bob"]


@pytest.mark.fault("D5")
async def test_a_journal_that_is_full_hinders_no_crash_and_keeps_the_later_ones() -> None:
    disk = Disk()
    async with greenroom.open_runtime(Settings(), journal=disk) as runtime:
        ref = await runtime.root.start_child(actor_child("teller", Teller))
        disk.errors = [JournalFull("the disk is full")]
        ref.tell("first")
        with trio.fail_after(30):
            while disk.errors:  # noqa: ASYNC110  # a fake tells of nothing
                await trio.sleep(0.01)
        runtime.root.child("teller").tell("second")
        (kept,) = await until_kept(disk, 1)
        first, second = runtime.crashes()
    assert (first.summary, second.summary) == ("ValueError: first", "ValueError: second")
    assert kept == second.id


async def test_what_crashes_last_is_kept_too() -> None:
    journal = MemoryJournal()
    async with greenroom.open_runtime(Settings(), journal=journal) as runtime:
        ref = await runtime.root.start_child(actor_child("teller", Teller))
        async with runtime._crash_reports.keeper._writing:  # it is busy until the end
            ref.tell("at the end")
            with trio.fail_after(30):
                while not runtime.crashes():  # noqa: ASYNC110  # the log tells only the keeper
                    await trio.sleep(0.01)
            await runtime.root.terminate_child("crash_keeper")
    assert len(await until_kept(journal, 1)) == 1


@pytest.mark.parametrize("texts", [True, False])
async def test_the_text_of_an_error_is_kept_without_secrets_or_not_at_all(texts: bool) -> None:
    journal = MemoryJournal()
    settings = Settings(log_errors=texts)
    async with greenroom.open_runtime(settings, journal=journal) as runtime:
        ref = await runtime.root.start_child(actor_child("teller", Teller))
        ref.tell(f"no {TOKEN}, half a pair \ud800")
        (name,) = await until_kept(journal, 1)
        kept = await journal.ask(ReadCrash(name)).wait()
    assert kept is not None
    report = orjson.loads(kept.report)
    assert TOKEN not in report["error"]["message"] + kept.line + report["traceback"]
    assert ("half a pair" in report["error"]["message"]) is texts


@pytest.mark.requirement("R42")
def test_a_crash_is_downloaded_as_a_test_that_passes() -> None:
    with serving(admin_token=ADMIN) as server:
        spec = actor_child("divider", Divider, record=10)
        ref = server.run(server.runtime.root.start_child, spec)
        for guests in (3, 2, 0):
            server.run_sync(ref.tell, guests)
        server.wait_until(lambda: bool(server.runtime.crashes()))
        (line,) = lines_of(server)
        status, source, headers = get(server, f"/admin/crashes/{line.id}/test")
    assert (status, headers["content-type"]) == (200, "text/x-python; charset=utf-8")
    assert headers["content-disposition"] == f'attachment; filename="test_crash_{line.id}.py"'
    namespace: dict[str, object] = {}
    exec(source, namespace)  # a test of our own
    (test,) = (each for name, each in namespace.items() if name.startswith("test_"))
    test()  # type: ignore[operator]  # a function


def test_where_there_is_no_replay_the_answer_says_why() -> None:
    with serving(admin_token=ADMIN) as server:
        crashed(server)
        (line,) = lines_of(server)
        status, body, _ = get(server, f"/admin/crashes/{line.id}/test")
        assert get(server, "/admin/crashes/nosuchid/test")[0] == 404
    assert status == 409
    assert orjson.loads(body)["error"] == f"the messages of crash {line.id} were not recorded"
