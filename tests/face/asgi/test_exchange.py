"""What crosses between an ASGI server's loop and the runtime's: in order, bounded, and counted."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from greenroom.asgi.asgi_exchange import ARRIVED_BYTES, ARRIVED_MESSAGES, AsgiExchange
from greenroom.asgi.server_loop import AsyncioLoop, TrioLoop

SIZES = st.lists(st.sampled_from([1, 100, 5_000, ARRIVED_BYTES]), max_size=30)


def text(number: int, size: int) -> dict[str, object]:
    return {"type": "websocket.receive", "number": number, "text": "x" * size}


@attrs.define
class AsgiServer:
    """A server of asyncio that has `incoming` to give, and whose client leaves after it has taken
    `patience` messages, without a word to the app but for what `send` raises."""

    incoming: list[int]
    patience: int | None
    given: int = 0
    taken: list[object] = attrs.field(factory=list)
    most_ahead: int = 0
    heard: list[object] = attrs.field(factory=list)

    async def receive(self) -> dict[str, object]:
        if self.given == len(self.incoming):
            await asyncio.sleep(1e6)
        message = text(self.given, self.incoming[self.given])
        self.given += 1
        self.most_ahead = max(self.most_ahead, self.given - len(self.heard))
        return message

    async def send(self, message: dict[str, object]) -> None:
        if self.patience is not None and len(self.taken) >= self.patience:
            raise OSError("the client is gone")
        await asyncio.sleep(0)
        self.taken.append(message["number"])


async def _app(exchange: AsgiExchange, server: AsgiServer, outgoing: list[int]) -> int:
    """Put all, hear all that comes, and end. What was taken when it was over."""
    for number, size in enumerate(outgoing):
        exchange.put(text(number, size), size)
    while len(server.heard) < len(server.incoming):
        message = await exchange.receive()
        if message["type"] == "websocket.disconnect":
            break
        server.heard.append(message["number"])
    await exchange.wait_taken()
    exchange.end()
    return exchange.taken


def run_in_two_threads(server: AsgiServer, outgoing: list[int]) -> int:
    """The app in a trio thread, and the server on asyncio in this one."""
    opened = threading.Event()
    exchanges: list[AsgiExchange] = []
    begin: list[trio.lowlevel.TrioToken | trio.Event] = []
    taken: list[int] = []

    async def live() -> None:
        start = trio.Event()
        begin[:] = [trio.lowlevel.current_trio_token(), start]
        opened.set()
        await start.wait()
        with trio.fail_after(30):
            taken.append(await _app(exchanges[0], server, outgoing))

    async def serve() -> None:
        token, start = begin
        assert isinstance(token, trio.lowlevel.TrioToken)
        assert isinstance(start, trio.Event)
        exchanges.append(AsgiExchange(AsyncioLoop(), partial(_post, token)))
        token.run_sync_soon(start.set)
        await exchanges[0].serve(server.receive, server.send)

    thread = threading.Thread(target=trio.run, args=(live,))
    thread.start()
    opened.wait()
    asyncio.run(serve())
    thread.join()
    return taken[0]


def _post(token: trio.lowlevel.TrioToken, callback) -> None:
    with suppress(trio.RunFinishedError):
        token.run_sync_soon(callback)


@settings(max_examples=40)
@given(incoming=SIZES, outgoing=SIZES)
def test_all_that_is_put_and_given_crosses_in_order_and_is_counted(incoming, outgoing):
    server = AsgiServer(incoming, None)
    assert run_in_two_threads(server, outgoing) == sum(outgoing)
    assert server.taken == list(range(len(outgoing)))
    assert server.heard == list(range(len(incoming)))


@settings(max_examples=40)
@given(outgoing=SIZES, patience=st.integers(0, 10))
def test_what_a_client_that_has_gone_was_not_sent_does_not_count_as_sent(outgoing, patience):
    server = AsgiServer([], patience)
    sent = sum(outgoing[:patience])
    assert run_in_two_threads(server, outgoing) <= sent
    assert server.taken == list(range(min(patience, len(outgoing))))


async def test_a_server_is_not_asked_for_more_than_an_app_takes(autojump_clock):
    async def receive():
        asked.append(1)
        return text(len(asked), 10)

    async def send(_): ...

    asked: list[int] = []
    exchange = AsgiExchange(TrioLoop(), lambda callback: callback())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(exchange.serve, receive, send)
        await trio.testing.wait_all_tasks_blocked()
        assert len(asked) == ARRIVED_MESSAGES + 1
        await exchange.receive()
        await exchange.receive()
        await trio.testing.wait_all_tasks_blocked()
        assert ARRIVED_MESSAGES + 1 < len(asked) <= ARRIVED_MESSAGES + 3
        nursery.cancel_scope.cancel()


async def _hang(_):
    await trio.sleep_forever()


async def test_a_request_that_its_server_cancels_is_over_for_the_app(autojump_clock):
    exchange = AsgiExchange(TrioLoop(), lambda callback: callback())
    exchange.put(text(0, 10), 10)
    with trio.move_on_after(1):
        await exchange.serve(trio.sleep_forever, _hang)
    await exchange.wait_taken()
    assert (exchange.is_broken, exchange.taken) == (True, 0)
    assert (await exchange.receive())["type"] == "websocket.disconnect"


async def test_a_server_that_holds_what_it_was_given_last_is_let_go(autojump_clock):
    exchange = AsgiExchange(TrioLoop(), lambda callback: callback())
    exchange.put(text(0, 10), 10)
    exchange.end()
    with trio.fail_after(10):
        await exchange.serve(trio.sleep_forever, _hang)


async def test_nothing_is_put_once_the_client_is_gone(autojump_clock):
    async def receive():
        return {"type": "websocket.disconnect", "code": 1001}

    exchange = AsgiExchange(TrioLoop(), lambda callback: callback())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(exchange.serve, receive, _hang)
        assert (await exchange.receive())["code"] == 1001
        exchange.put(text(0, 10), 10)
        assert exchange.waiting == 0
        exchange.end()
