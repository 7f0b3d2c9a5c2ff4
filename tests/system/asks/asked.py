"""What a tab saw of questions, and whether the journal has one end of each."""

from __future__ import annotations

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import ASK_ENDS, Event, Kind
from greenroom.delivery.journal.reads import ReadOpenAsks
from greenroom.delivery.journal.sqlite.journal import open_sqlite_journal
from tests.delivery.history.whole_runs import flaws
from tests.system.processes import Place
from tests.system.tab import Frame, Tab

ANN = UserId("ann")


def seen(tab: Tab, *kinds: Kind) -> list[Frame]:
    return [each for each in tab.seen if each["kind"] in kinds]


def asked(tab: Tab, prompt: str) -> list[Frame]:
    return [each for each in seen(tab, Kind.INPUT_REQUESTED) if each["data"]["prompt"] == prompt]


async def check_ends(place: Place) -> None:
    """Every question in the journal has one end, before its run's."""
    async with open_sqlite_journal(place.journal) as journal:
        records = await journal.read(ANN, after=0, limit=1_000, max_bytes=1 << 30)
        assert await journal.ask(ReadOpenAsks(ANN)).wait() == []
    events = [Event.decode(record.body) for record in records]
    asked = [each.data["ask"] for each in events if each.kind is Kind.INPUT_REQUESTED]
    ended = [each.data["ask"] for each in events if each.kind in ASK_ENDS]
    assert asked
    assert sorted(map(str, asked)) == sorted(map(str, ended))
    assert list(flaws(events)) == []
