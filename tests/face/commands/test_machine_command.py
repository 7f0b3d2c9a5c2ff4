"""`greenroom machine` draws any machine, and says in a line what is wrong with a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.face.cli import greenroom

pytestmark = pytest.mark.requirement("R41")

GATE = """
import enum

from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.table import On
from greenroom.actors.machine.step import go
from greenroom.actors.machine.actor import MachineActor

class Gate(enum.Enum):
    SHUT = 1
    OPEN = 2

class Pull: ...

gate = Machine(
    name="gate", states=Gate, initial=Gate.SHUT, final={Gate.OPEN},
    transitions=[On(Gate.SHUT, Pull, lambda data, _: go(Gate.OPEN, data), to={Gate.OPEN})],
)

class Keeper(MachineActor):
    machine = gate
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "gates.py").write_text(GATE)
    return tmp_path


@pytest.mark.parametrize(
    ("format_", "begins"),
    [
        ("mermaid", "stateDiagram-v2\n    [*] --> SHUT\n    SHUT --> OPEN : Pull\n"),
        ("dot", 'digraph "gate" {\n'),
        ("table", "| state | Pull |\n"),
        ("svg", "<svg xmlns="),
    ],
)
def test_a_machine_is_drawn_in_any_format(format_: str, begins: str, here: Path) -> None:
    drawn = greenroom("machine", "gates:gate", "--format", format_, cwd=here)

    assert (drawn.code, drawn.err) == (0, "")
    assert drawn.out.startswith(begins)


def test_a_file_and_the_actor_of_a_machine_name_it_too(here: Path) -> None:
    drawn = greenroom("machine", "gates.py:Keeper", cwd=here)

    assert (drawn.code, drawn.err) == (0, "")
    assert drawn.out.startswith("stateDiagram-v2\n")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("gates", "'gates' does not name a machine"),
        ("gates:gat", "gates:gat has no 'gat'"),
        ("gates:Gate", "gates:Gate must be a Machine, not an EnumType"),
        ("nowhere.py:gate", "there is no file nowhere.py"),
    ],
)
def test_a_name_that_names_no_machine_is_one_line_and_exit_code_2(
    target: str, said: str, here: Path
) -> None:
    refused = greenroom("machine", target, cwd=here)

    assert (refused.code, refused.out) == (2, "")
    assert refused.err.splitlines()[0] == f"greenroom: error: {said}"
