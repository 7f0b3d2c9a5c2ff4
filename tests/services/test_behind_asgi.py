"""Programs speak to users behind an ASGI server, too."""

import pytest

from tests.protocol.asgi_servers import serving_by
from tests.services.program import kept, kinds, program

pytestmark = pytest.mark.requirement("R46")


@pytest.mark.parametrize("kind", ["asyncio", "anycorn"])
def test_a_run_is_begun_spoken_in_and_ended_behind_another_server(kind):
    with serving_by(kind) as server, program(server) as worker:
        begun = worker.begin("zoe", key="k")
        assert worker.begin("zoe", key="k")["run"] == begun["run"]
        lines = (b'{"kind":"agent_thinking","data":{"text":"%d"}}\n' % each for each in range(50))
        status, answer = worker.stream(begun["run"], lines)
        assert (status, answer["count"]) == (200, 50)
        status, said = worker.say(begun["run"], "dance")
        assert (status, said["error"]) == (400, "BadEntry")
        assert worker.post(f"/api/runs/{begun['run']}/end")[1]["state"] == "completed"
        expected = ["agent_started", *["agent_thinking"] * 50, "agent_completed"]
        assert kinds(kept(server, "zoe")) == expected
