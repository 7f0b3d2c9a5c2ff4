"""`greenroom replay`: recorded crashes come again, and a stranger's report does no harm."""

from __future__ import annotations

import enum
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import attrs
import orjson
import pytest
import trio
import trio.testing

from greenroom.actors.actor import Actor
from greenroom.actors.machine.actor import MachineActor
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import Step, go, stay
from greenroom.actors.machine.table import On
from greenroom.actors.ref import Request
from greenroom.commands.output.looking import crashes_table
from greenroom.loading.replay import CannotReplay, load_case
from greenroom.supervisor import (
    ChildSpec,
    CrashReport,
    Restart,
    actor_child,
    open_supervisor,
)
from greenroom.supervisor.inspection.as_json import (
    CrashLine,
    dump_crash,
    dump_crashes,
    line_of,
    load_crashes,
)
from greenroom.testing.replay.replay import Asked, replay
from greenroom.testing.replay.source import CannotWrite, test_source
from tests.face.cli import Result, command, environment, greenroom

Here = Callable[..., Result]
SHOP = Path(__file__).parents[3] / "examples" / "corner_shop.py"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the corner shop was brought down: three reports, and its code beside them."""
    place = tmp_path_factory.mktemp("shop")
    shutil.copy(SHOP, place)
    subprocess.run([sys.executable, SHOP.name], cwd=place, check=True, capture_output=True)
    return place


@pytest.fixture
def here(shop: Path) -> Here:
    """Runs a command in the shop."""
    return partial(greenroom, cwd=shop)


CRASHES = {
    "till": "ZeroDivisionError",
    "shelf": "KeyError: 'milk'",
    "door": "UnlistedPair: machine 'door' takes no Push in LOCKED",
}


@pytest.mark.requirement("R42")
@pytest.mark.parametrize(("name", "error"), CRASHES.items(), ids=CRASHES)
def test_a_recorded_crash_comes_again_and_becomes_a_test_that_passes(
    name: str, error: str, shop: Path, here: Here
) -> None:
    test = f"test_{name}.py"
    arguments = [f"{name}.json", "--trust", "--write-test", test]
    result = here("replay", *arguments)
    assert (result.code, result.err) == (0, "")
    assert f"recorded: {error}" in result.out
    assert f"replayed: {error}" in result.out
    assert "3 of 3 messages handled" in result.out

    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    done = subprocess.run(run, cwd=shop, capture_output=True, text=True, check=False)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_the_written_test_fails_once_the_actor_is_mended(here: Here, tmp_path: Path) -> None:
    here("replay", "till.json", "--trust", "--write-test", str(tmp_path / "t.py"))
    mended = SHOP.read_text().replace("// self.staff", "// max(self.staff, 1)")
    (tmp_path / SHOP.name).write_text(mended)
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "t.py"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1 failed" in done.stdout


@pytest.mark.parametrize("actor", ["corner_shop:Till", "corner_shop.py:Till"])
def test_the_actors_module_may_be_named_instead_of_trusting_the_report(
    actor: str, here: Here
) -> None:
    assert here("replay", "till.json", "--actor", actor).code == 0


@pytest.mark.parametrize(
    ("actor", "said", "advice", "code"),
    [
        ("corner_shop:Tlil", "corner_shop:Tlil has no 'Tlil'", "did you mean 'Till'?", 2),
        ("corner_shop:nope", "corner_shop:nope has no 'nope'", "it is an actor's class, or", 2),
        ("nowhere.py:Till", "there is no file nowhere.py", "MODULE_OR_FILE:FACTORY", 2),
        ("corner_shop", "'corner_shop' does not name an actor", "MODULE_OR_FILE:FACTORY", 2),
        ("corner_shop:SECRET", "SECRET must make an actor", "it is an actor's class", 1),
        (
            "corner_shop:staff",
            "make an actor, not a builtins:list",
            "a function that returns a fresh one",
            1,
        ),
        ("corner_shop:Sold", "Sold is not the class of an actor", "--actor module:factory", 1),
    ],
)
def test_what_makes_no_actor_is_refused_and_it_is_said_what_does(
    actor: str,
    said: str,
    advice: str,
    code: int,
    here: Here,
) -> None:
    result = here("replay", "till.json", "--actor", actor)
    assert (result.code, result.out) == (code, "")
    first, second = result.err.splitlines()
    assert said in first
    assert advice in second


def test_a_report_may_come_by_standard_input(shop: Path) -> None:
    done = subprocess.run(
        command(["replay", "-", "--trust"]),
        cwd=shop,
        env=environment(None),
        input=(shop / "till.json").read_bytes(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_file_that_is_there_is_not_overwritten_unless_forced(here: Here, tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("years of work\n")

    def write(*more: str) -> Result:
        return here("replay", "till.json", "--trust", "--write-test", str(mine), *more)

    refused = write()
    assert (refused.code, refused.out) == (2, "")
    assert "mine.py exists already" in refused.err
    assert "--force" in refused.err
    assert mine.read_text() == "years of work\n"

    assert write("--force").code == 0
    assert "def test_replay_of_" in mine.read_text()


def test_a_mended_actor_does_not_crash_and_that_is_exit_code_1(shop: Path) -> None:
    (shop / "mended.py").write_text(
        "from corner_shop import *\n"
        "class Mended(Till):\n"
        "    async def receive(self, message):\n"
        "        self.staff = max(self.staff, 5)\n"
        "        await super().receive(message)\n"
    )
    result = greenroom("replay", "till.json", "--actor", "mended:Mended", cwd=shop)
    assert "replayed: no crash" in result.out
    assert "it does not crash" in result.err
    assert result.code == 1


def test_another_crash_is_told_from_the_recorded_one(shop: Path) -> None:
    result = greenroom("replay", "till.json", "--actor", "corner_shop:Shelf", cwd=shop)
    assert result.code == 1
    assert "Shelf" in result.err
    (shop / "other.py").write_text("from corner_shop import *\ndef make(): return Shelf()\n")
    arguments = ["--actor", "other:make", "--write-test", "no_such_crash.py"]
    result = greenroom("replay", "till.json", *arguments, cwd=shop)
    assert "it crashes in a different way: builtins:AttributeError, not" in result.err
    assert result.code == 1
    assert not (shop / "no_such_crash.py").exists()


# Untrusted reports


def saved(shop: Path, change: Callable[[dict[str, object]], object], to: Path) -> Path:
    """The till's report with something else in its recording."""
    form = orjson.loads((shop / "till.json").read_bytes())
    change(form["crash"]["actor"]["recording"])
    path = to / "changed.json"
    path.write_bytes(orjson.dumps(form))
    return path


SPY = "import pathlib; pathlib.Path('was_here').touch()\n"


@pytest.mark.requirement("R42")
@pytest.mark.parametrize(
    "recording",
    [
        {"messages": [{"$object": "spy:Thing", "fields": {}}]},
        {"messages": [{"a": [{"$text": "spy:Thing", "value": "x"}]}]},
        {"factory": {"class": "spy:Thing", "args": [], "kwargs": {}}},
        {"factory": {"class": "corner_shop:Till", "args": [{"$enum": "spy:A"}], "kwargs": {}}},
    ],
)
def test_no_module_is_imported_because_a_report_names_it(
    recording: dict[str, object], shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "spy.py").write_text(SPY)
    report = saved(shop, lambda held: held.update(recording), tmp_path)
    for arguments in ([], ["--actor", f"{SHOP}:Till"]):
        result = greenroom("replay", str(report), *arguments, cwd=tmp_path)
        if "factory" not in recording or not arguments:
            assert "spy" in result.err
            assert result.code == 1
    assert not (tmp_path / "was_here").exists()


@pytest.mark.parametrize(
    "form",
    [
        {"$object": "subprocess:Popen", "fields": {"args": ["touch", "was_here"]}},
        {"$object": "os:system", "fields": {"command": "touch was_here"}},
        {"$text": "builtins:exec", "value": "open('was_here', 'w')"},
        {"$enum": "pathlib:Path", "name": "touch"},
    ],
)
def test_even_a_trusted_report_calls_nothing_but_messages(
    form: dict[str, object], shop: Path, tmp_path: Path
) -> None:
    report = saved(shop, lambda held: held.update(messages=[form]), tmp_path)
    shutil.copy(SHOP, tmp_path)
    result = greenroom("replay", str(report), "--trust", cwd=tmp_path)
    assert "a message cannot be made again" in result.err
    assert result.code == 1
    assert not (tmp_path / "was_here").exists()


def test_a_factory_that_is_no_actors_class_is_refused(shop: Path, tmp_path: Path) -> None:
    factory = {"class": "subprocess:Popen", "args": [["touch", "was_here"]], "kwargs": {}}
    report = saved(shop, lambda held: held.update(factory=factory, messages=[]), tmp_path)
    assert (
        "not the class of an actor" in greenroom("replay", str(report), "--trust", cwd=tmp_path).err
    )
    assert not (tmp_path / "was_here").exists()


def complaint(result: Result) -> str:
    assert "Traceback" not in result.err
    assert result.code == 1
    return result.err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "greenroom.crash/1", "crash": {}}'])
def test_what_is_no_report_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    assert "greenroom: error:" in complaint(greenroom("replay", "x.json", cwd=tmp_path))


# Without the command line


@attrs.frozen
class Later:
    seconds: float


@attrs.frozen
class Doubled(Request[int]):
    number: object


class Patient(Actor[object]):
    """Waits, sets timers, answers; dies of the number 13."""

    def __init__(self, limit: int = 13) -> None:
        self.limit = limit

    async def started(self) -> None:
        self.timers.start("never", 5.0, 13)

    async def receive(self, message: object) -> object:
        if isinstance(message, Later):
            await trio.sleep(message.seconds)
        if message == self.limit:
            raise ValueError("unlucky")
        if isinstance(message, Doubled):
            return message.number * 2  # type: ignore[operator]  # that is the crash
        return None


async def report_of(spec: ChildSpec, *messages: object, to: Path) -> Path:
    async with open_supervisor("root", [spec]) as root:
        ref = root.child(spec.id)
        for message in messages:
            ref.tell(message)  # type: ignore[attr-defined]  # a ref
        await trio.testing.wait_all_tasks_blocked()
        await trio.Path(to).write_bytes(dump_crash(root.crashes()[0]))
        return to


def test_hours_pass_at_once_and_the_actors_own_timers_stay_silent() -> None:
    replayed = replay(Patient, [Later(90_000.0), Later(90_000.0), Asked(Doubled(2))])
    assert (replayed.crashed, replayed.handled) == (False, 3)
    assert replay(Patient, [Later(10.0), 13, "more"]).handled == 2


def test_a_request_that_crashes_its_actor_is_a_crash() -> None:
    replayed = replay(Patient, [Asked(Doubled(None))])
    assert replayed.raised == "builtins:TypeError"
    assert replayed.place.startswith("test_replay.py, receive: return message.number * 2")


def crash_of(factory: Callable[[], Actor[object]], *messages: object) -> CrashReport:
    async def crash() -> CrashReport:
        spec = actor_child("it", factory, record=100, restart=Restart.TEMPORARY)
        async with open_supervisor("root", [spec]) as root:
            for message in messages:
                root.child("it").tell(message)  # type: ignore[attr-defined]  # a ref
            await trio.testing.wait_all_tasks_blocked()
            return root.crashes()[0]

    return trio.run(crash)


class Fragile(Actor[object]):
    """Dies of errors, on one line of two; says nothing of strings."""

    async def receive(self, message: object) -> None:
        if message is ValueError:
            raise ValueError("on a line of its own")
        if isinstance(message, type):
            raise message("on the line of all others")


def test_the_same_error_by_the_same_message_from_the_same_line_is_the_same_crash() -> None:
    crash = crash_of(Fragile, "hello", KeyError)
    assert replay(Fragile, ["hello", KeyError]).is_like(crash)
    assert replay(Fragile, ["another", KeyError]).is_like(crash)


@pytest.mark.parametrize(
    ("recorded", "replayed", "difference"),
    [
        ([KeyError], [OSError], "builtins:OSError, not builtins:KeyError"),
        ([ArithmeticError, 1], [ValueError, 1], "builtins:ValueError, not"),
        (["hello", KeyError], [KeyError, KeyError], "by message 1 of 2, not by the last"),
        ([KeyError], ["hello"], "did not crash"),
    ],
)
def test_what_tells_two_crashes_apart_is_named(
    recorded: list[object], replayed: list[object], difference: str
) -> None:
    again = replay(Fragile, replayed)
    crash = crash_of(Fragile, *recorded)
    assert not again.is_like(crash)
    assert difference in str(again.difference(crash))


class TwoWays(Actor[object]):
    async def receive(self, message: object) -> None:
        if message == "left":
            raise ValueError(message)
        raise ValueError("right")


def test_the_same_error_from_another_line_is_another_crash() -> None:
    left = crash_of(TwoWays, "left")
    right = replay(TwoWays, ["right"])
    assert left.error is not None
    assert right.raised == left.error.type
    assert str(right.difference(left)).startswith('test_replay.py, receive: raise ValueError("')
    assert replay(TwoWays, ["left"]).is_like(left)


class Floor(enum.Enum):
    GROUND = "ground"
    TOP = "top"


@attrs.frozen
class Up: ...


@attrs.frozen
class Down: ...


@attrs.frozen
class Jolt: ...


def jolt(_: int, __: Jolt) -> Step[Floor, int, None]:
    raise OSError("stuck")


class Lift(MachineActor[object, Floor, int, None]):
    machine = Machine(
        name="lift",
        states=Floor,
        initial=Floor.GROUND,
        transitions=[
            On(Floor.GROUND, Up, lambda data, _: go(Floor.TOP, data), to={Floor.TOP}),
            On(Floor.TOP, Down, lambda data, _: go(Floor.GROUND, data), to={Floor.GROUND}),
            On(set(Floor), Jolt, jolt),
        ],
    )

    def initial_data(self) -> int:
        return 0


class WiderLift(Lift):
    machine = Machine(
        name="lift",
        states=Floor,
        initial=Floor.GROUND,
        transitions=[*Lift.machine.transitions, On(Floor.TOP, str, lambda data, _: stay(data))],
    )


@pytest.mark.parametrize(
    ("recorded", "replayed", "difference"),
    [
        ([Up(), Up()], [Up(), "what"], "takes no str in TOP, not machine 'lift' takes no Up"),
        ([Up(), Up()], [Down()], "takes no Down in GROUND, not machine 'lift' takes no Up in TOP"),
        ([Jolt()], [Up(), Jolt()], "with its machine in TOP, not in GROUND"),
    ],
)
def test_a_machine_that_fell_in_another_state_or_by_another_event_is_another_crash(
    recorded: list[object], replayed: list[object], difference: str
) -> None:
    again = replay(Lift, replayed)
    crash = crash_of(Lift, *recorded)
    assert crash.error is not None
    assert again.raised == crash.error.type
    assert difference in str(again.difference(crash))


def test_a_refused_event_is_the_same_crash_whatever_else_the_state_takes_by_now() -> None:
    crash = crash_of(Lift, Up(), Up())
    assert replay(Lift, [Up(), Up()]).is_like(crash)
    assert replay(WiderLift, [Up(), Up()]).is_like(crash)


def test_the_written_test_asserts_all_that_tells_one_crash_from_another() -> None:
    source = source_of(Lift, Up(), Up())
    for line in (
        "raised == 'greenroom.actors.machine.machine:UnlistedPair'",
        "place == \"machine 'lift' takes no Up in TOP\"",
        "handled == 2",
        "phase == 'TOP'",
    ):
        assert f"    assert replayed.{line}\n" in source
    assert "phase" not in source_of(Fragile, KeyError)


def source_of(factory: Callable[[], Actor[object]], *messages: object) -> str:
    values = [message for message in messages if not isinstance(message, type)]
    replayed = replay(factory, messages)
    return test_source(
        crash="abc",
        path="p",
        summary="s",
        factory=factory,
        factory_name=None,
        messages=values,
        replayed=replayed,
    )


def test_an_actor_that_fails_to_start_has_crashed() -> None:
    class Unborn(Actor[object]):
        async def started(self) -> None:
            raise OSError("no")

    assert replay(Unborn, ["x"]).raised == "builtins:OSError"


async def test_arguments_of_a_partial_are_replayed_too(tmp_path: Path) -> None:
    spec = actor_child("a", partial(Patient, limit=3), record=5, restart=Restart.TEMPORARY)
    path = await report_of(spec, 1, 2, 3, to=tmp_path / "r.json")
    case = await trio.to_thread.run_sync(lambda: load_case(path, actor=None, trust=True))
    replayed = await trio.to_thread.run_sync(case.run)
    assert replayed.is_like(case.report)


async def test_a_factory_nobody_can_name_asks_for_one(tmp_path: Path) -> None:
    spec = actor_child("a", lambda: Patient(3), record=5, restart=Restart.TEMPORARY)
    path = await report_of(spec, 3, to=tmp_path / "r.json")
    with pytest.raises(CannotReplay, match="--actor"):
        load_case(path, actor=None, trust=True)


def test_the_list_of_crashes_says_which_replays_have_to_be_told_what_makes_the_actor() -> None:
    class Hidden(Patient):
        pass

    def told(factory: Callable[[], Actor[object]]) -> tuple[bool, bool]:
        (line,) = load_crashes(dump_crashes([line_of(crash_of(factory, 13))]))
        return line.replayable, line.needs_actor

    keeper: Callable[..., Patient] = Patient
    assert told(Patient) == told(partial(Patient, limit=13)) == (True, False)
    assert told(lambda: Patient()) == told(Hidden) == (True, True)
    assert told(partial(keeper, limit=SameAs(13))) == (True, True)

    lines = [
        CrashLine("id", 1, 0.0, "a/b", "crashed", "boom", 0, 1, *way)
        for way in ((True, False), (True, True), (False, False))
    ]
    (column,) = [each for each in crashes_table(lines).columns if each.header == "replay"]
    assert [str(cell) for cell in column.cells] == ["yes", "--actor", ""]
    assert column.width == len("--actor")


class SameAs:
    """A handle of no form that a report could keep."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return other == self.number

    __hash__ = None  # type: ignore[assignment]  # it is in no set


async def test_messages_that_were_not_recorded_cannot_be_replayed_and_it_says_how(
    tmp_path: Path,
) -> None:
    spec = actor_child("a", Patient, restart=Restart.TEMPORARY)
    path = await report_of(spec, 13, to=tmp_path / "r.json")
    with pytest.raises(CannotReplay, match="record="):
        load_case(path, actor=None, trust=True)


def test_a_name_that_is_no_name_gets_into_no_source() -> None:
    evil = type("A", (), {})
    evil.__module__, evil.__qualname__ = "os", "x\nimport os; os.system('true')  #"
    with pytest.raises(CannotWrite):
        test_source(
            crash="abc",
            path="p",
            summary='"""\nimport os',
            factory=evil,  # type: ignore[arg-type]  # that is the attack
            factory_name=None,
            messages=[],
            replayed=replay(Patient, [13]),
        )


def test_what_a_crash_says_cannot_leave_the_docstring_it_is_written_in() -> None:
    source = test_source(
        crash="abc",
        path='"""',
        summary='"""\nraise SystemExit',
        factory=Patient,
        factory_name=None,
        messages=["\"'\n", b"\x00", 1.5, float("inf"), {"a": (1, {2})}],
        replayed=replay(Patient, [13]),
    )
    compile(source, "t.py", "exec")
    assert "\nraise SystemExit" not in source
