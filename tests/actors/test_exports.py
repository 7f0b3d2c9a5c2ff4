"""What `greenroom.actors` and `greenroom.supervisor` export, and what importing them loads."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import greenroom.actors
import greenroom.supervisor
from greenroom.actors.lazy_exports import exports_of

ROOMS = [greenroom.actors, greenroom.supervisor]
HEAVY = {"jwt", "apsw", "sqlite3", "prometheus_client", "hypothesis", "trio_websocket", "cyclopts"}
UPSTAIRS = ("greenroom.delivery", "greenroom.transport", "greenroom.settings", "greenroom.metrics")


def loaded_by(program: str) -> set[str]:
    """The modules of a fresh interpreter that has run `program`."""
    print_modules = f"import sys; {program}; print(*sys.modules)"
    command = [sys.executable, "-c", print_modules]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def declared(room: ModuleType) -> dict[str, str]:
    """What type checkers take each exported name for: the module it is imported from."""
    assert room.__file__ is not None
    tree = ast.parse(Path(room.__file__).read_text(encoding="utf-8"))
    branch = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in branch.body if isinstance(node, ast.ImportFrom)]
    return {name.name: str(node.module) for node in imports for name in node.names}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_what_type_checkers_see_is_what_a_program_gets(room: ModuleType) -> None:
    homes = declared(room)
    assert sorted(homes) == sorted(room.__all__)
    for name, home in homes.items():
        assert getattr(room, name) is getattr(importlib.import_module(home), name)
    assert set(room.__all__) <= set(dir(room))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_no_export_has_the_name_of_a_module(room: ModuleType) -> None:
    """Importing such a module would put it in the export's place."""
    modules = {path.stem for path in Path(str(room.__file__)).parent.iterdir()}
    assert not modules & set(room.__all__)


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_a_misspelt_name_is_no_export(room: ModuleType) -> None:
    with pytest.raises(AttributeError, match="Aktor"):
        _ = room.Aktor


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_importing_a_room_loads_neither_its_modules_nor_trio(room: ModuleType) -> None:
    loaded = loaded_by(f"import {room.__name__}")
    assert "trio" not in loaded
    ours = {name for name in loaded if name.startswith("greenroom")}
    assert ours <= {"greenroom", "greenroom.actors", exports_of.__module__, room.__name__}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_all_of_a_room_loads_nothing_of_the_rooms_above_and_of_what_they_need(
    room: ModuleType,
) -> None:
    loaded = loaded_by(f"from {room.__name__} import *")
    assert "trio" in loaded
    assert not loaded & HEAVY
    assert not [name for name in loaded if name.startswith(UPSTAIRS)]
