"""The pages of users, a user, a run and why are for everybody, on phones, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.face.observer.looks import NEEDS_AXE, looks
from tests.face.observer.users.accounts import report
from tests.face.page.browser import NEEDS_CHROMIUM
from tests.protocol.client import Client
from tests.protocol.server import Server, token_for

if TYPE_CHECKING:
    from tests.face.observer.conftest import Observe

pytestmark = [pytest.mark.requirement("R42"), NEEDS_CHROMIUM, NEEDS_AXE]

VIEWS = ("users", "users/seen", "runs/{run}", "why/seen")


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_and_nothing_is_too_wide(
    view: str, observed: Server, observe: Observe
) -> None:
    with Client(observed.port, token_for("seen")) as tab:
        tab.hello()
        run = report(observed, "seen")
        tab.events()
        page = observe(observed, view.format(run=run))
        found = list(looks(page, view.partition("/{")[0].replace("/", "-")))
    assert not found, "\n".join(found)
