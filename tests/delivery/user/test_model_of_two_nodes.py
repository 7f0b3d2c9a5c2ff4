"""The delivery model's form of two nodes: whatever users and agents do at either one, there is one
log, and every tab is shown all of it once, wherever it goes.

The nodes share a journal in memory, in Postgres or in Redis. What is drawn is an order of steps, of
which some happen at both nodes at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import RunId, SessionId, UserId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.record import RUN_ENDS, Record
from greenroom.delivery.run.attempts.attempt import RunAttempt
from greenroom.delivery.run.run import Run
from greenroom.delivery.user.handle import UserHandle
from greenroom.delivery.user.messages import UserSays
from greenroom.delivery.user.nodes.messages import OthersAppended
from tests.delivery.backstage import IDS, Backstage, Client, open_backstage
from tests.delivery.journal.postgres_server import NEEDS_POSTGRES
from tests.delivery.journal.redis_server import NEEDS_REDIS
from tests.delivery.user.nodes_in_memory import NodeDisk, SharedStore

BOTH: Final = (0, 1)
CRASHES: Final = (
    3  # at a node: after more of them at once a user's supervisor gives up, as it should
)
WHERE = st.sampled_from([(0,), (1,), BOTH])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("speaks"), WHERE),
        st.tuples(st.just("says"), WHERE),
        st.tuples(st.just("says again"), WHERE),
        st.tuples(st.just("moves"), st.tuples(st.integers(0, 1), st.integers(0, 1))),
        st.tuples(st.just("crashes"), st.sampled_from([(0,), (1,)])),
    ),
    min_size=1,
    max_size=12,
).filter(lambda steps: all(steps.count(("crashes", (node,))) <= CRASHES for node in BOTH))
_users = count(1)


async def answer(user: UserHandle, context: UserContext, said: JSON, attempt: RunAttempt) -> None:
    async with Run(context, agent="cook", user=user, ids=IDS, attempt=attempt).live() as run:
        await run.agent_thinking(text="hm")
        await run.final_report(report=said)


@attrs.define
class Tab:
    """Where it is, and what it was shown."""

    session: SessionId | None = None
    stage: Backstage | None = None
    client: Client | None = None
    seen: list[Record] = attrs.field(factory=list)
    stack: AsyncExitStack = attrs.field(factory=AsyncExitStack)

    def look(self) -> int:
        """Take what came; how far the tab is. A node may send again what the other has sent."""
        for record in self.client.socket.records if self.client else ():
            if record.offset <= len(self.seen):
                assert self.seen[record.offset - 1] == record
            else:
                assert record.offset == len(self.seen) + 1, "none is left out"
                self.seen.append(record)
        return len(self.seen)

    async def go(self, stage: Backstage, user: UserId) -> None:
        self.stage, known = stage, self.look() if self.session else None
        await self.stack.aclose()
        connected = stage.client(user, session=self.session, offset=known)
        self.client = await self.stack.enter_async_context(connected)
        self.session = self.client.attached.session


@attrs.define
class Story:
    """What a user did, and what was accepted."""

    stages: Sequence[Backstage]
    user: UserId = attrs.field(factory=lambda: UserId(f"user-{next(_users)}"))
    tabs: Sequence[Tab] = attrs.field(factory=lambda: (Tab(), Tab()))
    said: dict[str, RunId] = attrs.field(factory=dict)
    accepted: list[tuple[int, str]] = attrs.field(factory=list)

    async def live(self, steps: Sequence[tuple[str, tuple[int, ...]]]) -> None:
        async with AsyncExitStack() as stack:
            for stage in self.stages:
                await stack.enter_async_context(stage.users.lease(self.user))
            for tab, stage in zip(self.tabs, self.stages, strict=True):
                stack.push_async_callback(tab.stack.aclose)
                await tab.go(stage, self.user)
            for what, where in steps:
                await self.take(what, where)
            await self.check()

    async def take(self, what: str, where: tuple[int, ...]) -> None:
        if what == "moves":
            tab, node = where
            await self.tabs[tab].go(self.stages[node], self.user)
        elif what == "says":
            await self.at(where, partial(self.say, f"say-{len(self.said)}"))
        elif what == "says again" and self.said:
            await self.at(where, partial(self.say, next(iter(self.said))))
        elif what == "speaks":
            await self.at(where, self.speak)
        elif what == "crashes":
            await self.at(where, self.crash)

    async def at(
        self, where: tuple[int, ...], act: Callable[[Backstage], Coroutine[None, None, None]]
    ) -> None:
        """At once."""
        async with trio.open_nursery() as nursery:
            for node in where:
                nursery.start_soon(act, self.stages[node])

    async def say(self, key: str, stage: Backstage) -> None:
        async with stage.users.lease(self.user) as handle:
            run = (await handle.actor.ask(UserSays(key, None, None, key))).run
        assert self.said.setdefault(key, run) == run, "a message has one run"

    async def speak(self, stage: Backstage) -> None:
        async with stage.run(self.user) as run:
            for _ in range(3):
                receipt = await run.agent_thinking(text="hm")
                self.accepted.append((receipt.offset, receipt.event))

    async def crash(self, stage: Backstage) -> None:
        """Its connections end with the user's actor there, and their clients come back."""
        await stage.crash(self.user)
        for tab in self.tabs:
            if tab.stage is stage:
                await tab.go(stage, self.user)

    async def check(self) -> None:
        records = await self.until_runs_ended()
        log = [(record.offset, record.id) for record in records]
        assert [offset for offset, _ in log] == list(range(1, len(log) + 1))
        assert len({event for _, event in log}) == len(log)
        assert set(self.accepted) <= set(log), "what was accepted is kept, in its place"
        ends = Counter(record.run for record in records if record.kind in RUN_ENDS)
        assert ends == Counter({record.run for record in records}), "each run ended once"
        assert Counter(each.say for each in records if each.say) == Counter(list(self.said))
        for tab in self.tabs:
            with trio.fail_after(30):
                while tab.look() < len(log):
                    self.wake()
                    await trio.sleep(0.01)
            assert tab.seen == records, "each once, in order"

    async def until_runs_ended(self) -> list[Record]:
        with trio.fail_after(30):
            while await self.stages[0].journal.open_runs(self.user):  # noqa: ASYNC110  # others do
                await trio.sleep(0.01)
        return await self.stages[0].records(self.user)

    def wake(self) -> None:
        """In memory no node hears of the other."""
        for stage in self.stages:
            if (handle := stage.users.find(self.user)) is not None:
                handle.actor.tell(OthersAppended())


@asynccontextmanager
async def in_memory(_: Path) -> AsyncIterator[list[Backstage]]:
    store = SharedStore()
    async with (
        open_backstage(NodeDisk(store, "here"), converse=answer) as here,
        open_backstage(NodeDisk(store, "there"), converse=answer) as there,
    ):
        yield [here, there]


@asynccontextmanager
async def in_engine(name: str, directory: Path) -> AsyncIterator[list[Backstage]]:
    from tests.delivery.shared import shared_place

    place = getattr(shared_place, name)(directory)
    async with (
        place.open() as one,
        place.open() as other,
        open_backstage(one, converse=answer) as here,
        open_backstage(other, converse=answer) as there,
    ):
        yield [here, there]


IN: Final = {
    "memory": in_memory,
    "postgres": partial(in_engine, "InPostgres"),
    "redis": partial(in_engine, "InRedis"),
}


@pytest.mark.requirement("R02", "R03", "R04", "R34")
@pytest.mark.parametrize(
    ("engine", "examples"),
    [
        ("memory", 30),
        pytest.param("postgres", 5, marks=NEEDS_POSTGRES),
        pytest.param("redis", 5, marks=NEEDS_REDIS),
    ],
)
def test_two_nodes_are_one_to_their_users(tmp_path: Path, engine: str, examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps=STEPS)
    def tried(steps: list[tuple[str, tuple[int, ...]]]) -> None:
        async def story() -> None:
            async with IN[engine](tmp_path) as stages:
                await Story(stages).live(steps)

        trio.run(story)

    tried()
