"""What greenroom needs is declared, has a floor, and a cap where private names are used."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

import attrs
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import greenroom
from tests.house_rules import House

PACKAGE = Path(greenroom.__file__).parent
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
PRIVATE = {
    (
        "transport/connection/socket/counted_socket.py",
        "super()._handle_ping_event",
    ): "trio-websocket",
    ("transport/connection/socket/counted_socket.py", "FrameProtocol(client=False"): "wsproto",
    ("transport/connection/socket/counted_socket.py", "connection._events"): "wsproto",
    ("transport/connection/socket/counted_socket.py", "_recv_channel._state"): "trio",
    ("supervisor/nursery/nursery_ends.py", "nursery._child_finished"): "trio",
    ("../_greenroom_fixtures.py", "from trio._core import _run"): "trio",
    ("../_greenroom_fixtures.py", '"_fixtureinfo"'): "pytest",
    ("../_greenroom_fixtures.py", "pytest.mark.trio(run="): "pytest-trio",
    ("delivery/journal/redis/connections/slots.py", "super()._connect()"): "coredis",
    ("testing/machines/machine_tests.py", "_hypothesis_internal_use_seed"): "hypothesis",
}
"""Where we use what a library does not promise, and whose it is."""

EXTRAS = (
    "testing",
    "remote",
    "postgres",
    "redis",
    "fastapi",
    "pydantic-ai",
    "langgraph",
    "openai-agents",
    "mcp",
    "claude-agent-sdk",
    "google-adk",
)
"""Those that packages and modules are named after."""

FRAMEWORKS = {
    "pydantic_ai": "pydantic-ai-slim",
    "langgraph": "langgraph",
    "langchain_core": "langchain-core",
    "agents": "openai-agents",
    "google.adk": "google-adk",
    "google.genai": "google-genai",
    "claude_agent_sdk": "claude-agent-sdk",
    "mcp": "mcp",
}
"""Distributions of `greenroom.integrations`, which need not be here, by what is imported."""


@attrs.frozen
class Module:
    path: Path
    extra: str
    tree: ast.Module


def declared(*extras: str) -> dict[str, list[Requirement]]:
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"]]
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    found: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, lines):
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def modules() -> Iterator[Module]:
    for module in House(PACKAGE).modules.values():
        yield Module(module.path, extra_of(module.name), module.tree)
    for path in PACKAGE.parent.glob("_greenroom_*.py"):
        yield Module(path, "testing", ast.parse(path.read_text(encoding="utf-8")))


def extra_of(module: str) -> str:
    """The extra that a module is a part of, if any."""
    if module.endswith(".langchain_messages"):
        return "langgraph"
    parts = map(canonicalize_name, module.split("."))
    return next((part for part in parts if part in EXTRAS), "")


def imports(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def distributions(name: str) -> set[str]:
    """Whose a module is; of nobody, if it is Python's own or ours."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top.lstrip("_").startswith("greenroom"):
        return set()
    for module, distribution in FRAMEWORKS.items():
        if f"{name}.".startswith(f"{module}."):
            return {distribution}
    return set(map(canonicalize_name, installed().get(top, [top])))


@cache
def installed() -> Mapping[str, list[str]]:
    """The distributions of every top-level module here. Finding out reads hundreds of files."""
    return packages_distributions()


@pytest.mark.fault("W20")
def test_whatever_is_imported_is_declared() -> None:
    needed = {
        (owner, module.extra)
        for module in modules()
        for name in imports(module)
        for owner in distributions(name)
    }
    for extra in {extra for _, extra in needed}:
        owners = {owner for owner, of in needed if of == extra}
        assert owners <= declared(*([extra] if extra else [])).keys(), extra


@pytest.mark.fault("W20")
def test_every_dependency_has_a_floor_that_is_installed_here() -> None:
    for name, requirements in declared("testing").items():
        specifiers = [each for requirement in requirements for each in requirement.specifier]
        assert ">=" in {each.operator for each in specifiers}, name
        assert all(each.contains(Version(version(name)), prereleases=True) for each in specifiers)


@pytest.mark.fault("W20")
@pytest.mark.parametrize(
    ("name", "oldest"),
    [("h11", "0.16"), ("pyjwt", "2.12"), ("filelock", "3.20.1"), ("cryptography", "46.0.7")],
)
def test_versions_with_a_published_hole_are_not_taken(name: str, oldest: str) -> None:
    (requirement,) = declared()[name]
    floors = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
    assert min(floors) >= Version(oldest)


@pytest.mark.fault("W20")
@pytest.mark.parametrize(("place", "text"), PRIVATE, ids=lambda value: str(value))
def test_where_private_names_are_used_the_version_is_capped(place: str, text: str) -> None:
    assert text in (PACKAGE / place).read_text(encoding="utf-8"), "mend the table: this is gone"
    requirements = declared("testing", "redis")[PRIVATE[place, text]]
    assert "<" in {each.operator for needed in requirements for each in needed.specifier}


@pytest.mark.fault("W20")
def test_every_use_of_a_private_name_is_in_the_table() -> None:
    listed = {((PACKAGE / place).resolve(), owner) for (place, _), owner in PRIVATE.items()}
    found = {
        (module.path.resolve(), owner)
        for module in modules()
        for name in [*private_imports(module), *private_overrides(module)]
        for owner in distributions(name)
    }
    assert found <= listed
    assert {"trio", "trio-websocket"} <= {owner for _, owner in found}  # it does find them


def private_imports(module: Module) -> Iterator[str]:
    """`from trio._core import _run`."""
    return (name for name in imports(module) if re.search(r"\._(?!_)", name))


def private_overrides(module: Module) -> Iterator[str]:
    """The module of a base class of which a subclass calls `super()._name`."""
    homes = {
        alias.asname or alias.name: node.module
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and re.search(r"super\(\)\._(?!_)", ast.unparse(node)):
            yield from (homes[base.id] for base in node.bases if _is_imported(base, homes))


def _is_imported(base: ast.expr, homes: dict[str, str]) -> bool:
    return isinstance(base, ast.Name) and base.id in homes
