"""Diagrams and checks out of the table alone."""

from __future__ import annotations

import enum
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.machine.diagram import (
    dead_ends,
    dot,
    mermaid,
    reachable,
    table,
    unhandled_pairs,
)
from greenroom.actors.machine.machine import Machine
from greenroom.actors.machine.step import go, stay
from greenroom.actors.machine.table import On
from tests.actors.machine.turnstile import TURNSTILE, Coin, Gate, Push, TimeIsUp

pytestmark = pytest.mark.requirement("R41")


def test_mermaid_draws_every_row_the_start_and_the_end() -> None:
    assert mermaid(TURNSTILE) == (
        "stateDiagram-v2\n"
        "    [*] --> LOCKED\n"
        "    LOCKED --> UNLOCKED : Coin\n"
        "    LOCKED --> LOCKED : Push\n"
        "    LOCKED --> BROKEN : Kick\n"
        "    UNLOCKED --> UNLOCKED : Coin\n"
        "    UNLOCKED --> LOCKED : Push, TimeIsUp\n"
        "    UNLOCKED --> BROKEN : Kick\n"
        "    BROKEN --> [*]\n"
    )


def test_a_state_named_like_a_mermaid_keyword_gets_an_id_of_its_own() -> None:
    class Life(enum.Enum):
        START = 1
        END = 2

    machine: Machine[Life, None, str] = Machine(
        name="life",
        states=Life,
        initial=Life.START,
        final={Life.END},
        transitions=[On(Life.START, Coin, lambda data, _: go(Life.END, data), to={Life.END})],
    )

    drawing = mermaid(machine)

    assert '    state "END" as END_\n' in drawing
    assert "    START --> END_ : Coin\n    END_ --> [*]\n" in drawing


def test_dot_draws_the_same() -> None:
    drawing = dot(TURNSTILE)

    assert drawing.startswith('digraph "turnstile" {\n')
    assert '    "BROKEN" [peripheries=2];\n' in drawing
    assert '    start -> "LOCKED";\n' in drawing
    assert r'    "UNLOCKED" -> "LOCKED" [label="Push\nTimeIsUp"];' in drawing
    assert drawing.endswith("}\n")


def read_dot(quoted: str) -> str:
    """What Graphviz' scanner (lib/cgraph/scan.l, <qstring>) makes of one quoted string."""
    token = re.fullmatch(r'"((?:\\["\\]|[^"\\]|\\[^"\\])*)"', quoted, re.DOTALL)
    assert token is not None, f"{quoted} does not end where it should"
    return token[1].replace(r"\"", '"')


@given(st.text(alphabet='a"\\ {'))
def test_a_name_with_quotes_stays_one_string_of_dot(name: str) -> None:
    """A backslash stays two there (dotlanguage); what counts is that it escapes no quote."""
    states = enum.Enum("states", {f".{name}": 1})
    (state,) = states
    machine: Machine[enum.Enum, None, str] = Machine(
        name=name,
        states=states,
        initial=state,
        transitions=[On(state, type(f".{name}", (), {}), lambda data, _: stay(data))],
    )

    lines = dot(machine).splitlines()

    shown = name.replace("\\", r"\\")
    assert read_dot(lines[0].removeprefix("digraph ").removesuffix(" {")) == shown
    assert read_dot(lines[4].removeprefix("    start -> ").removesuffix(";")) == f".{shown}"
    source, _, rest = lines[5].strip().partition(" -> ")
    assert read_dot(source) == f".{shown}"
    assert read_dot(rest.partition(" [label=")[2].removesuffix("];")) == f".{shown}"


def test_the_table_shows_targets_stays_and_refusals() -> None:
    assert table(TURNSTILE) == (
        "| state | Coin | Push | TimeIsUp | Kick |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| LOCKED | UNLOCKED | stays | — | BROKEN |\n"
        "| UNLOCKED | stays | LOCKED | LOCKED | BROKEN |\n"
        "| BROKEN | — | — | — | — |\n"
    )


def test_reachable_follows_the_rows_from_anywhere() -> None:
    assert reachable(TURNSTILE) == set(Gate)
    assert reachable(TURNSTILE, Gate.BROKEN) == {Gate.BROKEN}


def test_a_machine_that_was_made_has_no_dead_ends() -> None:
    assert dead_ends(TURNSTILE) == []


def test_unhandled_pairs_are_those_that_step_refuses_outside_final_states() -> None:
    assert unhandled_pairs(TURNSTILE) == [(Gate.LOCKED, TimeIsUp)]
    assert Push in TURNSTILE.takes(Gate.LOCKED)
