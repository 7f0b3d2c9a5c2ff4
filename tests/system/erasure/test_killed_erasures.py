"""`kill -9` at each step of the erasure of a long thread: the journal is sound, and asking again
finishes it."""

from __future__ import annotations

import shutil
import signal
from contextlib import closing, nullcontext
from pathlib import Path

import apsw
import pytest
import trio

from greenroom.admin.client import AdminClient, CannotReach, NotDone
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import TERMINAL, Kind
from greenroom.delivery.upkeep.journal_check import check
from greenroom.transport.auth.tokens import sign_token
from tests.system.processes import SECRET, Place, eventually, free_port
from tests.system.tab import Frame, Tab

pytestmark = pytest.mark.requirement("R50")

EVENTS = 50
WORDS = "diagnosis"
ADMIN_TOKEN = "a token of the tests, 32 bytes or more"


def place_in(folder: Path, step: str) -> Place:
    environ = {
        "DIE_AT": step,
        "DIED": str(folder / "died"),
        "EVENTS": str(EVENTS),
        "GREENROOM_ADMIN_TOKEN": ADMIN_TOKEN,
    }
    return Place(folder, free_port(), "erasure/erasing_server.py", environ)


def tab_of(place: Place, user: str) -> Tab:
    return Tab("127.0.0.1", place.port, sign_token(SECRET, user, 600))


async def story(tab: Tab, words: str) -> str:
    """Returns the thread."""
    said = await tab.ask(type="say", id=words, body=words)
    assert said["ok"]
    await tab.until(lambda: any(ends(each, said["run"]) for each in tab.seen))
    return str(said["thread"])


def ends(event: Frame, run: str) -> bool:
    return event["run"] == run and event["kind"] in TERMINAL


async def threads(tab: Tab, ask: str) -> set[str]:
    found = await tab.ask(type="threads", id=ask, limit=100)
    return {str(each["thread"]) for each in found["threads"]}


def check_copy(place: Place) -> None:
    """Of a copy: whoever closes the journal empties its WAL."""
    copy = place.folder / "copy"
    copy.mkdir()
    for file in place.folder.glob(f"{place.journal.name}*"):
        shutil.copy(file, copy)
    with closing(apsw.Connection(str(copy / place.journal.name))) as database:
        assert list(check(database, strict=False)) == []
    shutil.rmtree(copy)


def words_left(place: Place) -> bool:
    files = place.folder.glob(f"{place.journal.name}*")
    return any(WORDS.encode() in each.read_bytes() for each in files)


@pytest.mark.parametrize("step", ["before 1", "before 2", "in 2", "after 2", "after last"])
async def test_wherever_a_kill_hits_an_erasure_the_journal_is_sound_and_asking_again_finishes_it(
    tmp_path: Path, step: str
) -> None:
    place = place_in(tmp_path, step)
    ann, bob = tab_of(place, "ann"), tab_of(place, "bob")
    async with place.process() as process:
        await process.until_listening()
        async with bob.connected():
            await story(bob, "of another user")
        async with ann.connected():
            kept = await story(ann, "keep me")
            erased = await story(ann, WORDS)
            await story_goes_on(ann, kept)
            await ann.send(type="erase", id="once", thread=erased)
            assert await process.ended() == -signal.SIGKILL
    check_copy(place)
    before = list(ann.seen)
    async with place.process() as process:
        await process.until_listening()
        async with ann.connected(), bob.connected():
            assert ann.readies[-1]["recovered"]
            left = await threads(ann, "after the kill")
            assert left == ({kept} if step == "after last" else {kept, erased})
            if step != "after last":  # otherwise the user sees that it is done
                again = await ann.ask(type="erase", id="again", thread=erased)
                assert again["ok"]
            assert await threads(ann, "at the end") == {kept}
            await eventually(lambda: not words_left(place))
            await check_replay(place, str(ann.epoch), before, erased)
            await story(bob, "and on")
    check_copy(place)
    assert [each["offset"] for each in bob.seen] == list(range(1, len(bob.seen) + 1))


async def erase_user(place: Place, user: str) -> None:
    """As `greenroom users erase` does beside the server."""
    server = AdminClient(f"http://127.0.0.1:{place.port}", ADMIN_TOKEN)
    await trio.to_thread.run_sync(server.erase_user, UserId(user))


@pytest.mark.requirement("R55")
@pytest.mark.parametrize("step", ["user before 2", "user in last", "user after last"])
async def test_wherever_a_kill_hits_the_erasure_of_a_user_erasing_again_leaves_nothing(
    tmp_path: Path, step: str
) -> None:
    place = place_in(tmp_path, step)
    ann, bob = tab_of(place, "ann"), tab_of(place, "bob")
    async with place.process() as process:
        await process.until_listening()
        async with bob.connected():
            await story(bob, "of another user")
        async with ann.connected():
            for number in range(3):  # several steps
                await story(ann, f"{WORDS} {number}")
        with pytest.raises(CannotReach):
            await erase_user(place, "ann")
        assert await process.ended() == -signal.SIGKILL
    check_copy(place)
    async with place.process() as process:
        await process.until_listening()
        with pytest.raises(NotDone) if step == "user after last" else nullcontext():
            await erase_user(place, "ann")
        await eventually(lambda: not words_left(place))
        async with ann.connected(), bob.connected():
            assert not ann.readies[-1]["recovered"]
            assert ann.readies[-1]["offset"] == 0
            assert await threads(ann, "at the end") == set()
            await story(bob, "and on")
    check_copy(place)
    assert [each["offset"] for each in bob.seen] == list(range(1, len(bob.seen) + 1))


async def story_goes_on(tab: Tab, thread: str) -> None:
    """Something else is said after what will be erased."""
    said = await tab.ask(type="say", id="goes on", body="keep me, too", thread=thread)
    await tab.until(lambda: any(ends(each, said["run"]) for each in tab.seen))


async def check_replay(place: Place, epoch: str, before: list[Frame], erased: str) -> None:
    """A tab that has nothing is sent all that was kept as it was, and of the rest the places."""
    tab = tab_of(place, "ann")
    tab.epoch, tab.offset = epoch, 0
    async with tab.connected():
        await tab.until_offset(before[-1]["offset"])
    kept = {each["offset"]: each for each in before if each["thread"] != erased}
    critical = {each for each in kept if kept[each]["class"] == "critical"}
    sent = {each["offset"]: each for each in tab.seen}
    assert critical <= sent.keys()
    assert all(sent[each]["data"] == kept[each]["data"] for each in critical)
    gone = [each for each in tab.seen if each["offset"] not in kept]
    assert {each["kind"] for each in gone} == {Kind.SUPERSEDED}
    assert len(gone) > EVENTS
