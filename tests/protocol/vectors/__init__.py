"""Conversations in greenroom.v1 that every client and the server play: one JSON file each.

A vector has a `claim`, the parties `of` which it is true (`client`: every client; `browser`: one
that outlives reloads and assembles text; `server`), and `steps`, each of one name:

| step | a client's test | the server's test |
|---|---|---|
| `connect` | the client opens a socket, which is accepted | open a socket |
| `client` | the next frame of its type has these fields; null: not this one | send it |
| `server` | send it | the next frame of this type has these fields |
| `events` | the program got exactly these events since the last such step | – |
| `state`, `asks`, `assembled` | the client says so | – |
| `call`, `displayed` | the program asks for it | – |
| `result`, `reset` | the program hears of it | – |
| `never` | no frame of this type was sent | – |
| `wait` | time passes, in ms | – |
| `close` | the server closes with this code | the server closed with this code |
| `cut` | the connection breaks | break it |
| `leaves` | the client closes the socket by itself | – |

Ids, epochs and times stand for those that a server chooses: where one comes again, so does the
server's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import attrs

Json: TypeAlias = dict[str, Any]  # Any: a frame as it came, for assertions


@attrs.frozen
class Vector:
    """A conversation, by its file's name."""

    name: str
    claim: str
    of: list[str]
    steps: list[Json]

    def __str__(self) -> str:
        return self.name


def vectors_of(party: str) -> list[Vector]:
    """The vectors that a party plays, by their names."""
    files = sorted(Path(__file__).parent.glob("*.json"))
    vectors = [Vector(name=each.stem, **json.loads(each.read_text("utf-8"))) for each in files]
    return [vector for vector in vectors if party in vector.of]
