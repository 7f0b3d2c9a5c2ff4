"""What every journal keeps of policies of runs."""

from __future__ import annotations

import attrs

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import EventClass, Kind
from greenroom.delivery.events.policy import Policy, RunPolicy, RunSettled
from greenroom.delivery.events.stages import ReceiptStage
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.reads import Question, Reads
from greenroom.testing.journal_conformance.backend import JournalBackend, of_a_journal
from greenroom.testing.journal_conformance.entries import ALICE, BOB, RUNS, record
from greenroom.testing.same import same

CRITICAL = EventClass.CRITICAL

POLICY = RunPolicy(
    ALICE,
    RUNS[0],
    CRITICAL,
    Policy(ReceiptStage.DISPLAYED, expires_after=1.5, dead_letter=False, level="error"),
    through=0,
    due=100,
)


@attrs.frozen
class ReadPolicies(Question[list[RunPolicy]]):
    user: UserId

    def answer(self, reads: Reads) -> list[RunPolicy]:
        return reads.run_policies(self.user)


async def policies(journal: Journal) -> list[RunPolicy]:
    return await journal.ask(ReadPolicies(ALICE)).wait()


class PolicyClaims(JournalBackend):
    """Claims about the policies of runs."""

    @of_a_journal
    async def test_a_policy_is_kept_as_it_first_came_until_it_is_over(
        self, journal: Journal
    ) -> None:
        first = record(1, kind=Kind.AGENT_STARTED)
        await journal.append([first, POLICY])
        await journal.append([attrs.evolve(POLICY, through=9, policy=Policy())])
        same(await policies(journal), [POLICY])
        await journal.append([RunSettled(ALICE, RUNS[0], CRITICAL, 3, 700)])
        same(await policies(journal), [attrs.evolve(POLICY, through=3, due=700)])
        await journal.append([RunSettled(ALICE, RUNS[0], CRITICAL, 4, None, over=True)])
        same(await policies(journal), [])

    @of_a_journal
    async def test_users_with_a_policy_that_is_due_are_named_longest_due_first(
        self, journal: Journal
    ) -> None:
        mine, theirs = POLICY, attrs.evolve(POLICY, user=BOB, due=50)
        idle = attrs.evolve(POLICY, run=RUNS[1], due=None)
        await journal.append([mine, theirs, idle])
        same(await journal.policies_due(before=50, limit=9), [])
        same(await journal.policies_due(before=51, limit=9), [BOB])
        same(await journal.policies_due(before=999, limit=9), [BOB, ALICE])
        same(await journal.policies_due(before=999, limit=1), [BOB])
        await journal.append([attrs.evolve(theirs, run=RUNS[2], due=60)])
        same(await journal.policies_due(before=999, limit=2), [BOB])
        same(await journal.policies_due(before=999, limit=3), [BOB, ALICE])

    @of_a_journal
    async def test_the_policies_of_an_erased_user_are_erased(self, journal: Journal) -> None:
        await journal.append([record(1, kind=Kind.AGENT_STARTED), POLICY])
        await journal.trim(ALICE, through=1)
        await journal.erase_user_soon(ALICE).wait()
        same(await policies(journal), [])

    @of_a_journal
    async def test_the_policy_of_a_run_is_erased_with_its_last_event_and_no_sooner(
        self, journal: Journal
    ) -> None:
        """A step of an erasure may be the last one: the policy judges the events that are left."""
        opens, ends = record(1, kind=Kind.AGENT_STARTED), record(2, kind=Kind.AGENT_COMPLETED)
        await journal.append([opens, ends, POLICY])
        await journal.erase_thread_soon(ALICE, opens.thread, through=1).wait()
        same(await policies(journal), [POLICY])
        await journal.erase_thread_soon(ALICE, opens.thread, through=2).wait()
        same(await policies(journal), [])
