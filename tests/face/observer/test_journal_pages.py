"""Crashes, dead letters and usage in a browser, and that they are for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from greenroom.actors import Actor
from greenroom.delivery.events.record import DeadLetter
from greenroom.supervisor import actor_child
from tests.face.commands.journal.letters import alices_letter
from tests.face.observer.browsing import LOOK, Visitor
from tests.face.observer.looks import NEEDS_AXE, looks
from tests.face.page.browser import NEEDS_CHROMIUM
from tests.protocol.client import Client
from tests.protocol.server import ADMIN, Server, serving, token_for

if TYPE_CHECKING:
    from tests.face.observer.conftest import Observe

pytestmark = [pytest.mark.requirement("R42"), NEEDS_CHROMIUM]

HOSTILE = "<img src=x onerror=alert(1)> \u202egnp\x07 " + "long " * 2_000


class Till(Actor[str]):
    """Ends at an odd word, in a test of nobody's."""

    async def receive(self, word: str) -> None:
        raise ValueError(word)


def letters() -> Iterator[DeadLetter]:
    """Three, of which one is not in the journal."""
    _, first = alices_letter()
    yield first
    for end in "yz":
        yield attrs.evolve(first, event=first.event[:-1] + end, outcome="expired", attempts=[])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    path: Path = tmp_path_factory.mktemp("kept") / "journal.db"
    with serving(admin_token=ADMIN, look_token=LOOK, journal=path) as server:
        record, _ = alices_letter()
        first, *others = letters()
        kept = attrs.evolve(first, event=record.id)
        server.run(server.runtime.journal.append, [record, kept, *others])
        with Client(server.port, token_for("carol")) as client:
            client.hello()
            for number in range(2):
                client.ask("say", id=str(number), body="crash")
            server.wait_until(lambda: len(server.runtime.crashes()) == 2)
        ref = server.run(server.runtime.root.start_child, actor_child("till", Till, record=9))
        server.run_sync(ref.tell, HOSTILE)
        server.wait_until(lambda: len(server.runtime.crashes()) == 3)
        yield server


def test_crashes_of_one_kind_are_one_line_and_one_is_downloaded_as_a_test(
    server: Server, observe: Observe
) -> None:
    page = observe(server, "crashes")
    kinds = page.locator("[data-testid=crash-kind]")
    assert kinds.count() == 2
    assert "RuntimeError: boom" in kinds.nth(1).inner_text()
    assert kinds.nth(1).locator("td").nth(1).inner_text() == "2"
    kinds.nth(0).locator("[data-testid=newest]").click()
    shown = page.wait_for_selector("[data-testid=crash]")
    assert shown is not None
    assert "ValueError: <img src=x onerror=alert(1)> \\u{202e}gnp" in shown.inner_text()
    page.wait_for_selector("[data-testid=messages] >> text=onerror")
    with page.expect_download() as download:
        page.click("[data-testid=replay]")
    source = Path(download.value.path()).read_text()
    assert "replayed.raised == 'builtins:ValueError'" in source


def test_where_no_test_can_be_written_the_page_says_why(server: Server, observe: Observe) -> None:
    (crash,) = (each for each in server.runtime.crashes()[:1])
    page = observe(server, f"crashes/{crash.id}")
    page.click("[data-testid=replay]")
    page.wait_for_selector("[data-testid=no-replay] >> text=were not recorded")


def test_who_may_only_look_sees_that_something_crashed_and_no_message(
    server: Server, observe: Observe
) -> None:
    (crash,) = (each for each in server.runtime.crashes()[:1])
    assert observe(server, "crashes", token=LOOK).locator("[data-testid=crash-kind]").count() == 2
    visitor = Visitor(server)
    visitor.sign_in(LOOK)
    for path in (crash.id, f"{crash.id}/test"):
        said = visitor.ask("GET", f"/admin/crashes/{path}")
        assert (said.status, "may not read the texts" in said.json()["error"]) == (403, True)


def test_letters_are_requeued_and_dropped_together_and_each_says_what_became_of_it(
    server: Server, observe: Observe
) -> None:
    page = observe(server, "letters")
    rows = page.locator("[data-testid=letter]")
    assert rows.count() == 3
    page.check("[data-testid=choose] >> nth=0")
    page.check("[data-testid=choose] >> nth=1")
    page.click("[data-testid=requeue]")
    page.wait_for_selector("[data-testid=said] >> text=requeued as")
    page.wait_for_selector("[data-testid=said] >> text=there is no event")
    page.select_option("[data-testid=of-outcome]", "expired")
    with page.expect_response("**/dead-letters?*outcome=expired*"):
        page.click("[data-testid=filter] button")
    rows.nth(2).wait_for(state="detached")
    rows.nth(1).wait_for()
    page.check("[data-testid=choose-all]")
    page.click("[data-testid=drop]")
    page.wait_for_selector("[data-testid=ask-twice] >> text=Drop 2 dead letters?")
    page.click("[data-testid=agree]")
    page.wait_for_selector("[data-testid=letter].done >> nth=1")
    _, *dropped = letters()
    left = {each.event for each in server.run(lambda: server.runtime.dead_letters.list())}
    assert not left & {each.event for each in dropped}, "the requeued one may be overdue again"


def test_who_may_only_look_is_offered_nothing_to_do_with_letters(
    server: Server, observe: Observe
) -> None:
    page = observe(server, "letters", token=LOOK)
    assert page.locator("[data-testid=requeue]:visible, [data-testid=choose]:visible").count() == 0


@pytest.mark.requirement("R38")
def test_usage_is_a_table_and_a_chart_and_comes_as_csv(server: Server, observe: Observe) -> None:
    page = observe(server, "usage", token=LOOK)
    page.select_option("[data-testid=by]", "user")
    page.wait_for_selector("[data-testid=usage-table] >> text=user-")
    assert page.locator("[data-testid=chart] .bar").count() >= 1
    with page.expect_download() as download:
        page.click("[data-testid=csv]")
    head, *rows = Path(download.value.path()).read_text().splitlines()
    assert head.startswith('"user","runs","ok","failed"')
    assert all(row.startswith('"user-') for row in rows)


@NEEDS_AXE
@pytest.mark.parametrize("view", ["crashes", "crashes/{id}", "letters", "usage"])
def test_the_views_of_the_journal_are_for_everybody(
    view: str, server: Server, observe: Observe
) -> None:
    first = next(letters())
    again = attrs.evolve(first, event=f"{first.event[:-1]}x")
    server.run(server.runtime.journal.append, [again])
    page = observe(server, view.format(id=server.runtime.crashes()[-1].id))
    found = list(looks(page, view.partition("/{")[0] + ("-one" if "{" in view else "")))
    assert not found, "\n".join(found)
