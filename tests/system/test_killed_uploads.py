"""`kill -9` amid an upload: the parts that were answered are kept, and the upload goes on there."""

from __future__ import annotations

from base64 import b64encode
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from greenroom.delivery.upkeep.journal_check import check
from greenroom.transport.auth.tokens import sign_token
from tests.face.page.files.files_agent import digest
from tests.system.processes import SECRET, Place, free_port
from tests.system.tab import Tab

pytestmark = [pytest.mark.requirement("R34"), pytest.mark.fault("P1")]

PART = 40_000
DATA = bytes(range(256)) * 600  # four parts


async def send_part(tab: Tab, start: int) -> int:
    """Returns how much the server has."""
    data = b64encode(DATA[start : start + PART]).decode()
    part = {"file": "f", "start": start, "size": len(DATA), "data": data}
    reply = await tab.ask(type="file", id=f"{len(tab.readies)} {start}", **part)
    return int(reply["received"])


async def test_an_upload_goes_on_after_a_kill_where_it_stopped(tmp_path: Path) -> None:
    place = Place(tmp_path, free_port(), "../face/page/files/files_agent.py")
    tab = Tab("127.0.0.1", place.port, sign_token(SECRET, "ada", 600))
    async with place.process() as server:
        await server.until_listening()
        async with tab.connected():
            assert await send_part(tab, 0) == PART
            late = b64encode(DATA[PART : 2 * PART]).decode()
            await tab.send(type="file", id="late", file="f", start=PART, size=len(DATA), data=late)
            server.handle.kill()
            await server.ended()
    async with place.process() as server:
        await server.until_listening()
        async with tab.connected():
            received = await send_part(tab, 0)
            assert received in (PART, 2 * PART)  # what was not answered may be there
            while received < len(DATA):
                received = await send_part(tab, received)
            file = {"file": "f", "name": "sky.png", "media": "image/png", "size": len(DATA)}
            await tab.ask(type="say", id="s", body="hi", files=[file])
            await tab.until(lambda: any(each["kind"] == "agent_completed" for each in tab.seen))
    told = [each["data"]["text"] for each in tab.seen if each["kind"] == "partial_result"]
    assert f"{len(DATA)} {digest(DATA)}" in "".join(told)
    with closing(apsw.Connection(str(place.journal))) as database:
        assert list(check(database)) == []
