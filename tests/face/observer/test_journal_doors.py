"""Dead letters and usage over HTTP: what may be asked for, and whose names are said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import DeadLetter
from greenroom.observer import letters_door, usage_counts
from tests.delivery.journal.journal_conformance import BOB
from tests.face.commands.journal.letters import alices_letter
from tests.face.observer.browsing import LOOK, Said, Visitor
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for

pytestmark = pytest.mark.requirement("R42")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that keeps a file, with two letters and a run of alice's."""
    path: Path = tmp_path_factory.mktemp("kept") / "journal.db"
    with serving(admin_token=ADMIN, look_token=LOOK, journal=path) as server:
        record, letter = alices_letter()
        expired = attrs.evolve(letter, user=BOB, outcome="expired", event=record.run)
        server.run(server.runtime.journal.append, [record, letter, of_bob(expired)])
        with Client(server.port, token_for("carol")) as client:
            client.hello()
            client.ask("say", id="1", body="everything")
            client.events(until="agent_completed")
        yield server


def of_bob(letter: DeadLetter) -> DeadLetter:
    _, another = alices_letter()
    return attrs.evolve(letter, event=another.event[:-1] + "z", user=UserId("bob"))


def ask(server: Server, path: str, token: str = ADMIN) -> Said:
    return Visitor(server).ask("GET", path, Authorization=f"Bearer {token}")


def events(said: Said) -> list[str]:
    return [letter["event"] for letter in said.json()["letters"]]


def test_dead_letters_are_chosen_by_user_and_outcome_a_page_at_a_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = events(ask(server, "/admin/dead-letters"))
    assert len(every) == 2
    first = ask(server, "/admin/dead-letters?limit=1")
    assert (events(first), first.json()["after"]) == (every[:1], every[0])
    rest = ask(server, f"/admin/dead-letters?limit=1&after={every[0]}")
    assert (events(rest), rest.json()["after"]) == (every[1:], None)
    (of_alice,) = ask(server, "/admin/dead-letters?user=alice").json()["letters"]
    assert (of_alice["outcome"], len(of_alice["attempts"])) == ("dead_lettered", 2)
    (expired,) = ask(server, "/admin/dead-letters?outcome=expired").json()["letters"]
    assert expired["user"] == "bob"
    monkeypatch.setattr(letters_door, "EXAMINED", 1)
    page = ask(server, f"/admin/dead-letters?outcome={expired['outcome']}")
    assert page.json()["after"] == every[0]
    assert page.json()["schema"] == "greenroom.dead-letters/1"


def test_a_letters_event_is_shown_to_who_may_read_texts(server: Server) -> None:
    (letter,) = events(ask(server, "/admin/dead-letters?user=alice"))
    shown = ask(server, f"/admin/dead-letters/{letter}").json()["letter"]
    assert shown["record"]["data"] == {"report": "a saving"}
    assert ask(server, f"/admin/dead-letters/{letter}", LOOK).status == 403
    other = f"{letter[:-1]}y"
    assert ask(server, f"/admin/dead-letters/{other}").status == 404
    assert ask(server, "/admin/dead-letters/run_x").status == 400


@pytest.mark.parametrize(
    "path",
    [
        "dead-letters?limit=0",
        "dead-letters?limit=x",
        "dead-letters?outcome=lost",
        "dead-letters?after=run_1",
        "usage?by=hour",
        "usage?days=0",
        "usage?days=367",
        "usage?names=maybe",
    ],
)
def test_what_cannot_be_asked_for_is_refused(server: Server, path: str) -> None:
    assert ask(server, f"/admin/{path}").status == 400


@pytest.mark.requirement("R38")
def test_usage_is_counted_and_users_are_pseudonyms_unless_who_may_act_asks(server: Server) -> None:
    by_day = ask(server, "/admin/usage").json()
    assert (by_day["schema"], by_day["by"]) == ("greenroom.usage/1", "day")
    assert sum(day["runs"] for day in by_day["groups"]) == 2
    assert {tool["tool"] for tool in ask(server, "/admin/usage?by=tool").json()["tools"]} == {
        "add",
        "divide",
    }
    hidden = [each["user"] for each in ask(server, "/admin/usage?by=user", LOOK).json()["groups"]]
    assert all(name.startswith("user-") for name in hidden)
    named = ask(server, "/admin/usage?by=user&names=yes").json()["groups"]
    assert "carol" in [each["user"] for each in named]
    again = [each["user"] for each in ask(server, "/admin/usage?by=user").json()["groups"]]
    assert again == hidden
    assert ask(server, "/admin/usage?by=user&names=yes", LOOK).status == 403


@pytest.mark.requirement("R38")
def test_usage_that_takes_too_long_or_is_only_in_memory_is_refused_with_what_to_do(
    server: Server, observed: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_counts, "PATIENCE", 0.0)
    refused = ask(server, "/admin/usage?days=33")
    assert refused.status == 400
    assert refused.json()["advice"] == "ask for fewer days, or run `greenroom usage`"
    assert ask(observed, "/admin/usage").json()["advice"] == "set `journal` to a file"
