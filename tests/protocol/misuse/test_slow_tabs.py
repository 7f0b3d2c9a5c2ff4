"""Tabs that stop reading, for a while or for long, and what they and their neighbours hear.

The server's clock stands still, so that no timer is due but where a test lets time pass.
"""

import json
import socket
import threading
import urllib.request
from contextlib import ExitStack, contextmanager, suppress

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked
from websockets.frames import Frame, Opcode

from greenroom import Pressure
from greenroom.transport.connection.socket.counted_socket import ROOM_BYTES
from tests.face.log_lines import logged
from tests.protocol.client import Client
from tests.protocol.server import serving, token_for

PIECE = "x" * 2_000
PROGRESS = {"agent_thinking", "partial_result", "superseded"}
MOST = 5_000  # events until a tab that reads nothing must have been noticed

pytestmark = [pytest.mark.requirement("R12"), pytest.mark.requirement("R16")]


class Stage:
    """A server whose time stands still, and the sockets of its one user."""

    def __init__(self, server, clock, sockets):
        self.server, self._clock, self._sockets = server, clock, sockets

    def tab(self, *, reads=True, **hello):
        """A ready socket. One that does not read takes what it asks for, and little more."""
        options = {"max_queue": None} if reads else {"max_queue": 1, "sock": self._narrow()}
        client = Client(self.server.port, token_for("alice"), **options)
        self._sockets.enter_context(client)
        client.hello(**hello)
        return client

    def _narrow(self):
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        narrow.connect(("127.0.0.1", self.server.port))
        return narrow

    def run(self, speak):
        """A run of an agent: what `speak(run)` says."""

        async def live():
            async with self.server.runtime.run(user="alice", agent="speaker") as run:
                await speak(run)

        self.server.run(live)

    def pass_time(self, seconds):
        async def passing():
            for _ in range(round(seconds * 2)):
                self._clock.jump(0.5)
                await wait_all_tasks_blocked(0.001)

        self.server.run(passing)

    def unwritten(self):
        """The bytes that wait to be written to the one socket there is."""
        (user,) = self.server.runtime.users.active()
        (connection,) = user.connections.which_children()
        return connection.value._actor.writer.waiting

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


@contextmanager
def still(**chosen):
    clock = MockClock()
    with serving(clock=clock, frames_burst=100_000, **chosen) as server:
        try:
            with ExitStack() as sockets:
                yield Stage(server, clock, sockets)
        finally:
            server.run_sync(setattr, clock, "rate", 20.0)


@pytest.fixture
def stage():
    with still() as stage:
        yield stage


async def speak_until(run, pressure):
    for _ in range(MOST):
        await run.partial_result(text=PIECE)
        if run.pressure is pressure:
            return
    raise AssertionError(f"never {pressure}")


async def until_nobody_listens(run):
    await speak_until(run, Pressure.NOBODY_LISTENING)


async def until_somebody_lags(run):
    """Then some more, so that more than a frame waits, and a turn of tools in between."""
    await speak_until(run, Pressure.SOME)
    for number in range(200):
        await run.agent_thinking(text=str(number))
    async with run.tool("look"):
        pass
    for number in range(200):
        await run.partial_result(text=f"{number} ")
    await run.final_report(report="done")


def read(tab, place=0, until="agent_completed"):
    """Events past `place` through a kind or an offset: each once, without a gap; acknowledged."""
    events = []
    while not events or until not in (events[-1]["kind"], place):
        for event in tab.take("events")["events"]:
            if event["offset"] > place:
                assert event["offset"] == place + 1, "a gap"
                place = event["data"].get("through", event["offset"])
                events.append(event)
        tab.send("ack", offset=place)
    return events


def critical(events):
    return [event for event in events if event["kind"] not in PROGRESS]


def text(events):
    return "".join(e["data"]["text"] for e in events if e["kind"] == "partial_result")


def test_a_paused_tab_gets_its_progress_folded_and_its_neighbour_got_all_of_it_at_once(stage):
    paused, quick = stage.tab(reads=False), stage.tab()
    stage.run(until_somebody_lags)
    everything = read(quick)
    assert [event["offset"] for event in everything] == list(range(1, len(everything) + 1))
    assert {event["kind"] for event in everything} & {"superseded"} == set()
    assert stage.metric("greenroom_events_superseded_total") == 0

    folded = read(paused)
    assert critical(folded) == critical(everything)
    assert text(folded) == text(everything)
    gaps = [event for event in folded if event["kind"] == "superseded"]
    stood_for = sum(gap["data"]["through"] - gap["offset"] + 1 for gap in gaps)
    assert stood_for == len(everything) - len(folded) + len(gaps) > 300
    assert stage.metric("greenroom_events_superseded_total") == stood_for
    assert {gap["class"] for gap in gaps} == {"progress"}

    stage.run(until_all_is_said)
    place = len(everything)
    assert read(paused, place) == read(quick, place), "who has caught up gets everything"


async def stream_until_somebody_lags(run):
    """Thoughts and text by the token, with a tool between them, far past what a tab may lag."""
    async with run.text() as text:
        while run.pressure is not Pressure.SOME:
            text.write(PIECE)
            await text.flush()
    for number in range(2):
        async with run.thoughts() as thoughts:
            for word in range(200):
                thoughts.write(f"{number}.{word} ")
                await thoughts.flush()
    async with run.tool("look"):
        pass
    async with run.text() as text:
        for word in range(200):
            text.write(f"{word} ")
            await text.flush()


def thoughts(events):
    found = {}
    for data in [e["data"] for e in events if e["kind"] == "agent_thinking"]:
        found[data["thought"]] = found.get(data["thought"], "") + data["text"]
    return found


@pytest.mark.requirement("R45")
def test_a_paused_tab_gets_every_word_that_streamed_in_fewer_events(stage):
    paused, quick = stage.tab(reads=False), stage.tab()
    stage.run(stream_until_somebody_lags)
    everything, folded = read(quick), read(paused)
    assert len(folded) < len(everything) / 2
    assert critical(folded) == critical(everything)
    assert text(folded) == text(everything)
    assert thoughts(folded) == thoughts(everything)
    assert thoughts(everything)[1] == "".join(f"1.{word} " for word in range(200))
    merged = [e for e in folded if e["kind"] == "agent_thinking" and "merges" in e["data"]]
    assert merged, "pieces of a thought merge"
    assert all(set(e["data"]) == {"text", "thought", "index", "merges"} for e in merged)


async def until_all_is_said(run):
    for number in range(3):
        await run.agent_thinking(text=str(number))


def test_folding_changes_neither_history_nor_a_resume(stage):
    paused, quick = stage.tab(reads=False), stage.tab()
    stage.run(until_somebody_lags)
    everything = read(quick)
    assert len(read(paused)) < len(everything)
    page = paused.ask("history", id="1", limit=200)["events"]
    assert page == everything[-200:]
    position = {"epoch": paused.ready["epoch"], "offset": 7}
    again = stage.tab(session=paused.ready["session"], **position)
    assert read(again, 7) == everything[7:]


@pytest.mark.requirement("R15")
def test_what_was_folded_counts_as_received_and_as_displayed_if_its_text_was(stage):
    receipts = {}

    async def keep_receipts(run):
        await speak_until(run, Pressure.SOME)
        for number in range(200):
            thought = await run.agent_thinking(text=str(number))
            piece = await run.partial_result(text=str(number))
            receipts.update({thought.offset: thought, piece.offset: piece})

    def stage_of(offset):
        return str(stage.server.run(receipts[offset].stage))

    tab = stage.tab(reads=False)
    stage.run(keep_receipts)
    events = read(tab)
    merged = [e for e in events if e["offset"] in receipts and "merges" in e["data"]][-1]
    pieces = [*merged["data"]["merges"], merged["offset"]]
    thought = pieces[-2] - 1
    assert [each for each in events if each["offset"] == thought] == []
    tab.send("displayed", offsets=pieces)
    assert {frame["type"] for frame in tab.fence()} <= {"events"}
    assert {stage_of(offset) for offset in pieces if offset in receipts} == {"displayed"}
    assert stage_of(thought) == "received"


def test_a_tab_that_waits_too_long_is_closed_4103_and_resumes_with_all_of_it():
    with still(backlog_events=400) as stage:
        paused = stage.tab(reads=False)
        stage.run(until_nobody_listens)
        everything = read(stage.tab(epoch=paused.ready["epoch"], offset=0), place=0)
        assert paused.closed_with() == 4103
        assert "slowly" in paused.take("closing")["reason"]
        got = [e for frame in paused.kept if frame["type"] == "events" for e in frame["events"]]
        assert got == everything[: len(got)], "what was on its way"
        place = {"epoch": paused.ready["epoch"], "offset": len(got)}
        again = stage.tab(session=paused.ready["session"], **place)
        assert again.ready["recovered"] is True
        assert read(again, len(got)) == everything[len(got) :]


def test_a_tab_that_sleeps_shortly_goes_on_as_if_nothing_had_been(stage):
    tab = stage.tab()
    stage.run(until_all_is_said)
    before = read(tab)
    stage.run(until_all_is_said)
    stage.pass_time(9)
    assert stage.metric('greenroom_breakers{state="open"}') == 1
    stage.run(until_all_is_said)
    after = read(tab, place=len(before), until=15)
    assert [event["offset"] for event in after] == list(range(6, 16))
    assert tab.ask("history", id="1", limit=15)["events"] == [*before, *after]


@pytest.mark.parametrize("by_offset", [False, True])
def test_a_tab_that_sleeps_for_minutes_is_closed_and_resumes_where_it_was(stage, by_offset):
    tab = stage.tab()
    stage.run(until_all_is_said)
    before = read(tab)
    tab.fence()
    stage.run(until_all_is_said)
    stage.pass_time(60)
    stage.run(until_all_is_said)
    assert tab.closed_with() == 4101
    assert tab.take("closing")["reconnect"] is not None
    place = {"epoch": tab.ready["epoch"], "offset": len(before)}
    again = stage.tab(session=tab.ready["session"], **(place if by_offset else {}))
    assert again.ready["recovered"] is True
    after = read(again, place=len(before), until=15)
    assert [event["offset"] for event in after] == list(range(6, 16))


def test_every_tab_and_device_has_a_place_of_its_own(stage):
    """Three sessions got to different places; each goes on from its own, whoever comes first."""
    tabs = [stage.tab() for _ in range(3)]
    stage.run(until_all_is_said)
    stage.run(until_all_is_said)
    places = [3, 10, 7]
    for tab, place in zip(tabs, places, strict=True):
        tab.events(until=10)
        tab.send("ack", offset=place)
        tab.fence()
        tab.cut()
    for tab, place in zip(tabs[::-1], places[::-1], strict=True):
        again = stage.tab(session=tab.ready["session"])
        assert again.ready["recovered"] is True
        stage.run(until_all_is_said)
        offsets = [event["offset"] for event in again.events(until="agent_started")]
        assert offsets[0] == place + 1


@pytest.mark.requirement("R10")
def test_a_tab_that_stops_reading_amid_a_stream_is_cut_and_counted_as_one_that_fell_silent(stage):
    with logged(log_format="json") as lines:
        tab = stage.tab(reads=False)
        stage.run(until_somebody_lags)
        stage.pass_time(60)
    assert stage.metric('greenroom_connections_closed_total{by="server",code="4101"}') == 1
    (cut,) = [json.loads(line) for line in lines.getvalue().splitlines() if "was cut" in line]
    assert {name: cut[name] for name in ("connection", "session")} == {
        name: tab.ready[name] for name in ("connection", "session")
    }
    assert cut["user"].startswith("~")


def test_that_somebody_types_is_not_kept_for_a_tab_that_reads_nothing(stage):
    paused, quick = stage.tab(reads=False), stage.tab()
    stage.run(until_somebody_lags)
    thread = read(quick)[0]["thread"]
    quick.send("typing", thread=thread)
    quick.fence()
    place = read(paused)[-1]["offset"]
    assert [frame for frame in paused.kept if frame["type"] == "typing"] == []
    stage.run(until_all_is_said)
    read(paused, place)
    quick.send("typing", thread=thread)
    assert paused.take("typing")["thread"] == thread


def test_a_tab_that_asks_and_does_not_read_is_not_listened_to_until_it_does(stage):
    """So what the server keeps for it is bounded, though it may ask for as much as it wants."""
    tab = stage.tab(reads=False)
    wrong = Frame(Opcode.TEXT, b'{"type":"say","id":"%s"}' % (b"x" * 100))

    def ask():
        with suppress(OSError):  # the test ends before all is sent
            tab.raw(*[wrong] * 50_000)

    asks = threading.Thread(target=ask)
    asks.start()
    try:
        while stage.unwritten() <= ROOM_BYTES:
            stage.server.run(wait_all_tasks_blocked, 0.05)
        stage.server.run(wait_all_tasks_blocked, 0.05)
        assert stage.unwritten() < 2 * ROOM_BYTES
    finally:
        tab.cut()
        asks.join()
