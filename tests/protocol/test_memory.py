"""A socket that is gone takes its memory along: nothing of it waits for the garbage collector."""

import gc
from collections import Counter

import pytest

from greenroom.actors.machine.runner import MachineRunner
from greenroom.transport.connection.actor import ConnectionActor
from greenroom.transport.connection.requests import Requests
from greenroom.transport.connection.socket.client_stream import ClientStream
from greenroom.transport.connection.socket.counted_socket import CountedSocket
from tests.protocol.server import serving

OF_A_SOCKET = (ConnectionActor, MachineRunner, Requests, CountedSocket, ClientStream)


def alive():
    kinds = (type(each) for each in gc.get_objects() if isinstance(each, OF_A_SOCKET))
    return Counter(kind.__name__ for kind in kinds)


@pytest.mark.fault("S14")
def test_sockets_that_were_closed_or_cut_leave_nothing_behind(connect):
    with serving() as server:
        stays = connect(server)
        stays.hello()
        ways = [lambda each: each.connection.close(), lambda each: each.cut()]

        def come_and_go(times):
            for number in range(times):
                client = connect(server)
                client.hello()
                client.ask("say", id="1", body="hello")
                client.ask("history", id="h", limit=5)
                ways[number % 2](client)
            users = server.runtime.users.active
            server.wait_until(lambda: len(users()[0].connections.children()) == 1)

        come_and_go(4)
        gc.collect()
        gc.disable()
        try:
            come_and_go(10)
            before = server.run_sync(alive)
            come_and_go(30)
            server.wait_until(lambda: alive() - before == Counter())
        finally:
            gc.enable()
