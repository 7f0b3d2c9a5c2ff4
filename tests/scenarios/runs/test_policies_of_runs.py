"""A run may ask for another delivery than its class: over real sockets and a restart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

import greenroom
from greenroom import JSON, EventClass, Policy, Run
from tests.face.metrics.scrape import Scrape
from tests.protocol.client import Client
from tests.protocol.server import Server
from tests.scenarios.stage import Serving

Connect = Callable[..., Client]

pytestmark = pytest.mark.requirement("R02")

SOON = Policy(expires_after=0.2, level="info")


def test_a_run_of_the_service_is_given_up_by_its_own_policy_and_others_are_not(
    user: str, serving: Serving
) -> None:
    with serving() as server:
        scrape = Scrape(server)

        async def speak() -> tuple[str, str]:
            async with server.runtime.run(user=user, agent="news", policy=SOON) as run:
                soon = await run.final_report(report="now or never")
            async with server.runtime.run(user=user, agent="post") as run:
                late = await run.final_report(report="there is time")
            return soon.event, late.event

        soon, late = server.run(speak)
        scrape.wait("events_dead_lettered_total", "final_report")
        letters = [each.event for each in server.run(server.runtime.dead_letters.list)]
        assert (soon in letters, late in letters) == (True, False)


def test_an_agent_declares_the_policy_of_the_runs_that_users_start_and_it_survives_a_restart(
    connect: Connect, alarms: list[str], tmp_path: Path, serving: Serving
) -> None:
    alarms.append("dead letters")  # the client is connected, and acknowledges nothing

    @greenroom.agent(policy={EventClass.CRITICAL: SOON})
    async def quick(run: Run, _: JSON) -> None:
        await run.final_report(report="now or never")

    with serving(journal=tmp_path / "g.db", agent=quick) as server:
        client = connect(server)
        client.hello()
        client.ask("say", id="1", body="hello")
        server.wait_until(lambda: not list(server.runtime.users.active()[0].live_runs))
    with serving(journal=tmp_path / "g.db") as server:  # an agent without a policy
        second = connect(server)
        second.hello()  # the user is served, in a session that begins after these events
        server.run(lambda: wait_dead(server, {"user_said", "final_report", "agent_completed"}))


async def wait_dead(server: Server, kinds: set[str]) -> None:
    with trio.fail_after(30):
        while not kinds <= {  # noqa: ASYNC110  # the list of the journal has no event
            str(each.kind) for each in await server.runtime.dead_letters.list()
        }:
            await trio.sleep(0.01)


def test_a_wrong_policy_is_refused_at_the_call(user: str, serving: Serving) -> None:
    with serving() as server:

        async def speak() -> None:
            with pytest.raises(greenroom.BadPolicy, match=r"`policy\.expires_after` must be"):
                server.runtime.run(user=user, policy=Policy(expires_after=-1))

        server.run(speak)
