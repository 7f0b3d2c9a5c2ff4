"""`/api/openapi.json` says what the server does: it is valid, whole, and its examples pass."""

import json
import re

import httpx
import jsonschema_rs
import pytest
from openapi_spec_validator import validate

from greenroom.services.entries import KINDS
from greenroom.services.openapi import SAYS, openapi

pytestmark = pytest.mark.requirement("R46")

DESCRIBED = json.loads(openapi())


def schema(name):
    found = {"$ref": f"#/components/schemas/{name}", "components": DESCRIBED["components"]}
    return jsonschema_rs.validator_for(found)


def test_the_description_is_valid_and_served_without_a_token(server):
    answer = httpx.get(f"http://127.0.0.1:{server.port}/api/openapi.json")
    assert answer.json() == DESCRIBED
    validate(answer.json())


def test_every_list_says_what_it_holds_for_generators_of_clients():
    assert not [each for each in lists(DESCRIBED) if "items" not in each]


def lists(described):
    if isinstance(described, list):
        return [found for each in described for found in lists(each)]
    if not isinstance(described, dict):
        return []
    own = [described] if described.get("type") == "array" else []
    return own + lists([*described.values()])


def test_every_kind_of_entry_is_described():
    assert set(SAYS) == set(KINDS)


def test_every_route_is_described(server):
    from greenroom.services.door import ServiceDoor

    routes = ServiceDoor.routes(_Door())
    described = {
        f"{method.upper()} {re.sub('{[a-z]+}', '*', path)}"
        for path, methods in DESCRIBED["paths"].items()
        for method in methods
    }
    assert described == set(routes) - {"GET /api/openapi.json"}


class _Door:
    """Routes are asked for without what answers them."""

    def __getattr__(self, name):
        return _Door()

    def __call__(self, *_):
        return _Door()


def test_every_example_passes_and_is_answered_as_described(server, worker):
    paths = DESCRIBED["paths"]
    example = paths["/api/runs"]["post"]["requestBody"]["content"]["application/json"]["example"]
    begun = worker.begin(**example)
    schema("Begun").validate(begun)
    run = begun["run"]
    said = paths["/api/runs/{run}/events"]["post"]["requestBody"]["content"]
    for kind, content in said.items():
        body = content["example"]
        data = body if isinstance(body, str) else json.dumps(body)
        url, headers = f"/api/runs/{run}/events", {"Content-Type": kind}
        answer = worker.http.post(url, content=data, headers=headers)
        assert answer.status_code == 200, answer.text
        schema("Results").validate(answer.json())
    schema("State").validate(worker.get(f"/api/runs/{run}")[1])
    event = begun["started"]["event"]
    schema("Standing").validate(worker.get(f"/api/events/{event}")[1])
    end = paths["/api/runs/{run}/end"]["post"]["requestBody"]["content"]["application/json"]
    status, ended = worker.post(f"/api/runs/{run}/end", end["example"])
    assert status == 200
    schema("State").validate(ended)


def test_every_problem_is_of_a_status_that_is_described(server, worker):
    refusals = [
        worker.post("/api/runs", {}),
        worker.get("/api/runs/run_01h455vb4pex5vsknk084sn02q"),
        worker.get("/api/runs/nonsense"),
        worker.post("/api/runs/run_01h455vb4pex5vsknk084sn02q/end"),
    ]
    for status, said in refusals:
        schema("Problem").validate(said)
        assert str(status) in DESCRIBED["paths"]["/api/runs"]["post"]["responses"]
