"""Programs of other processes speak to users through an ASGI server."""

import pytest

from tests.protocol.asgi_servers import serving_by
from tests.services.program import kept, kinds, program


@pytest.mark.requirement("R46")
@pytest.mark.parametrize("kind", ["uvloop", "anycorn"])
def test_what_a_program_says_through_an_asgi_server_reaches_its_user(kind):
    with serving_by(kind) as server, program(server) as worker:
        run = worker.begin("ann", agent="analyst")["run"]
        tokens = [{"kind": "text", "data": {"text": f"{number} "}} for number in range(500)]
        status, answer = worker.post(f"/api/runs/{run}/events", {"events": tokens})
        assert (status, answer["count"]) == (200, 500)
        worker.post(f"/api/runs/{run}/end")
        events = kept(server, "ann")
        pieces = [each["data"]["text"] for each in events if each["kind"] == "partial_result"]
        assert "".join(pieces) == "".join(f"{number} " for number in range(500))
        assert kinds(events)[-1] == "agent_completed"
