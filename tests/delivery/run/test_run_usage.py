"""What a run used of a model is in its end."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from greenroom import aio
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.run.grammar import OutOfOrder
from tests.delivery.backstage import open_backstage
from tests.portal.hosts import said_to, say

TOKENS = {"input_tokens": 120, "output_tokens": 40}


async def test_counts_add_up_and_the_end_shows_them_also_of_a_run_that_is_cancelled() -> None:
    async with open_backstage() as stage:
        async with stage.run() as run:
            run.add_usage(TOKENS)
            run.add_usage({"output_tokens": 2, "requests": 1})
            async with run.sub_run(agent="scout") as scout:
                scout.add_usage({"requests": 1})
                scout.cancel()
                await trio.lowlevel.checkpoint()
        data = await stage.data()
    used = {"input_tokens": 120, "output_tokens": 42, "requests": 1}
    assert [each for each in data if "outcome" in each] == [
        {"outcome": "cancelled", "usage": {"requests": 1}},
        {"outcome": "ok", "usage": used},
    ]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"requests": 1, "tokens": -1}, "`usage.tokens` must be an int of 0 or more, not -1"),
        ({"tokens": 1.5}, "`usage.tokens` must be an int of 0 or more, not 1.5"),
        ({"": 1}, "`usage` must not be empty"),
        ({"x" * 65: 1}, "a name must have at most 64 characters"),
        ({"tokens": 2**53}, "`tokens` must be at most 9007199254740991"),
        ({str(each): 1 for each in range(33)}, "at most 32 counts are allowed, not 33"),
    ],
)
async def test_what_is_no_count_is_refused_and_nothing_of_it_is_added(
    counts: dict[str, int], words: str
) -> None:
    async with open_backstage() as stage:
        async with stage.run() as run:
            with pytest.raises(BadEvent, match=words):
                run.add_usage(counts)
        assert (await stage.data())[-1] == {"outcome": "ok"}
        with pytest.raises(OutOfOrder, match="has ended"):
            run.add_usage(TOKENS)


def test_an_agent_on_another_host_counts_what_it_uses() -> None:
    async def agent(run: aio.Run, said: JSON) -> None:
        run.add_usage(TOKENS)

    *_, end = said_to(agent, partial(say, "hi"))
    assert end.data["usage"] == TOKENS
