"""`@greenroom.agent`: what it declares, and that the function stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import greenroom
from greenroom import aio, blocking
from greenroom.delivery.run.attempts.attempt import WhenLost
from greenroom.loading.agent import named_agents
from greenroom.loading.declaration import Declaration, declaration_of, when_lost


async def plain(run: greenroom.Run, said: greenroom.JSON) -> None: ...


@greenroom.agent(when_lost="again", attempts=5)
async def analyst(run: greenroom.Run, said: greenroom.JSON) -> None:
    """Looks things up."""


class Scout:
    @greenroom.agent(when_lost="again")
    async def look(self, run: greenroom.Run, said: greenroom.JSON) -> None: ...


class Called:
    @greenroom.agent(when_lost="again", attempts=2)
    async def __call__(self, run: greenroom.Run, said: greenroom.JSON) -> None: ...


async def with_more(more: int, run: greenroom.Run, said: greenroom.JSON) -> None: ...


DECLARED = greenroom.agent(when_lost="again", attempts=7)(with_more)


@pytest.mark.requirement("R56")
@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (plain, Declaration("end", 3)),
        (analyst, Declaration("again", 5)),
        (Scout().look, Declaration("again", 3)),
        (Called(), Declaration("again", 2)),
        (partial(DECLARED, 1), Declaration("again", 7)),
    ],
    ids=["plain", "function", "method", "object", "partial"],
)
def test_whatever_an_agent_is_it_keeps_its_declaration(agent: Any, expected: Declaration) -> None:
    assert declaration_of(agent) == expected


def test_a_declared_agent_is_the_function_that_it_was() -> None:
    assert (analyst.__name__, analyst.__doc__) == ("analyst", "Looks things up.")


@pytest.mark.requirement("R56")
def test_the_first_agent_answers_and_each_has_its_attempts() -> None:
    agents = named_agents({"plain": plain, "analyst": analyst})
    assert when_lost(agents) == WhenLost("plain", {"analyst": 5})
    assert when_lost(named_agents(analyst)) == WhenLost("analyst", {"analyst": 5})
    assert when_lost({}) == WhenLost()


@pytest.mark.parametrize("declare", [greenroom.agent, aio.agent, blocking.agent])
def test_an_agent_of_any_host_says_what_it_takes(declare: Callable[..., Any]) -> None:
    assert declaration_of(declare()(lambda run, said: None)).takes == ("text",)
    takes = ("text", "table")
    assert declaration_of(declare(takes=takes)(lambda run, said: None)).takes == takes
    files = greenroom.Files(types=["image/*"], max_bytes=1_000, most=2)
    declaration = declaration_of(declare(takes=(*takes, files))(lambda run, said: None))
    assert (declaration.takes_names, declaration.files) == (["text", "table", "files"], files)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"when_lost": "restart"}, "`when_lost`"),
        ({"when_lost": None}, "`when_lost`"),
        ({"attempts": 0}, "`attempts`"),
        ({"attempts": 101}, "`attempts`"),
        ({"attempts": True}, "`attempts`"),
        ({"attempts": "3"}, "`attempts`"),
        ({"takes": "text"}, "`takes`"),
        ({"takes": ["table"]}, "`takes`"),
        ({"takes": ("text", "files")}, "`takes`"),
        ({"takes": ("text", greenroom.Files(), greenroom.Files())}, "`takes`"),
        ({"takes": None}, "`takes`"),
        ({"takes": [[]]}, "`takes`"),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_at_the_declaration(values: dict[str, Any], words: str) -> None:
    with pytest.raises(greenroom.BadDeclaration, match=words):
        greenroom.agent(**values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"max_bytes": 0}, "`max_bytes`"),
        ({"max_bytes": 1.5}, "`max_bytes`"),
        ({"most": True}, "`most`"),
        ({"most": 101}, "`most`"),
        ({"types": ["png"]}, "`types`"),
        ({"types": ["*/*"]}, "`types`"),
        ({"types": [None]}, "`types`"),
    ],
    ids=str,
)
def test_files_that_no_agent_can_take_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(greenroom.BadFilesTaken, match=words):
        greenroom.Files(**values)
