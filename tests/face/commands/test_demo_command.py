"""`greenroom demo` starts its server again when it is killed, for users of the demo only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import deque
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from greenroom.actors.forks.respawn import MOST_KILLS, WITHIN, are_too_many
from tests.face.cli import running

pytestmark = pytest.mark.requirement("R28")


def test_a_killed_demo_is_back_at_its_address_and_ends_with_its_first_process(
    tmp_path: Path,
) -> None:
    with running("demo", "--port", "0", cwd=tmp_path) as demo:
        url = demo.line().split()[-1]
        with urllib.request.urlopen(f"{url}demo/token") as answer:
            given = json.load(answer)
        assert given["can_kill"] is True
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(urllib.request.Request(f"{url}demo/kill", method="POST"))
        bearer = {"Authorization": f"Bearer {given['token']}"}
        kill = urllib.request.Request(f"{url}demo/kill", method="POST", headers=bearer)
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            urllib.request.urlopen(kill)
        while not demo.line().startswith("The greenroom demo is at "):
            pass  # the first one's other lines
        assert urllib.request.urlopen(f"{url}livez").status == 200
        assert demo.interrupt().code == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}livez")


def test_a_demo_that_somebody_else_kills_again_and_again_is_given_up() -> None:
    kills: deque[float] = deque(maxlen=MOST_KILLS)
    assert [are_too_many(kills, 1.0 * n) for n in range(MOST_KILLS)][-2:] == [False, True]
    kills.clear()
    assert not any(are_too_many(kills, WITHIN * n) for n in range(3 * MOST_KILLS))
