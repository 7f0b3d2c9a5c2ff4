"""What an agent declares about its runs: `@greenroom.agent(when_lost="again", attempts=3)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Literal, TypeAlias, TypeVar

import attrs

from greenroom.actors.errors import GreenroomError
from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.policy import NO_POLICIES, Policies, Policy, checked_policies
from greenroom.delivery.files.taken import Files
from greenroom.delivery.run.attempts.attempt import WhenLost
from greenroom.delivery.run.run import Agent

T = TypeVar("T")
AgentT = TypeVar("AgentT", bound=Agent)
Lost: TypeAlias = Literal["end", "again"]
Taken: TypeAlias = Literal["text", "table"] | Files

MOST_ATTEMPTS: Final = 100
TEXT_ONLY: Final[tuple[Taken, ...]] = ("text",)
HOST: Final = "__greenroom_host__"
"""What a class of runs has that live beside trio: the world in which its agents run."""
_NAME: Final = "__greenroom_agent__"


class BadDeclaration(GreenroomError, ValueError):
    """A value given to `@greenroom.agent` is not allowed."""


@attrs.frozen
class Declaration:
    """What becomes of a run of the agent that is lost with its server: it ends, or it is taken up
    again, until it has had all of its `attempts`. `policies`: those of the runs that users start,
    in place of the usual ones. `host`: where it runs, if it says so. `takes`: what the page lets
    users send to it."""

    when_lost: Lost = "end"
    attempts: int = 3
    policies: Policies = NO_POLICIES
    host: Literal["any", "asyncio", "thread"] = "any"
    takes: tuple[Taken, ...] = TEXT_ONLY

    def __attrs_post_init__(self) -> None:
        if self.when_lost not in ("end", "again"):
            raise BadDeclaration(f'`when_lost` must be "end" or "again", not {self.when_lost!r}')
        whole = isinstance(self.attempts, int) and not isinstance(self.attempts, bool)
        if not whole or not 1 <= self.attempts <= MOST_ATTEMPTS:
            raise BadDeclaration(
                f"`attempts` must be a whole number from 1 to {MOST_ATTEMPTS}, "
                f"not {self.attempts!r}"
            )
        if not _are_taken(self.takes):
            raise BadDeclaration(
                '`takes` must be ("text",), with "table" or one `Files` or both after it, '
                f"not {self.takes!r}"
            )

    @property
    def files(self) -> Files | None:
        """The files that go with what users say."""
        return next((each for each in self.takes if isinstance(each, Files)), None)

    @property
    def takes_names(self) -> Sequence[str]:
        """What it takes, as the page knows it."""
        return ["files" if isinstance(each, Files) else each for each in self.takes]


def _are_taken(takes: object) -> bool:
    if not isinstance(takes, tuple):
        return False
    names = [Files if isinstance(each, Files) else each for each in takes]
    first, more = names[:1], sorted(names[1:], key=str)
    return first == ["text"] and more in ([], [Files], ["table"], [Files, "table"])


def agent(
    *,
    when_lost: Lost = "end",
    attempts: int = 3,
    policy: Policy | Mapping[EventClass, Policy] | None = None,
    takes: tuple[Taken, ...] = TEXT_ONLY,
) -> Callable[[AgentT], AgentT]:
    """Declare an agent: `@greenroom.agent(when_lost="again", attempts=3)`.

    `when_lost`: what becomes of a run that answers a user when its server dies or stops. "end": it
    ends with `agent_failed`, reason `lost`. "again": the next server calls the agent again, for
    the same run, with what the user said; after `attempts` it ends as lost, too. `policy`: the
    delivery policy of the runs that answer users, as for `runtime.run`. `takes`: what the page
    lets users send. With "table", `said` may be `{"text": str, "table": {"name": str, "csv": str}}`
    instead of a str, with "gzip" (of base64) instead of "csv" for a large one. With a
    `greenroom.Files`, files go with what users say: `await run.files()`. The function itself
    stays as it is. Raises `BadDeclaration` and `BadPolicy`, which are `ValueError`s.
    """
    declaration = Declaration(when_lost, attempts, checked_policies(policy), takes=takes)
    return partial(declared, declaration)


def declared(declaration: Declaration, function: T) -> T:
    """`function`, which from now on declares this."""
    setattr(function, _NAME, declaration)
    return function


def declaration_of(agent: object) -> Declaration:
    """What an agent declares: a function, a partial of one, or an object that is called as one."""
    inner = agent
    while isinstance(inner, partial):
        inner = inner.func
    for each in (inner, getattr(type(inner), "__call__", None)):  # noqa: B004  # as `checked_agent`
        found = getattr(each, _NAME, None)
        if isinstance(found, Declaration):
            return found
    return Declaration()


def when_lost(agents: Mapping[str, Agent]) -> WhenLost:
    """What becomes of the lost runs of these agents. The first one answers users."""
    declared = {name: declaration_of(each) for name, each in agents.items()}
    attempts = {name: each.attempts for name, each in declared.items() if each.when_lost == "again"}
    return WhenLost(next(iter(agents), None), attempts)
