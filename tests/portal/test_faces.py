"""No name of the API is forgotten in the faces that other hosts hold."""

from __future__ import annotations

import inspect

import pytest

import greenroom
from greenroom import aio, blocking
from greenroom.aio.dead_letters import AioDeadLetters, AioThreads
from greenroom.blocking.runtime import BlockingDeadLetters, BlockingThreads
from greenroom.delivery.dead_letters import DeadLetters
from greenroom.delivery.threads import Threads

INSIDE = {
    "live": "the runtime enters a run",
    "interrupt": "for hosts",
    "of": "the runtime makes receipts",
    "root": "in trio: `runtime.call(…)` gives the runtime itself, with its tree",
    "users": "in trio, as `root`",
    "journal": "in trio, as `root`",
    "metrics": "in trio, as `root`",
    "listening": "for servers of other worlds",
    "timeouts": "a part of the settings",
}
"""Names that faces do not have, and why."""

FACES = [
    (greenroom.Run, aio.Run, set()),
    (greenroom.Run, blocking.Run, set()),
    (greenroom.Runtime, aio.Runtime, {"call"}),
    (greenroom.Runtime, blocking.Portal, {"call"}),
    (greenroom.Receipt, aio.Receipt, set()),
    (greenroom.Receipt, blocking.Receipt, set()),
    (greenroom.TextStream, aio.TextStream, set()),
    (greenroom.TextStream, blocking.TextStream, set()),
    (greenroom.UserAsk, aio.UserAsk, set()),
    (greenroom.UserAsk, blocking.UserAsk, {"wait"}),
    (DeadLetters, AioDeadLetters, set()),
    (DeadLetters, BlockingDeadLetters, set()),
    (Threads, AioThreads, set()),
    (Threads, BlockingThreads, set()),
]
"""A class, its face, and the names that only the face has."""

OF_INSTANCES = {
    greenroom.Run: {"context", "agent"},
    greenroom.Receipt: {"event", "kind", "offset", "at"},
    greenroom.UserAsk: {"id", "receipt"},
    greenroom.Runtime: {"settings", "dead_letters"},
}


def names(kind: type) -> set[str]:
    """Its public names."""
    own = {name for name in dir(kind) if not name.startswith("_")}
    return own | OF_INSTANCES.get(kind, set())


@pytest.mark.parametrize(("kind", "face", "more"), FACES)
def test_a_face_has_every_name_of_what_it_stands_for(
    kind: type, face: type, more: set[str]
) -> None:
    mine = names(face)
    assert mine - more == names(kind) - INSIDE.keys()


@pytest.mark.parametrize(("kind", "face", "more"), FACES)
def test_a_method_of_a_face_takes_what_the_method_itself_takes(
    kind: type, face: type, more: set[str]
) -> None:
    for name in names(face) & names(kind):
        given, own = getattr(face, name, None), getattr(kind, name, None)
        if inspect.isfunction(given) and inspect.isfunction(own) and name != "ask":
            assert list(inspect.signature(given).parameters) == [
                *inspect.signature(own).parameters
            ], name


def test_every_name_that_a_package_of_a_host_exports_is_there() -> None:
    for package in (aio, blocking):
        for name in package.__all__:
            assert getattr(package, name) is not None
            assert not inspect.ismodule(getattr(package, name))
