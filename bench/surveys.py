"""What it costs a server to show its tree: a survey, a list made of it, a window; and for how long
it works at a time.

python bench/surveys.py [--users 10000] [--repeats 5]

The users have their actors and no connection. Each figure is the median of the repeats.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import trio

from greenroom import Runtime, Settings, open_runtime
from greenroom.observer.tree.listing import Listing
from greenroom.observer.tree.node_rows import rows_of
from greenroom.observer.tree.nodes_query import NodesQuery, Part
from greenroom.supervisor.inspection.slices import Slices
from greenroom.supervisor.inspection.survey import Survey

QUERIES = {
    "the tree, users open": NodesQuery(open=frozenset(["greenroom/users"])),
    "sorted by bytes held": NodesQuery(sort="held"),
    "searched": NodesQuery(search="user:0"),
}


async def start(runtime: Runtime, users: AsyncExitStack, count: int) -> None:
    for number in range(count):
        await users.enter_async_context(runtime.users.lease(f"{number:06}"))


def ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def surveyed(runtime: Runtime) -> Survey:
    survey = Survey(runtime.root)
    for _ in survey.steps():
        pass
    return survey


def listed(survey: Survey, query: NodesQuery) -> Listing:
    listing = Listing(survey, query)
    for _ in listing.steps():
        pass
    return listing


async def turn_ms(runtime: Runtime) -> float:
    """The longest that another task waited for its turn while a survey was taken in slices."""
    longest = 0.0

    async def wait_for_turns() -> None:
        nonlocal longest
        while True:
            began = time.perf_counter()
            await trio.lowlevel.checkpoint()
            longest = max(longest, time.perf_counter() - began)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_for_turns)
        await Slices().go_through(Survey(runtime.root).steps())
        nursery.cancel_scope.cancel()
    return longest * 1000


async def run(users: int, repeats: int) -> None:
    settings = Settings(journal=":memory:")
    async with open_runtime(settings) as runtime, AsyncExitStack() as held:
        await start(runtime, held, users)
        survey = surveyed(runtime)
        print(f"{users} users, {len(survey)} nodes; ms, median of {repeats}")
        row("a survey", [ms(lambda: surveyed(runtime)) for _ in range(repeats)])
        for name, query in QUERIES.items():
            row(f"a list: {name}", [ms(lambda: listed(survey, query)) for _ in range(repeats)])  # noqa: B023  # called at once
        listing = listed(survey, QUERIES["the tree, users open"])
        part = Part(users // 2)
        row("a window of 200 rows", [ms(lambda: rows_of(listing, part)) for _ in range(repeats)])
        row("longest wait of another task", [await turn_ms(runtime) for _ in range(repeats)])


def row(name: str, figures: list[float]) -> None:
    print(f"{name:32} {statistics.median(figures):8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    asked = parser.parse_args()
    trio.run(run, asked.users, asked.repeats)


if __name__ == "__main__":
    main()
