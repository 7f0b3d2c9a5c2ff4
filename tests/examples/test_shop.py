"""The corner shop, brought down by itself and as a service, as its own words tell it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.face.cli import greenroom, started
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, SECRET, token_for

EXAMPLES = Path(__file__).parents[2] / "examples"
TOML = f'port = 0\njournal = ":memory:"\nsecret = "{SECRET}"\nadmin_token = "{ADMIN}"\n'

pytestmark = pytest.mark.requirement("R42")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with `examples/` in it."""
    (tmp_path / "examples").symlink_to(EXAMPLES)
    (tmp_path / "greenroom.toml").write_text(TOML, encoding="utf-8")
    elsewhere = [each for each in sys.path if Path(each) != EXAMPLES]
    monkeypatch.setattr(sys, "path", elsewhere)
    return tmp_path


@pytest.fixture
def command(place: Path) -> Callable[..., str]:
    """Runs a command that must succeed; what it prints."""

    def run(*arguments: str) -> str:
        result = greenroom(*arguments, cwd=place)
        assert (result.code, result.err) == (0, "")
        return result.out

    return run


def test_what_the_corner_shop_says_to_run_replays_its_crashes(
    place: Path, command: Callable[..., str]
) -> None:
    story = ast.get_docstring(ast.parse((EXAMPLES / "corner_shop.py").read_text("utf-8")))
    assert story is not None
    (python,) = re.findall(r"`python ([^`]+)`", story)
    (replay,) = re.findall(r"`greenroom ([^`]+)`", story)
    others = re.findall(r"`(\w+)\.json` with `(\w+)`", story)
    subprocess.run([sys.executable, python], cwd=place, check=True, capture_output=True)

    for name, actor in [("till", "Till"), *others]:
        words = replay.replace("till", name).replace("Till", actor).split()
        assert "3 of 3 messages handled" in command(*words)
    assert len(others) == 2


def test_a_crash_of_ones_own_actor_in_a_server_is_mended_seen_and_replayed(
    place: Path, command: Callable[..., str]
) -> None:
    with started([sys.executable, "examples/shop_service.py"], place) as shop:
        url = shop.line().rpartition(" ")[2]
        with Client(int(url.strip("/").rpartition(":")[2]), token_for("alice")) as alice:
            alice.hello()
            for number, thing, end in SHOPPING:
                alice.ask("say", id=str(number), body=thing)
                alice.events(until=end)

        assert re.search(r"shelf running .* 1 restarts", command("tree", url))
        crashes = json.loads(command("crashes", url, "--json"))["crashes"]
        (shelf,) = (crash["id"] for crash in crashes if crash["path"] == "greenroom/shop/shelf")
        report = command("crash", url, shelf, "--json")
        (place / "crash.json").write_text(report, encoding="utf-8")
        again = command("replay", "crash.json", "--actor", "examples/corner_shop.py:Shelf")
        assert "replayed: KeyError: 'milk'" in again
        assert shop.interrupt().code == 0


SHOPPING = [
    (1, "soap", "agent_completed"),
    (2, "milk", "agent_failed"),
    (3, "soap", "agent_completed"),
]
