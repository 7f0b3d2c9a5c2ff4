"""A journal restored from a backup gives offsets out again: nobody is fooled by the old ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from greenroom.delivery.events.ids import EventId, IdSource
from tests.protocol.client import Client, Json
from tests.protocol.server import Server
from tests.scenarios.stage import Serving, kinds, offsets

Connect = Callable[..., Client]


@attrs.frozen
class Restored:
    """A server whose journal was set back to where the client had seen `common` events, and what
    the client saw after that, which is gone."""

    server: Server
    common: list[Json]
    gone: list[Json]
    session: str
    epoch: str

    def resume(self, client: Client, **fields: object) -> Json:
        """Say hello as the client that saw what is gone."""
        last = self.gone[-1]
        claim = {"epoch": self.epoch, "offset": last["offset"], "event": last["id"]}
        return client.hello(**{"session": self.session, **claim, **fields})


@pytest.fixture
def nightly(user: str) -> Callable[[Server, int], None]:
    """Has a run of the service emit so many events for the user, while no client is there."""

    def nightly(server: Server, thoughts: int) -> None:
        async def work() -> None:
            async with server.runtime.run(user=user, agent="nightly") as run:
                for number in range(thoughts):
                    await run.agent_thinking(text=str(number))

        server.run(work)

    return nightly


@pytest.fixture
def restored(connect: Connect, tmp_path: Path, serving: Serving) -> Iterator[Restored]:
    journal, backup = tmp_path / "g.db", tmp_path / "backup.db"
    with serving(journal=journal) as server:
        client = connect(server)
        ready = client.hello()
        common = client.story({"think": 3}, id="one")
        client.send("ack", offset=common[-1]["offset"])
        client.fence()
    shutil.copy(journal, backup)
    with serving(journal=journal) as server:
        client = connect(server)
        last = common[-1]
        place = {"epoch": ready["epoch"], "offset": last["offset"], "event": last["id"]}
        assert client.hello(session=ready["session"], **place)["recovered"] is True
        gone = client.story({"think": 9}, id="two")
    shutil.copy(backup, journal)
    with serving(journal=journal) as server:
        yield Restored(server, common, gone, ready["session"], ready["epoch"])


@pytest.mark.fault("D5")
@pytest.mark.parametrize("thoughts", [40, 5, 0], ids=["further", "not as far", "no further"])
def test_after_a_restored_backup_a_client_is_sent_all_that_is_new(
    restored: Restored, connect: Connect, nightly: Callable[[Server, int], None], thoughts: int
) -> None:
    """Whether the new events reach beyond the client's offset or not."""
    if thoughts:
        nightly(restored.server, thoughts)
    client = connect(restored.server)
    ready = restored.resume(client)
    assert ready["recovered"] is False
    assert ready["session"] != restored.session
    assert ready["from"] == restored.common[-1]["offset"]
    assert ready["event"] == restored.common[-1]["id"]
    if thoughts:
        seen = client.events()
        assert offsets(seen) == [ready["from"] + 1 + index for index in range(thoughts + 2)]
        assert kinds(seen)[1:-1] == ["agent_thinking"] * thoughts
        assert not {event["id"] for event in seen} & {event["id"] for event in restored.gone}


@pytest.mark.fault("D5")
def test_a_tab_that_had_received_nothing_yet_is_not_fooled_either(
    restored: Restored, connect: Connect, nightly: Callable[[Server, int], None]
) -> None:
    """`ready` tells it the event at its place, so that it can say it later."""
    nightly(restored.server, 40)
    opened = restored.gone[-1]  # what such a tab was told by `ready`
    client = connect(restored.server)
    unknown = IdSource().new(EventId).replace("evt", "sess")
    ready = restored.resume(client, session=unknown, event=opened["id"])
    assert (ready["recovered"], ready["from"]) == (False, restored.common[-1]["offset"])
    fresh = connect(restored.server).hello()
    again = connect(restored.server).hello(
        epoch=fresh["epoch"], offset=fresh["from"], event=fresh["event"]
    )
    assert (again["recovered"], again["from"]) == (True, fresh["offset"])


@pytest.mark.fault("D5")
def test_who_saw_only_what_both_have_resumes_as_ever(
    restored: Restored, connect: Connect, nightly: Callable[[Server, int], None]
) -> None:
    nightly(restored.server, 5)
    last = restored.common[-1]
    ready = restored.resume(connect(restored.server), offset=last["offset"], event=last["id"])
    assert (ready["recovered"], ready["session"]) == (True, restored.session)
    assert ready["from"] == last["offset"]


@pytest.mark.fault("D5")
def test_of_an_offset_that_is_trimmed_the_client_is_believed(
    connect: Connect, tmp_path: Path, user: str, serving: Serving
) -> None:
    with serving(journal=tmp_path / "g.db") as server:
        client = connect(server)
        ready = client.hello()
        seen = client.story("more")
        client.story("still more", id="2")
        last, journal, whose = seen[-1], server.runtime.journal, client.ready["user"]
        server.run(lambda: journal.trim(whose, through=last["offset"]))
    with serving(journal=tmp_path / "g.db") as server:
        place = {"epoch": ready["epoch"], "offset": last["offset"], "event": last["id"]}
        again = connect(server).hello(session=ready["session"], **place)
        assert (again["recovered"], again["from"]) == (True, last["offset"])
        assert "event" not in again
