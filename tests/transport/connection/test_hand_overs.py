"""How often something is handed on, from one task, mailbox or thread to the next, and in which
order."""

import threading
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from greenroom import agent
from greenroom.actors.mailbox import Mailbox
from greenroom.actors.reactors.callbacks import Callbacks
from greenroom.delivery.journal.commits.thread import JournalThread
from greenroom.delivery.user.outcomes.reports import Account
from greenroom.delivery.user.runs.launcher import Launcher
from greenroom.transport.connection.socket.frame_writer import FrameWriter
from tests.protocol.client import Client
from tests.protocol.server import serving, token_for

pytestmark = pytest.mark.requirement("R39")

HANDED_ON = [
    (Mailbox, "put_owed"),
    (Mailbox, "pass_on"),
    (JournalThread, "wake"),
    (Callbacks, "post"),
    (Launcher, "_run"),  # in the run's task
]
FOR_THE_CLIENT = {"put_owed Answered", "put_owed DeliverEvents"}


@pytest.fixture
def watch(monkeypatch):
    """Lists the calls of methods, as they happen: the name, and the class of a first argument."""
    calls = []

    def noted(owner, name):
        method = getattr(owner, name)

        def call(*arguments):
            calls.append(" ".join([name, *(type(each).__name__ for each in arguments[1:2])]))
            return method(*arguments)

        monkeypatch.setattr(owner, name, call)

    def begin(methods):
        for owner, name in methods:
            noted(owner, name)
        return calls

    return begin


def test_a_say_is_handed_on_six_times_until_its_runs_task_begins(watch, tmp_path):
    begun = threading.Event()

    @agent()
    async def begins(run, said):
        begun.set()

    with (
        serving(agent=begins, journal=tmp_path / "journal.db", clock=MockClock()) as server,
        Client(server.port, token_for("alice")) as client,
    ):
        client.hello()
        calls = watch(HANDED_ON)
        client.ask("say", id="1", body="hello")
        assert begun.wait(timeout=10)
        way = [each for each in calls[calls.index("put_owed Say") :] if each not in FOR_THE_CLIENT]
    assert way[: way.index("_run WaitingRun") + 1] == [
        "put_owed Say",  # the connection's mailbox
        "put_owed Ask",  # the user actor's
        "wake",  # the journal's thread
        "post partial",  # trio's thread
        "pass_on AppendDone",  # the user actor
        "_run WaitingRun",
    ]


@pytest.mark.parametrize("journal", [":memory:", "journal.db"])
def test_what_is_kept_in_one_turn_is_written_behind_all_of_it(watch, tmp_path, journal):
    """A client that is written to in the middle wakes up and takes the processor."""
    calls = watch([(Account, "kept"), (FrameWriter, "write_events")])

    async def think_together(runtime):
        async with runtime.run(user="alice") as alice, runtime.run(user="bob") as bob:
            while len(calls) < 4:  # both have begun
                await trio.lowlevel.checkpoint()
            calls.clear()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(alice.agent_thinking, text="hm"))
                nursery.start_soon(partial(bob.agent_thinking, text="hm"))

    where = journal if journal == ":memory:" else tmp_path / journal
    with (
        serving(journal=where, clock=MockClock()) as server,
        Client(server.port, token_for("alice")) as alice,
        Client(server.port, token_for("bob")) as bob,
    ):
        alice.hello()
        bob.hello()
        server.run(think_together, server.runtime)
    assert calls[:4] == ["kept list", "kept list", "write_events bytes", "write_events bytes"]
