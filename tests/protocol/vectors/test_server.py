"""The server plays its part of the protocol's vectors, as clients of every language do."""

import re

import pytest

from greenroom import Files, agent
from tests.protocol.server import serving
from tests.protocol.vectors import vectors_of

ANY = {
    "user",
    "connection",
    "at",
    "expires",
    "created",
    "updated",
    "duration_ms",
    "message",
    "reason",
}
ID = re.compile(r"[a-z]+_[0-9a-z]{26}|first")  # the second is the vectors' epoch


@agent(takes=("text", Files(types=["text/*"], max_bytes=1_000_000, most=2)))
async def player(run, said):
    """Does what is said, call by call."""
    for name, fields in said["emit"] if isinstance(said, dict) else []:
        await getattr(run, name)(**fields)


@pytest.fixture(scope="module")
def playing():
    with serving(agent=player) as server:
        yield server


@pytest.mark.parametrize("vector", vectors_of("server"), ids=str)
def test_the_server_plays_its_part_of_the_vector(vector, connect, playing):
    part = ServersPart(lambda: connect(to=playing))
    for step in vector.steps:
        ((name, value),) = step.items()
        if play := getattr(part, f"play_{name}", None):
            play(value)


class ServersPart:
    """A client made of the vector, and the ids that the server chose for the vector's."""

    def __init__(self, connect):
        self._connect = connect
        self._chosen = {}
        self._client = None

    def play_connect(self, _):
        self._client = self._connect()

    def play_cut(self, _):
        self._client.cut()

    def play_close(self, expected):
        assert self._client.closed_with() == expected["code"]

    def play_client(self, frame):
        sent = self._translated(frame)
        self._client.send(sent.pop("type"), **sent)

    def play_server(self, expected):
        if expected["type"] != "events":
            return self._match(expected, self._client.take(expected["type"]))
        events = self._client.events(until=expected["events"][-1]["offset"])
        return self._match(expected["events"], events)

    def _translated(self, value):
        """The vector's ids as the server's; what is null in it is left out."""
        if isinstance(value, dict):
            return {k: self._translated(v) for k, v in value.items() if v is not None}
        if isinstance(value, list):
            return [self._translated(each) for each in value]
        return self._chosen.get(value, value) if isinstance(value, str) else value

    def _match(self, expected, actual):
        if isinstance(expected, dict):
            for name in expected.keys() - ANY:
                self._match(expected[name], actual.get(name))
        elif isinstance(expected, list) and all(isinstance(each, dict) for each in expected):
            assert len(expected) == len(actual)
            for ours, theirs in zip(expected, actual, strict=True):
                self._match(ours, theirs)
        elif isinstance(expected, str) and ID.fullmatch(expected):
            assert self._chosen.setdefault(expected, actual) == actual
        else:
            assert actual == expected
