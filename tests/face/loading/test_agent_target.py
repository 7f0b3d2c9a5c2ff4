"""An agent is found by its name, and what is wrong with a name is said."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from greenroom.loading.agent import BadTarget, TargetFailed, load_agent

AGENT = "async def agent(run, said):\n    pass\n"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("target_app.py", "target_app:agent"),
        ("target_app.py", "target_app.py:agent"),
        ("target_package/app.py", "target_package.app:agent"),
        ("some/where/app.py", "some/where/app.py:agent"),
    ],
)
def test_an_agent_is_loaded_from_a_module_or_a_file(path: str, target: str) -> None:
    write(path, AGENT)
    assert load_agent(target).__name__ == "agent"


def test_a_file_may_import_its_neighbours(tmp_path: Path) -> None:
    write("some/neighbour_of_target.py", AGENT)
    write("some/app.py", "from neighbour_of_target import agent")
    load_agent("some/app.py:agent")


GOOD = {
    "a partial": "from functools import partial\nagent = partial(agent, extra=1)",
    "a method": "class C:\n    agent = staticmethod(agent)\nagent = C.agent",
    "an object": "class C:\n    async def __call__(self, run, said): ...\nagent = C()",
    "with defaults": "async def agent(run, said, pace=1, *, more=2): ...",
    "with stars": "async def agent(*args): ...",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_whatever_can_be_awaited_with_a_run_and_what_was_said_is_an_agent(text: str) -> None:
    write("app.py", f"async def agent(run, said, extra=0): ...\n{text}")
    load_agent("app.py:agent")


@pytest.mark.parametrize("target", ["app", "app:", ":agent", ":", ""])
def test_a_target_without_both_halves_is_refused_with_an_example(target: str) -> None:
    with pytest.raises(BadTarget, match="app:agent"):
        load_agent(target)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no_such_module_at_all:agent", "there is no module 'no_such_module_at_all'"),
        ("json.no_such_part:agent", "there is no module 'json.no_such_part'"),
        ("no/such/file.py:agent", "there is no file no/such/file.py"),
        ("app.py:agnet", "no 'agnet'.*did you mean 'agent'"),
        ("app.py:plain", "must be an async function, not a plain function"),
        ("app.py:generator", "not an async generator"),
        ("app.py:Class", "not a class"),
        ("app.py:number", "not an int"),
        ("app.py:one", r"must take a run and what was said, not \(run\)"),
        ("app.py:three", r"not \(run, said, more\)"),
        ("app.py:keyword", r"not \(run, \*, said\)"),
    ],
)
def test_a_target_that_names_no_agent_is_refused_and_says_why(target: str, said: str) -> None:
    write(
        "app.py",
        "async def agent(run, said): ...\n"
        "def plain(run, said): ...\n"
        "async def generator(run, said): yield\n"
        "class Class:\n    async def __call__(self, run, said): ...\n"
        "number = 3\n"
        "async def one(run): ...\n"
        "async def three(run, said, more): ...\n"
        "async def keyword(run, *, said): ...\n",
    )
    with pytest.raises(BadTarget, match=said):
        load_agent(target)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ny = x / 0", r"ZeroDivisionError: division by zero \(line 2 of .*: y = x / 0\)"),
        ("import json\njson.loads('{')", r".*JSONDecodeError.*\(line 2 of .*: json\.loads"),
        ("x = (", r"SyntaxError.*\(line 1 of .*\)"),
        ("import no_such_dependency", r"ModuleNotFoundError.*no_such_dependency.*\(line 1 of"),
        ("raise SystemExit(3)", r"SystemExit: 3 \(line 1 of"),
    ],
)
@pytest.mark.parametrize("target", ["failing_target.py:agent", "failing_target:agent"])
def test_what_a_target_raises_is_shown_with_the_users_own_last_line(
    target: str, text: str, said: str
) -> None:
    write("failing_target.py", text)
    with pytest.raises(
        TargetFailed, match=f"failing_target.* failed while it was imported: {said}"
    ):
        load_agent(target)


def test_a_file_that_failed_leaves_no_half_made_module_behind() -> None:
    write("mended_target.py", "1 / 0")
    with pytest.raises(TargetFailed):
        load_agent("mended_target.py:agent")
    assert "mended_target" not in sys.modules
    write("mended_target.py", AGENT)
    load_agent("mended_target.py:agent")
