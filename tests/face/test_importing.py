"""What is imported when: nothing that a command does not need, and Ctrl-C meanwhile is quiet."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import greenroom
from greenroom.command_line import run
from greenroom.commands.table import COMMANDS
from greenroom.parsing import run_command
from tests.face.cli import PATIENCE, Result, command, environment, started

INTERRUPTING = """
import os, signal, sys

class CtrlC:
    '''Somebody presses it when a module is about to be imported.'''

    def find_spec(self, name, path=None, target=None):
        if name == os.environ.get("CTRL_C_AT"):
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
"""
ON_THE_WAY = [
    *("greenroom.command_line", "cyclopts", "attr", "rich.console", "greenroom.commands.events"),
    *(
        "orjson",
        "apsw",
        "greenroom.delivery.journal.sqlite.reader",
        "greenroom.settings.settings",
        "trio",
    ),
]
LIGHT = {"greenroom", "sitecustomize"}  # and the standard library
TELL_MODULES = "import sys; {}; print(*sys.modules, file=sys.stderr)"


def interrupted(words: list[str], at: str, cwd: Path) -> Result:
    """Run a program; Ctrl-C comes when it is about to import the module `at`."""
    (cwd / "sitecustomize.py").write_text(INTERRUPTING)
    before = os.environ.get("PYTHONPATH")
    paths = os.pathsep.join([str(cwd), *([before] if before else [])])
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environment(None) | {"PYTHONPATH": paths, "CTRL_C_AT": at},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.fault("W19")
@pytest.mark.parametrize("module", ON_THE_WAY)
def test_ctrl_c_anywhere_on_the_way_to_a_command_is_quiet(module: str, tmp_path: Path) -> None:
    assert interrupted(command(["events"]), module, tmp_path) == Result(130, "", "")


@pytest.mark.fault("W19")
@pytest.mark.parametrize("name", COMMANDS)
def test_ctrl_c_while_a_command_is_imported_is_quiet(name: str, tmp_path: Path) -> None:
    module, _, _ = COMMANDS[name].place.partition(":")
    assert interrupted(command([name]), module, tmp_path) == Result(130, "", "")


@pytest.mark.fault("W19")
def test_ctrl_c_in_the_console_script_is_quiet(tmp_path: Path) -> None:
    (script,) = entry_points(group="console_scripts", name="greenroom")
    assert script.value == "greenroom.cli:main"
    words = [sys.executable, "-c", "from greenroom.cli import main; main()"]
    assert interrupted([*words, "events"], "trio", tmp_path) == Result(130, "", "")


@pytest.mark.fault("W19")
def test_ctrl_c_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As for a background job of a shell: the command goes on."""
    ignoring = "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    words = [sys.executable, "-c", f"{ignoring}from greenroom.cli import main; main()"]
    done = interrupted([*words, "ids", "explain", "alice"], "orjson", tmp_path)
    assert done.code == 0
    assert "alice: not an id" in done.out


@pytest.mark.fault("W19")
def test_ctrl_c_within_a_nursery_is_quiet_too(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import os, signal, trio\n"
        "async def interrupt():\n"
        "    async with trio.open_nursery() as nursery:\n"
        "        nursery.start_soon(trio.sleep_forever)\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        await trio.sleep_forever()\n"
        "trio.run(interrupt)\n"
    )
    with started(command(["machine", "app.py:gate"]), tmp_path) as process:
        assert process.process.wait(PATIENCE) == 130
        assert process.process.stderr is not None
        assert process.process.stderr.read() == ""


def imported(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", TELL_MODULES.format(statement)],
        env=environment(None),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


@pytest.mark.fault("W19")
def test_before_ctrl_c_is_provided_for_nothing_of_weight_is_imported() -> None:
    loaded = imported("import greenroom.__main__, greenroom.cli") - imported("pass")
    assert {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names <= LIGHT
    assert {name for name in loaded if name.startswith("greenroom")} == {
        *("greenroom", "greenroom.__main__", "greenroom.cli", "greenroom.interrupts")
    }


OVERVIEW = {
    *("greenroom", "greenroom.command_line", "greenroom.interrupts", "greenroom.commands"),
    *("greenroom.commands.table", "greenroom.commands.output"),
    "greenroom.commands.output.streams",
}


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["--version"], ["--debug", "--help"]])
def test_the_overview_and_the_version_need_the_standard_library_alone(words: list[str]) -> None:
    loaded = imported(f"from greenroom.command_line import run; run({words!r})")
    loaded -= imported("pass")
    assert {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names <= LIGHT
    ours = {name for name in loaded if name.startswith("greenroom")}
    assert {name for name in ours if not name.startswith("greenroom.actors")} == OVERVIEW


@pytest.mark.parametrize("words", [["sreve"], ["token", "--help"]])
def test_a_command_imports_no_other_command(words: list[str]) -> None:
    loaded = imported(f"from greenroom.command_line import run; run({words!r})")
    modules = {each.place.partition(":")[0] for each in COMMANDS.values()}
    assert loaded & modules <= {f"greenroom.commands.{words[0]}"}


def test_a_server_imports_nothing_that_only_tests_need() -> None:
    loaded = imported("import greenroom; greenroom.serve")
    assert {"greenroom.serving", "trio"} <= loaded
    assert not loaded & {"trio.testing", "pytest", "hypothesis"}


def test_the_overview_lists_what_the_parser_knows(capsys: pytest.CaptureFixture[str]) -> None:
    """The parser would print the same text, but takes most of a second to be imported."""
    assert run(["--help"]) == 0
    ours = capsys.readouterr().out
    run_command(["--help"])
    assert [*filter(None, ours.splitlines())] == [
        *filter(None, capsys.readouterr().out.splitlines())
    ]


# The package's own names


@pytest.mark.fault("W15")
def test_the_package_tells_its_version(tmp_path: Path) -> None:
    assert greenroom.__version__ == version("greenroom")
    for program in ([str(Path(sys.executable).with_name("greenroom"))], command([])):
        words = [*program, "--version"]
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
        assert done.stdout == f"{greenroom.__version__}\n"


def test_every_exported_name_is_what_type_checkers_take_it_for() -> None:
    seen = {
        alias.name: node.module
        for node in ast.walk(ast.parse(Path(greenroom.__file__).read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("greenroom.")
        for alias in node.names
    }
    assert sorted(seen) == sorted(greenroom.__all__)
    for name, module in seen.items():
        __import__(str(module))
        assert getattr(greenroom, name) is getattr(sys.modules[str(module)], name)
    assert set(greenroom.__all__) <= set(dir(greenroom))


def test_a_room_is_an_attribute_and_a_misspelt_name_is_none() -> None:
    told = imported("import greenroom; greenroom.supervisor.snapshot; greenroom.settings.Settings")
    assert "greenroom.supervisor" in told
    with pytest.raises(AttributeError, match="module 'greenroom' has no attribute 'Runtme'"):
        greenroom.Runtme  # noqa: B018
    assert not hasattr(greenroom, "__wrapped__")


def test_no_exported_name_hides_a_module() -> None:
    modules = {path.stem for path in Path(greenroom.__file__).parent.iterdir()}
    assert not modules & set(greenroom.__all__)
