"""A socket that is gone takes its memory along: nothing of it waits for the garbage collector."""

import gc
from collections import Counter

import pytest
import trio

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


def tasks_of(user):
    """The names of the tasks that the user's tree has, and of those below them."""
    found, waiting = [], [(trio.lowlevel.current_root_task(), False)]
    while waiting:
        parent, is_the_users = waiting.pop()
        for task in (each for nursery in parent.child_nurseries for each in nursery.child_tasks):
            below = is_the_users or f"user:{user}/" in task.name
            waiting.append((task, below))
            found += [task.name] if below else []
    return found


@pytest.mark.requirement("R39")
def test_a_user_who_listens_has_one_task_and_a_whole_tree(connect, user):
    with serving() as server:
        connect(server).hello()
        server.wait_until(lambda: len(tasks_of(user)) == 1)
        (task,) = server.run_sync(tasks_of, user)
        tree = {node for node in server.footprint().tree if f"user:{user}" in node}
    place = f"greenroom/users/user:{user}"
    parts = {f"{place}/{part}" for part in ("outbox", "connections", "runs")}
    assert task.startswith(f"{place}/connections/conn_")
    assert tree == {place, *parts, task}


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
