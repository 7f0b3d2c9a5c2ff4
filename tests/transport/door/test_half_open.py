"""Bounding half-open connections."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from greenroom.transport.door.half_open import HalfOpen, HalfOpenStatistics, network_of


async def idle(half_open, number, ended):
    with half_open.handshake() as scope:
        await trio.sleep_forever()
    if scope.cancelled_caught:
        ended.append(number)


async def test_the_oldest_handshake_makes_room_for_the_newest(autojump_clock):
    half_open, ended = HalfOpen(limit=3), []
    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(idle, half_open, number, ended)
            await wait_all_tasks_blocked()
        assert ended == [0, 1]
        assert half_open.statistics().waiting == 3
        assert half_open.statistics().dropped == 2


async def test_a_flood_of_idle_sockets_locks_nobody_out(autojump_clock):
    half_open, ended = HalfOpen(limit=1024), []
    async with trio.open_nursery() as nursery:
        for number in range(2000):
            nursery.start_soon(idle, half_open, number, ended)
        await wait_all_tasks_blocked()
        with half_open.handshake() as scope:
            await trio.sleep(0.1)
        assert not scope.cancelled_caught
        nursery.cancel_scope.cancel()


async def test_a_handshake_that_takes_too_long_is_cancelled(autojump_clock):
    half_open, ended = HalfOpen(), []
    with trio.fail_after(10.5):
        await idle(half_open, 7, ended)
    assert ended == [7]
    assert trio.current_time() >= 10


async def test_a_finished_handshake_leaves_its_place():
    half_open = HalfOpen(limit=1)
    for _ in range(3):
        with half_open.handshake():
            pass
    with pytest.raises(ZeroDivisionError), half_open.handshake():
        raise ZeroDivisionError
    assert half_open.statistics().waiting == 0
    assert half_open.statistics().dropped == 0


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        HalfOpen(0)


async def idle_at(half_open, peer, ended):
    with half_open.handshake(peer=peer) as scope:
        await trio.sleep_forever()
    if scope.cancelled_caught:
        ended.append(peer)


@pytest.mark.fault("S12")
async def test_a_flood_from_one_address_pushes_out_its_own_and_no_slow_stranger(autojump_clock):
    half_open, ended = HalfOpen(limit=10), []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(idle_at, half_open, "192.0.2.1", ended)
        await wait_all_tasks_blocked()
        for number in range(100):
            nursery.start_soon(idle_at, half_open, f"2001:db8::{number:x}", ended)
            await wait_all_tasks_blocked()
        assert len(ended) == 91
        assert "192.0.2.1" not in ended
        assert half_open.statistics() == HalfOpenStatistics(10, 10, 91)
        nursery.cancel_scope.cancel()
    assert half_open.statistics().waiting == 0


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, ""),
        ("/run/a.socket", ""),
    ],
)
def test_an_ipv6_network_counts_as_one_address(peer, network):
    assert network_of(peer) == network
