"""Trees of many nodes, in a real runtime: supervisors as users have, and actors that are busy."""

from __future__ import annotations

import trio

from greenroom.actors import Actor, Ref
from greenroom.supervisor import DynamicSupervisorRef, actor_child, dynamic_supervisor_child
from tests.protocol.server import Server

HOSTILE = "user:<img src=x onerror=alert(1)>\u202e\x07"


class Busy(Actor[str]):
    capacity = 50

    async def receive(self, message: str) -> None:
        await trio.sleep_forever()


async def crowd(server: Server, *ids: str) -> DynamicSupervisorRef:
    """A supervisor of supervisors, as users are."""
    root = server.runtime.root
    if "crowd" not in root.children():
        await root.start_child(dynamic_supervisor_child("crowd"))
    crowd = root.child("crowd", DynamicSupervisorRef)
    for each in ids:
        crowd.start_child_soon(dynamic_supervisor_child(each))
    return crowd


def busy(server: Server, user: str, *messages: str) -> None:
    """Below the user an actor that is busy for ever; the messages wait."""
    ref = server.run(start_busy, server, user)
    server.run_sync(ref.tell, "begin")
    server.wait_until(lambda: ref.statistics().taken == 1)
    for message in messages:
        server.run_sync(ref.tell, message)


async def start_busy(server: Server, user: str) -> Ref[str]:
    above = server.runtime.root.child("crowd", DynamicSupervisorRef)
    return await above.child(user, DynamicSupervisorRef).start_child(actor_child("busy", Busy))
