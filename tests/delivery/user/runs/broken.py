"""Lost runs that go on, and an agent that takes them up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import trio

from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.going_on import GoesOn
from greenroom.delivery.events.ids import RunId
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.events.record import Entry, Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.run.attempts.attempt import RunAttempt, WhenLost
from greenroom.delivery.run.run import Run
from greenroom.delivery.user.handle import UserHandle
from tests.delivery.backstage import ALICE, IDS
from tests.delivery.history.run_story import NOON, Author

AGAIN = WhenLost("analyst", {"analyst": 3})


@attrs.define
class Analyst:
    """Answers what is said, and writes down its attempts. While `never` is set it does not end."""

    never: bool = False
    begun: list[tuple[RunId, int]] = attrs.field(factory=list)
    said: list[JSON] = attrs.field(factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(
        self, user: UserHandle, context: UserContext, said: JSON, attempt: RunAttempt
    ) -> None:
        async with Run(context, agent="analyst", user=user, ids=IDS, attempt=attempt).live() as run:
            self.begun.append((context.run, run.attempt))
            self.said.append(said)
            with self._counted():
                await run.partial_result(text="so")
                async with run.thoughts() as thought:
                    thought.write("hm")
                if self.never:
                    async with run.tool("wait"):
                        await trio.sleep_forever()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            yield
        finally:
            self.at_once -= 1


class Broken:
    """What a killed server left: runs that go on, each with what it got to."""

    def __init__(self) -> None:
        self.author = Author()
        self.entries: list[Entry] = []

    def say(self, body: JSON = "Why so dear?", *, attempts: int = 1) -> RunId:
        run = self.author.run()
        self.tell(run, Kind.USER_SAID, body=body, say=f"say-{run}")
        self.entries.append(GoesOn(ALICE, run, "analyst"))
        for _ in range(attempts):
            self.tell(run, Kind.AGENT_STARTED, agent="analyst")
        return run

    def tell(self, run: RunId, kind: Kind, parent: RunId | None = None, **data: JSON) -> None:
        self.entries.append(self.author.tell(0, run, kind, parent, **data))

    async def keep(self, journal: Journal | None = None) -> Any:
        journal = journal or MemoryJournal()
        for entry in self.entries:
            await journal.append([entry])
        return journal

    @property
    def records(self) -> list[Record]:
        return self.author.records


def at(seconds: float) -> Callable[[], int]:
    """A wall clock that says so many seconds past noon at first, and then goes with trio's."""
    first = trio.current_time()
    return lambda: NOON + round((seconds + trio.current_time() - first) * 1000)
