"""A run with a policy of its own is settled by it, whatever waits before and after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.testing

from greenroom.delivery.events.kinds import EventClass
from greenroom.delivery.events.policy import BadPolicy, Policy, checked_policies
from greenroom.delivery.events.stages import Outcome, ReceiptStage
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from greenroom.delivery.run.receipt import Receipt
from greenroom.delivery.run.run import Run
from greenroom.delivery.user import overdue
from greenroom.delivery.user.messages import DisplayedThere
from greenroom.supervisor.child_spec import ChildSpec
from tests.delivery.backstage import ALICE, Backstage, open_backstage

pytestmark = pytest.mark.requirement("R02")

CRITICAL, PROGRESS = EventClass.CRITICAL, EventClass.PROGRESS
USUAL = {
    CRITICAL: Policy(expires_after=1000),
    PROGRESS: Policy(expires_after=300, dead_letter=False),
}
SOON = {CRITICAL: Policy(expires_after=50)}
LATE = {CRITICAL: Policy(expires_after=5000)}


def clock() -> Callable[[], int]:
    return lambda: round(trio.current_time() * 1000)


async def report(run: Run) -> Receipt:
    return await run.final_report(report="a saving")


async def outcome(receipt: Receipt) -> Outcome | None:
    return (await receipt.standing()).outcome


async def policies_left(stage: Backstage) -> int:
    return len(stage.journal._store.run_policies(ALICE))  # type: ignore[attr-defined]  # the point


async def test_a_run_is_settled_by_its_own_policy_before_older_events_of_the_usual_one(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage(policies=USUAL, now_ms=clock()) as stage:
        async with stage.run() as usual:
            first = await report(usual)
        async with stage.run(policies=SOON) as run:
            soon = await report(run)
        async with stage.run(policies=LATE) as run:
            late = await report(run)
        async with stage.run() as again:
            last = await report(again)
        await trio.sleep(60)
        assert [await outcome(each) for each in (first, soon, late, last)] == [
            *(None, Outcome.DEAD_LETTERED),
            *(None, None),
        ]
        assert len(await stage.dead_letters.list()) == 3
        await trio.sleep(1100)
        assert [await outcome(each) for each in (first, soon, late)] == [
            *(Outcome.DEAD_LETTERED, Outcome.DEAD_LETTERED),
            None,
        ]
        await trio.sleep(4500)
        assert {await outcome(each) for each in (late, last)} == {Outcome.DEAD_LETTERED}
        assert len(await stage.dead_letters.list()) == 12, "each event once"
        assert await policies_left(stage) == 0


async def test_a_sub_run_has_the_policy_of_its_run(autojump_clock: trio.testing.MockClock) -> None:
    async with open_backstage(policies=USUAL, now_ms=clock()) as stage:
        async with stage.run(policies=SOON) as run, run.sub_run(agent="helper") as helper:
            receipt = await report(helper)
        await trio.sleep(60)
        assert await outcome(receipt) is Outcome.DEAD_LETTERED
        assert len(await stage.dead_letters.list()) == 5
        await trio.sleep(60)
        assert await policies_left(stage) == 0


async def test_a_run_may_ask_for_more_than_its_class_does(
    autojump_clock: trio.testing.MockClock,
) -> None:
    seen = {CRITICAL: Policy(done=ReceiptStage.DISPLAYED, expires_after=50)}
    async with open_backstage(policies=USUAL, now_ms=clock()) as stage, stage.client() as client:
        async with stage.run() as usual:
            received = await report(usual)
        async with stage.run(policies=seen) as run:
            shown, not_shown = await run.agent_started(), await report(run)
        await trio.testing.wait_all_tasks_blocked()
        async with stage.users.lease(ALICE) as alice:
            alice.actor.tell_owed(DisplayedThere(client.socket.connection, [shown.offset]))
        await trio.sleep(60)
        assert await outcome(received) is Outcome.RECEIVED
        letters = {each.offset for each in await stage.dead_letters.list()}
        assert letters == {not_shown.offset, not_shown.offset + 1}
        assert await outcome(not_shown) is Outcome.DEAD_LETTERED


async def test_a_long_run_is_settled_while_it_goes_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with (
        open_backstage(policies=USUAL, now_ms=clock()) as stage,
        stage.run(policies=SOON) as run,
    ):
        for number in range(4):
            async with run.tool("look"):
                pass
            await trio.sleep(60)
            assert len(await stage.dead_letters.list()) == 1 + 2 * (number + 1)


async def test_only_the_classes_of_the_policy_are_changed(
    autojump_clock: trio.testing.MockClock,
) -> None:
    own = {PROGRESS: Policy(expires_after=20, dead_letter=True)}
    async with (
        open_backstage(policies=USUAL, now_ms=clock()) as stage,
        stage.run(policies=own) as run,
    ):
        thought = await run.agent_thinking(text="hm")
        await trio.sleep(30)
        assert await outcome(thought) is Outcome.DEAD_LETTERED
        assert [str(each.kind) for each in await stage.dead_letters.list()] == ["agent_thinking"]


async def test_a_policy_holds_for_a_user_who_is_away_and_after_a_restart(tmp_path: Path) -> None:
    now = [1_000_000]
    path = tmp_path / "journal.db"
    async with (
        open_sqlite_journal(path) as journal,
        open_backstage(journal, policies=USUAL, now_ms=lambda: now[0]) as stage,
    ):
        async with stage.run() as usual:
            await report(usual)
        async with stage.run(policies=SOON) as run:
            soon = await report(run)
    async with open_sqlite_journal(path) as journal:
        assert await journal.policies_due(before=now[0] + 50_000, limit=9) == []
        now[0] += 60_000
        assert await journal.policies_due(before=now[0], limit=9) == [ALICE]
        await journal.alive(now[0], after=60_000)
        async with open_backstage(journal, policies=USUAL, now_ms=lambda: now[0]) as stage:
            await stage.users._sweep.settle_runs()
            letters = await stage.dead_letters.list()
            assert soon.event in [each.event for each in letters]
            assert len(letters) == 3
        assert await journal.policies_due(before=now[0] + 10**12, limit=9) == []


async def test_one_search_settles_all_users_whose_runs_are_due_however_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overdue, "SWEEP_USERS", 2)
    journal, now = MemoryJournal(), [1_000_000]
    async with open_backstage(journal, policies=USUAL, now_ms=lambda: now[0]) as stage:
        for number in range(5):
            async with stage.run(f"user-{number}", policies=SOON) as run:
                await report(run)
    now[0] += 60_000
    await journal.alive(now[0], after=60_000)
    async with open_backstage(journal, policies=USUAL, now_ms=lambda: now[0]) as stage:
        await stage.users._sweep.settle_runs()
        letters = await stage.dead_letters.list()
        assert {str(each.user) for each in letters} == {f"user-{number}" for number in range(5)}


async def test_the_policy_of_a_run_is_forgotten_once_a_client_received_all_of_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_backstage(policies=USUAL, now_ms=clock()) as stage:
        async with stage.client():
            async with stage.run(policies=SOON) as run:
                await report(run)
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(200)
        assert await stage.dead_letters.list() == []
        assert await policies_left(stage) == 0


async def test_a_user_who_is_away_is_not_started_again_and_again_for_a_long_policy(
    autojump_clock: trio.testing.MockClock,
) -> None:
    started: list[str] = []
    policies = {**USUAL, CRITICAL: Policy(expires_after=100)}
    async with open_backstage(policies=policies, now_ms=clock(), idle_seconds=1) as stage:
        start = stage.users._start

        async def count(spec: ChildSpec) -> object:
            started.append(spec.id)
            return await start(spec)

        async with stage.run(policies=LATE) as run:
            await report(run)
        stage.users._start = count  # type: ignore[method-assign]  # only looked at
        await trio.sleep(3600)
        assert len(started) <= 2
        await trio.sleep(1800)
        assert len(await stage.dead_letters.list()) == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("critical", "`policy` must be a greenroom.Policy, or a dict"),
        ({"urgent": Policy()}, "the keys of `policy` must be EventClass.CRITICAL or"),
        ({CRITICAL: 60}, "`policy` must hold policies, not an int"),
        (
            Policy(done=ReceiptStage.SENT),
            "`policy.done` must be received or displayed or confirmed",
        ),  # type: ignore[arg-type]  # the mistake
        (Policy(expires_after=0), "`policy.expires_after` must be seconds above 0 and up to"),
        (Policy(expires_after=float("nan")), "`policy.expires_after` must be"),
        (Policy(expires_after=True), "not True"),
        (Policy(dead_letter=1), "`policy.dead_letter` must be True or False, not 1"),  # type: ignore[arg-type]  # the mistake
        (Policy(level="loud"), "`policy.level` must be info or warning or error or critical"),  # type: ignore[arg-type]  # the mistake
    ],
)
def test_a_policy_that_is_none_is_refused_with_field_value_and_rule(
    given: object, words: str
) -> None:
    with pytest.raises(BadPolicy) as refused:
        checked_policies(given)
    assert words in refused.value.message
