"""`greenroom replay`: recorded crashes come again, and a stranger's report does no harm."""

from __future__ import annotations

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
from greenroom.actors.ref import Request
from greenroom.replaying import CannotReplay, load_case
from greenroom.supervisor import ChildSpec, Restart, actor_child, open_supervisor
from greenroom.supervisor.looking_json import dump_crash
from greenroom.testing.replay import Asked, replay
from greenroom.testing.replay_source import CannotWrite, test_source
from tests.face.cli import Result, greenroom

SHOP = Path(__file__).parents[2] / "examples" / "corner_shop.py"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the corner shop was brought down: three reports, and its code beside them."""
    place = tmp_path_factory.mktemp("shop")
    shutil.copy(SHOP, place)
    subprocess.run([sys.executable, SHOP.name], cwd=place, check=True, capture_output=True)
    return place


CRASHES = {
    "till": "ZeroDivisionError",
    "shelf": "KeyError: 'milk'",
    "door": "UnlistedPair: machine 'door' takes no Push in LOCKED",
}


@pytest.mark.requirement("R42")
@pytest.mark.parametrize(("name", "error"), CRASHES.items(), ids=CRASHES)
def test_a_recorded_crash_comes_again_and_becomes_a_test_that_passes(
    name: str, error: str, shop: Path
) -> None:
    test = f"test_{name}.py"
    arguments = [f"{name}.json", "--trust", "--write-test", test]
    result = greenroom("replay", *arguments, cwd=shop)
    assert (result.code, result.err) == (0, "")
    assert f"recorded: {error}" in result.out
    assert f"replayed: {error}" in result.out
    assert "3 of 3 messages handled" in result.out

    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    done = subprocess.run(run, cwd=shop, capture_output=True, text=True, check=False)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_the_written_test_fails_once_the_actor_is_mended(shop: Path, tmp_path: Path) -> None:
    greenroom("replay", "till.json", "--trust", "--write-test", str(tmp_path / "t.py"), cwd=shop)
    mended = SHOP.read_text().replace("// self.staff", "// max(self.staff, 1)")
    (tmp_path / SHOP.name).write_text(mended)
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "t.py"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1 failed" in done.stdout


@pytest.mark.parametrize("actor", ["corner_shop:Till", "corner_shop.py:Till"])
def test_the_actors_module_may_be_named_instead_of_trusting_the_report(
    actor: str, shop: Path
) -> None:
    assert greenroom("replay", "till.json", "--actor", actor, cwd=shop).code == 0


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
    result = greenroom("replay", "till.json", "--actor", "other:make", cwd=shop)
    assert "it crashes in another way" in result.err
    assert result.code == 1


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
    assert "no actor's class" in greenroom("replay", str(report), "--trust", cwd=tmp_path).err
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


class TwoWays(Actor[str]):
    async def receive(self, message: str) -> None:
        if message == "left":
            raise ValueError(message)
        raise ValueError("right")


def test_the_same_error_from_another_line_is_another_crash() -> None:
    left, right = replay(TwoWays, ["left"]), replay(TwoWays, ["right"])
    assert left.error is not None
    assert left.raised == right.raised
    assert not right.is_like(left.error)
    assert replay(TwoWays, ["left"]).is_like(left.error)


def test_an_actor_that_fails_to_start_has_crashed() -> None:
    class Unborn(Actor[object]):
        async def started(self) -> None:
            raise OSError("no")

    assert replay(Unborn, ["x"]).raised == "builtins:OSError"


async def test_arguments_of_a_partial_are_replayed_too(tmp_path: Path) -> None:
    spec = actor_child("a", partial(Patient, limit=3), record=5, restart=Restart.TEMPORARY)
    path = await report_of(spec, 1, 2, 3, to=tmp_path / "r.json")
    case = await trio.to_thread.run_sync(lambda: load_case(path, actor=None, trust=True))
    assert case.report.error is not None
    replayed = await trio.to_thread.run_sync(case.run)
    assert replayed.is_like(case.report.error)


async def test_a_factory_nobody_can_name_asks_for_one(tmp_path: Path) -> None:
    spec = actor_child("a", lambda: Patient(3), record=5, restart=Restart.TEMPORARY)
    path = await report_of(spec, 3, to=tmp_path / "r.json")
    with pytest.raises(CannotReplay, match="--actor"):
        load_case(path, actor=None, trust=True)


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
