"""What every journal keeps of crashes, for later processes, and how much of it."""

from __future__ import annotations

from greenroom.delivery.crashes import ReadCrash, ReadCrashes
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.record import CRASH_BYTES, CRASHES_KEPT, KeptCrash
from greenroom.delivery.journal.journal import Journal
from greenroom.testing.journal_conformance.backend import JournalBackend, of_a_journal
from greenroom.testing.journal_conformance.entries import ALICE, BOB, record
from greenroom.testing.same import same


def crash(name: str = "abcd2345", *, user: UserId | None = None, size: int = 0) -> KeptCrash:
    report = f'{{"text":"{"x" * size}"}}'
    return KeptCrash(user, name, 5, "host:7", 1, '{"path":"root/a"}', report)


async def kept(journal: Journal) -> list[str]:
    return [each.crash for each in await journal.ask(ReadCrashes()).wait()]


class CrashClaims(JournalBackend):
    """Claims about reports of crashes."""

    @of_a_journal
    async def test_a_crash_is_found_by_its_id_and_listed_without_its_report(
        self, journal: Journal
    ) -> None:
        first, second = crash(), crash("efgh", user=ALICE)
        await journal.append([first, second])
        await journal.append([first])  # as a server does that is not sure of the first time
        same(await journal.ask(ReadCrash("efgh")).wait(), second)
        same(await journal.ask(ReadCrash("nope")).wait(), None)
        listed = await journal.ask(ReadCrashes()).wait()
        same(
            [(each.crash, each.user, each.report) for each in listed],
            [
                ("abcd2345", None, ""),
                ("efgh", ALICE, ""),
            ],
        )

    @of_a_journal
    async def test_the_newest_crashes_are_kept(self, journal: Journal) -> None:
        await journal.append([crash(str(number)) for number in range(CRASHES_KEPT + 2)])
        same(await kept(journal), [str(number) for number in range(2, CRASHES_KEPT + 2)])

    @of_a_journal
    async def test_the_reports_that_are_kept_are_bounded_in_bytes(self, journal: Journal) -> None:
        for number in range(6):
            await journal.append([crash(str(number), size=CRASH_BYTES // 4)])
        same(await kept(journal), ["3", "4", "5"])

    @of_a_journal
    async def test_erasing_a_user_erases_the_users_crashes(self, journal: Journal) -> None:
        await journal.append([record(1), crash(), crash("a", user=ALICE), crash("b", user=BOB)])
        while await journal.erase_user_soon(ALICE).wait():
            pass
        same(await kept(journal), ["abcd2345", "b"])
