"""Looking in: what the tree and the crash reports show, and that looking disturbs nobody."""

from __future__ import annotations

import enum
import logging

import attrs
import orjson
import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor
from greenroom.actors.exit import crashed
from greenroom.actors.machine.actor import MachineActor
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import Step, go
from greenroom.actors.machine.table import On
from greenroom.actors.recording.redaction import SECRET
from greenroom.actors.ref import Ref, Request
from greenroom.supervisor import (
    CrashLog,
    CrashReport,
    DynamicSupervisorRef,
    Intensity,
    Restart,
    Strategy,
    TreeNode,
    actor_child,
    dynamic_supervisor_child,
    open_supervisor,
    snapshot,
    supervisor_child,
    task_child,
)
from greenroom.supervisor.inspection.as_json import (
    NotThatSchema,
    dump_crash,
    dump_crashes,
    dump_tree,
    line_of,
    load_crash,
    load_crashes,
    load_tree,
)
from greenroom.supervisor.inspection.cpu_meter import CpuMeter, measuring_cpu
from greenroom.supervisor.inspection.cpu_usage import WINDOW, CpuUsage
from tests.supervisor.stage import Crash, Stage, settle


class Deaf(Actor[str]):
    """Stops listening at the first message."""

    capacity = 8

    async def receive(self, message: str) -> None:
        await trio.sleep_forever()


class Fragile(Actor[object]):
    async def receive(self, message: object) -> object:
        if message == "die":
            raise Crash("of this")
        return message


def ref_of(value: object) -> Ref[object]:
    assert isinstance(value, Ref)
    return value


def found(tree: TreeNode, path: str) -> TreeNode:
    node = tree.find(path)
    assert node is not None
    return node


# The tree


@pytest.mark.requirement("R42")
async def test_a_stuck_actor_with_a_full_mailbox_is_shown_as_such_and_is_not_disturbed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_supervisor("root", [actor_child("deaf", Deaf)]) as root:
        deaf = ref_of(root.child("deaf"))
        deaf.tell("first")
        await settle()
        for _ in range(Deaf.capacity):
            deaf.tell("waiting")
        await trio.sleep(90)
        before = deaf.statistics()
        node = found(snapshot(root), "root/deaf")
        assert deaf.statistics() == before, "looking sent nothing"

    assert node.mailbox is not None
    assert (node.mailbox.depth, node.mailbox.capacity, node.mailbox.age) == (8, 8, 90.0)
    assert (node.processed, node.waiting, node.last_message) == (1, 8, "str")


async def test_messages_taken_in_a_batch_and_not_looked_at_still_count_as_waiting(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_supervisor("root", [actor_child("deaf", Deaf)]) as root:
        for _ in range(5):
            ref_of(root.child("deaf")).tell("in one batch")
        await trio.sleep(3)
        node = found(snapshot(root), "root/deaf")
    assert node.mailbox is not None
    assert (node.mailbox.depth, node.mailbox.in_hand) == (0, 4)
    assert (node.waiting, node.processed, node.mailbox.age) == (4, 1, 3.0)


class Light(enum.Enum):
    OFF = "off"
    ON = "on"
    BROKEN = "broken"


@attrs.frozen
class Switch:
    pass


@attrs.frozen
class Break:
    pass


def switch_on(data: None, _: Switch) -> Step[Light, None, None]:
    return go(Light.ON, data)


def switch_off(data: None, _: Switch) -> Step[Light, None, None]:
    return go(Light.OFF, data)


def break_it(data: None, _: Break) -> Step[Light, None, None]:
    return go(Light.BROKEN, data)


class Lamp(MachineActor[Switch | Break, Light, None, None]):
    machine = Machine(
        name="lamp",
        states=Light,
        initial=Light.OFF,
        final={Light.BROKEN},
        transitions=[
            On(Light.OFF, Switch, switch_on, to={Light.ON}),
            On(Light.ON, Switch, switch_off, to={Light.OFF}),
            On(Light.ON, Break, break_it, to={Light.BROKEN}),
        ],
    )

    def initial_data(self) -> None:
        return None


@pytest.mark.requirement("R42")
async def test_a_machines_phase_and_history_are_shown_and_reported_with_its_crash() -> None:
    async with open_supervisor("root", [actor_child("lamp", Lamp)]) as root:
        lamp = ref_of(root.child("lamp"))
        lamp.tell(Switch())
        await settle()
        node = found(snapshot(root), "root/lamp")
        lamp.tell(Switch())
        lamp.tell(Break())  # not listed while it is off
        await settle()
        (report,) = root.crashes()

    assert (node.machine, node.phase) == ("lamp", "ON")
    assert [(move.old, move.event, move.new) for move in node.moves] == [("OFF", "Switch", "ON")]
    assert report.actor is not None
    assert report.actor.phase == "OFF"
    assert [move.new for move in report.actor.moves] == ["ON", "OFF"]
    assert report.summary.startswith("UnlistedPair: machine 'lamp' takes no Break in OFF")


async def test_of_many_children_as_many_are_shown_as_asked_for_and_the_others_counted(
    stage: Stage,
) -> None:
    async with open_supervisor("root", [dynamic_supervisor_child("users")]) as root:
        users = root.child("users")
        assert isinstance(users, DynamicSupervisorRef)
        for number in range(5):
            await users.start_child(stage.spec(f"user{number}"))
        node = found(snapshot(root, children=3), "root/users")
    assert [child.id for child in node.children] == ["user0", "user1", "user2"]
    assert node.hidden == 2


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_processor_time_is_charged_to_the_child_whose_tasks_use_it() -> None:
    clock = FakeClock()

    async def busy() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(burn)

    async def burn() -> None:
        clock.now += 2.0
        await trio.sleep_forever()

    async def idle() -> None:
        await trio.sleep_forever()

    with measuring_cpu(CpuMeter(clock)):
        async with open_supervisor(
            "root", [task_child("busy", busy), supervisor_child("in", [task_child("idle", idle)])]
        ) as root:
            await settle()
            tree = snapshot(root)
    assert found(tree, "root/busy").cpu_seconds == 2.0
    assert found(tree, "root/busy").cpu_share == 2.0 / WINDOW
    assert found(tree, "root/in/idle").cpu_seconds == 0.0


async def test_processor_time_is_unknown_while_nobody_measures_it(stage: Stage) -> None:
    async with open_supervisor("root", [stage.spec("a")]) as root:
        with measuring_cpu():
            pass
        assert found(snapshot(root), "root/a").cpu_share is None


def test_a_share_fades_within_two_windows() -> None:
    usage = CpuUsage()
    usage.note(WINDOW, now=WINDOW * 10)
    shares = [usage.share(WINDOW * (10 + step / 2)) for step in range(5)]
    assert shares == [1.0, 1.0, 1.0, 0.5, 0.0]
    assert usage.seconds == WINDOW


# Crash reports


class Asker(Actor[str]):
    def __init__(self, other: Ref[object]) -> None:
        self.other = other

    async def receive(self, message: str) -> None:
        await self.other.ask(Die())


class Die(Request[int]):
    pass


class Dying(Actor[Die]):
    async def receive(self, message: Die) -> int:
        return deep_down()


def deep_down() -> int:
    raise Crash("deep down")


@pytest.mark.requirement("R42")
async def test_the_report_of_one_who_asked_shows_the_true_cause_in_the_one_who_was_asked() -> None:
    specs = [actor_child("dying", Dying, restart=Restart.TEMPORARY)]
    async with open_supervisor("root", specs) as root:
        dying = ref_of(root.child("dying"))
        await root.start_child(actor_child("asker", lambda: Asker(dying)))
        ref_of(root.child("asker")).tell("go")
        await settle()
        reports = {report.child: report for report in root.crashes()}

    error = reports["asker"].error
    assert error is not None
    assert (error.name, error.link) == ("ActorStopped", "cause")
    assert error.root.name == "Crash"
    assert error.root.frames[-1].function == "deep_down"
    assert 'raise Crash("deep down")' in reports["asker"].traceback
    assert error.root == reports["dying"].error, "the same story from both sides"


@attrs.frozen
class Letter:
    to: str
    text: str = attrs.field(metadata=SECRET)


@pytest.mark.requirement("R42")
async def test_the_last_messages_are_in_the_report_without_their_secrets_also_when_recorded() -> (
    None
):
    async with open_supervisor("root", [actor_child("a", Fragile, record=3)]) as root:
        ref = ref_of(root.child("a"))
        for number in range(20):
            ref.tell(Letter(f"bob{number}", "dear diary"))
        ref.tell("die")
        await settle()
        (report,) = root.crashes()

    assert report.actor is not None
    assert report.actor.recording is not None
    assert report.messages[-1] == "die"
    assert len(report.messages) == 16, "at least as many as are remembered anyway"
    assert report.actor.forgotten == 5
    assert b"bob19" in dump_crash(report)
    assert b"dear diary" not in dump_crash(report)


async def test_messages_are_kept_whole_only_where_that_was_asked_for() -> None:
    async with open_supervisor("root", [actor_child("a", Fragile)]) as root:
        ref_of(root.child("a")).tell("die")
        await settle()
        (report,) = root.crashes()
    assert report.actor is not None
    assert report.actor.recording is None


def chain_of(report: CrashReport) -> list[str]:
    return [each.path for each in report.chain]


@pytest.mark.requirement("R42")
@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, ["root/b"]),
        (Strategy.ONE_FOR_ALL, ["root/a", "root/c", "root/b"]),
        (Strategy.REST_FOR_ONE, ["root/a", "root/b"]),
    ],
)
async def test_the_chain_holds_the_crashes_whose_restarts_led_here(
    strategy: Strategy, expected: list[str], stage: Stage
) -> None:
    specs = [stage.spec(id_) for id_ in "abc"]
    intensity = Intensity(10, 5.0)
    async with open_supervisor("root", specs, strategy=strategy, intensity=intensity) as root:
        for id_ in "acbb":
            stage.crash(id_)
            await settle()
        last = root.crashes()[-1]
    assert chain_of(last) == expected
    assert (last.restarts, last.budget) == (last.restarts, 10 - 3)


async def test_a_supervisor_that_gave_up_names_the_crashes_it_gave_up_over(stage: Stage) -> None:
    inner = supervisor_child("inner", [stage.spec("a")], intensity=Intensity(1, 5.0))
    async with open_supervisor("root", [inner]) as root:
        for _ in range(2):
            stage.crash("a")
            await settle()
        *_, gave_up = root.crashes()
        stage.crash("a")
        await settle()
        after = root.crashes()[-1]

    assert (gave_up.path, chain_of(gave_up)) == ("root/inner", ["root/inner/a"] * 2)
    assert chain_of(after) == ["root/inner/a", "root/inner/a", "root/inner"]


async def test_a_report_says_how_long_the_child_had_lived(
    stage: Stage, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_supervisor("root", [stage.spec("a")]) as root:
        await trio.sleep(7)
        stage.crash("a")
        await settle()
        assert root.crashes()[0].uptime == 7.0


def test_ids_are_short_stable_and_all_different() -> None:
    def ids() -> list[str]:
        log = CrashLog(clock=lambda: 1.0)
        return [log.record("root", "a", crashed(Crash())).id for _ in range(50)]

    assert ids() == ids()
    assert len(set(ids())) == 50
    assert all(len(id_) == 8 and id_.isalnum() for id_ in ids())


def test_a_report_is_found_by_its_id_while_it_is_kept() -> None:
    log = CrashLog(capacity=1)
    first, second = (log.record("root", "a", crashed(Crash())) for _ in range(2))
    assert log.find(first.id) is None
    assert log.find(second.id) is second


async def test_a_crash_is_logged_once_with_its_id(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "greenroom.supervisor"):
        async with open_supervisor("root", [stage.spec("a")]) as root:
            stage.crash("a")
            await settle()
            (report,) = root.crashes()
    assert [report.id in record.getMessage() for record in caplog.records] == [True]


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("cannot even say it")


def test_an_error_that_cannot_say_itself_is_reported_all_the_same() -> None:
    report = CrashLog().record("root", "a", crashed(Mute()))
    assert report.error is not None
    assert report.error.message == "(its str() raised RuntimeError)"


# JSON


NODE = {
    *("id", "path", "kind", "state", "restarts", "uptime", "mailbox", "last_message", "machine"),
    *("phase", "moves", "cpu_share", "cpu_seconds", "strategy", "budget", "left_behind"),
    *("hidden", "children"),
}
MAILBOX = {
    *("depth", "in_hand", "capacity", "peak", "taken", "dropped", "age", "senders_waiting"),
}
CRASH = {
    *("id", "number", "at", "supervisor", "child", "reason", "error", "traceback", "restarts"),
    *("uptime", "budget", "chain", "actor", "gave_up"),
}
ACTOR = {"type", "messages", "forgotten", "machine", "phase", "moves", "recording"}
ERROR = {"type", "message", "frames", "notes", "link", "cause", "errors"}


@pytest.mark.requirement("R42")
async def test_the_json_forms_come_back_whole_and_no_field_of_the_schema_goes_missing() -> None:
    async with open_supervisor("root", [actor_child("a", Fragile, record=4)]) as root:
        ref_of(root.child("a")).tell("die")
        await settle()
        tree, (report,) = snapshot(root), root.crashes()

    dumped, crash, crashes = (
        dump_tree(tree, at=1.5),
        dump_crash(report),
        dump_crashes([line_of(report)]),
    )
    assert load_tree(dumped) == tree
    assert dump_crash(load_crash(crash)) == crash
    (line,) = load_crashes(crashes)
    assert (line.id, line.path, line.replayable) == (report.id, "root/a", True)

    form = orjson.loads(dumped)
    assert (form["schema"], form["at"]) == ("greenroom.tree/1", 1.5)
    assert form["tree"].keys() >= NODE
    assert form["tree"]["children"][0]["mailbox"].keys() >= MAILBOX
    told = orjson.loads(crash)["crash"]
    assert told.keys() >= CRASH
    assert told["actor"].keys() >= ACTOR
    assert told["error"].keys() >= ERROR
    assert told["error"]["frames"][-1].keys() == {"file", "line", "function", "source"}


@pytest.mark.parametrize(
    "data",
    [
        b"no json",
        b"[]",
        b"{}",
        b'{"schema": "greenroom.crash/1"}',
        b'{"schema": "greenroom.crash/2"}',
    ],
)
def test_what_is_no_crash_report_is_refused(data: bytes) -> None:
    with pytest.raises(NotThatSchema):
        load_crash(data)
