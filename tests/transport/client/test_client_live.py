"""The Python client against a whole running greenroom: real sockets, real tokens, no mocks."""

import time
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from greenroom.delivery.events.kinds import Kind
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.run.pressure import Pressure
from greenroom.runtime import open_runtime
from greenroom.settings import Settings
from greenroom.testing import open_slow_link
from greenroom.transport.auth.tokens import sign_token
from greenroom.transport.client.client import connect
from greenroom.transport.client.frames import BadMessage, RequestFailed

SECRET = "a secret of more than thirty-two bytes"
pytestmark = pytest.mark.requirement("R37")


async def parrot(run, said):
    for word in said.split():
        await run.agent_thinking(text=word)
    await run.final_report(report={"said": said})


@asynccontextmanager
async def running(agent=parrot):
    """A greenroom; gives its URL and the runtime."""
    settings = Settings(port=0, secret=SECRET)
    async with open_runtime(settings, agent, journal=MemoryJournal()) as runtime:
        port = await runtime.listen(page=False)
        yield f"ws://127.0.0.1:{port}", runtime


def join(url, user="alice", **options):
    token = sign_token(SECRET, user, 60)
    return connect(url, token=token, uniform=lambda low, high: 0.0, **options)


async def until_completed(client):
    taken = []
    with trio.fail_after(30):
        async for event in client.events():
            taken.append(event)
            if event.kind is Kind.AGENT_COMPLETED:
                return taken
    raise AssertionError("the client's events ended")


@asynccontextmanager
async def shaky_path(url):
    """A TCP proxy that can cut every connection through it; gives its URL and the cut."""
    target = int(url.rpartition(":")[2])
    scopes = []

    async def pump(source, sink, scope):
        try:
            async for chunk in source:
                await sink.send_all(chunk)
        except trio.BrokenResourceError:
            pass
        scope.cancel()

    async def carry(near):
        far = await trio.open_tcp_stream("127.0.0.1", target)
        async with near, far, trio.open_nursery() as nursery:
            scopes.append(nursery.cancel_scope)
            nursery.start_soon(pump, near, far, nursery.cancel_scope)
            nursery.start_soon(pump, far, near, nursery.cancel_scope)

    def cut():
        while scopes:
            scopes.pop().cancel()

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, carry, 0, host="127.0.0.1")
        (listener,) = await nursery.start(serve)
        yield f"ws://127.0.0.1:{listener.socket.getsockname()[1]}", cut
        nursery.cancel_scope.cancel()


async def test_what_is_said_is_answered_with_events_in_order():
    async with running() as (url, _), join(url) as client:
        started = await client.say("one two")
        taken = await until_completed(client)
    assert [event.kind for event in taken] == [
        Kind.USER_SAID,
        Kind.AGENT_STARTED,
        Kind.AGENT_THINKING,
        Kind.AGENT_THINKING,
        Kind.FINAL_REPORT,
        Kind.AGENT_COMPLETED,
    ]
    assert {(event.run, event.thread) for event in taken} == {(started.run, started.thread)}
    offsets = [event.offset for event in taken]
    assert offsets == list(range(1, len(offsets) + 1))


async def test_the_history_of_a_thread_can_be_paged_back():
    async with running() as (url, _), join(url) as client:
        started = await client.say("one two")
        taken = await until_completed(client)
        page = await client.history(started.thread, limit=4)
        assert (list(page.events), page.more) == (taken[2:], True)
        page = await client.history(started.thread, before=page.events[0].offset, limit=4)
        assert (list(page.events), page.more) == (taken[:2], False)


async def test_a_repeated_say_starts_no_second_run():
    async with running() as (url, _), join(url) as client:
        first = await client.say("one", id="say-1")
        await until_completed(client)
        assert await client.say("one", id="say-1") == first
        assert len((await client.history()).events) == 5


@pytest.mark.fault("D9")
@pytest.mark.parametrize("body", [float("nan"), 2**53 + 1, {"when": b"x"}, ["\ud800"]])
async def test_what_would_not_arrive_as_it_is_raises_where_it_is_said(body):
    async with running() as (url, _), join(url) as client:
        with pytest.raises(BadMessage, match="say cannot be sent"):
            await client.say(body)
        with pytest.raises(BadMessage, match="confirm cannot be sent"):
            await client.confirm(1, verdict=body)
        await client.say("one")
        await until_completed(client)


@pytest.mark.fault("D8")
async def test_the_id_of_another_message_is_refused_with_words():
    async with running() as (url, _), join(url) as client:
        await client.say("one", id="say-1")
        with pytest.raises(RequestFailed, match="a different message") as refused:
            await client.say("two", id="say-1")
        assert (refused.value.code, refused.value.temporary) == (4502, False)
        await until_completed(client)


async def test_a_cut_path_loses_and_doubles_nothing():
    ready = []
    async with (
        running() as (url, runtime),
        shaky_path(url) as (shaky, cut),
        join(shaky, on_ready=ready.append) as client,
    ):
        async with runtime.run(user="alice") as run:
            for number in range(40):
                await run.agent_thinking(text=str(number))
                if number % 10 == 5:
                    cut()
        got = await until_completed(client)
    texts = [event.data["text"] for event in got if event.kind is Kind.AGENT_THINKING]
    assert texts == [str(number) for number in range(40)]
    assert len(ready) > 1
    assert all(each.recovered for each in ready[1:])


@pytest.mark.requirement("R12")
async def test_an_application_that_lags_hears_folded_progress_and_all_of_the_text(mock_clock):
    """The clock stands still: nothing is due, so it lags and does nothing else."""
    said, ready = [], []
    async with running() as (url, runtime), join(url, on_ready=ready.append) as client:
        async with runtime.run(user="alice") as run:
            while run.pressure is not Pressure.SOME:
                said.append(f"{len(said)} ".ljust(10_000))
                await run.partial_result(text=said[-1])
            for number in range(300):
                said.append(f"{number} ")
                await run.partial_result(text=said[-1])
        got = await until_completed(client)
    assert len(ready) == 1, "on one and the same connection"
    answer = "".join(e.data["text"] for e in got if e.kind is Kind.PARTIAL_RESULT)
    assert answer == "".join(said)
    assert Kind.SUPERSEDED in {event.kind for event in got}
    assert len(got) < len(said) - 200


async def test_users_see_their_own_events_only():
    async with running() as (url, _), join(url, "alice") as alice, join(url, "bob") as bob:
        await alice.say("from-alice")
        await bob.say("from-bob")
        for client, word in ((alice, "from-alice"), (bob, "from-bob")):
            taken = await until_completed(client)
            assert [e.data["text"] for e in taken if e.kind is Kind.AGENT_THINKING] == [word]


async def test_a_run_can_be_cancelled():
    async def sleeper(run, said):
        await run.agent_thinking(text="…")
        await trio.sleep_forever()

    async with running(sleeper) as (url, _), join(url) as client:
        started = await client.say("wait")
        await client.cancel(started.run)
        last = (await until_completed(client))[-1]
        assert last.data["outcome"] == "cancelled"


async def test_a_session_is_resumed_by_a_later_process():
    ready = []
    async with running() as (url, runtime):
        async with join(url) as client:
            await client.say("one")
            await until_completed(client)
        async with runtime.run(user="alice") as run:
            await run.agent_thinking(text="meanwhile")
        async with join(url, position=client.position, on_ready=ready.append) as later:
            texts = [event.data.get("text") for event in await until_completed(later)]
    assert texts == [None, "meanwhile", None]
    assert ready[0].recovered
    assert ready[0].session == client.position.session


async def test_a_token_is_refreshed_on_the_open_socket():
    async with running() as (url, _), join(url) as client:
        expires = await client.refresh(sign_token(SECRET, "alice", 3600))
        assert expires is not None
        assert expires > 0


async def test_a_client_that_can_get_tokens_refreshes_them_before_they_expire():
    tokens, readies = [], []

    async def token():
        tokens.append(sign_token(SECRET, "alice", 0.6))
        return tokens[-1]

    async with (
        running() as (url, _),
        connect(url, token=token, on_ready=readies.append) as client,
    ):
        with trio.fail_after(30):
            while len(tokens) < 4:  # noqa: ASYNC110  # as time passes
                await trio.sleep(0.05)
        await client.history()
        assert len(readies) == 1, "on one and the same connection"


async def test_a_client_whose_clock_is_wrong_does_not_refresh_without_end():
    tokens = []

    async def token():
        tokens.append(sign_token(SECRET, "alice", 60))
        return tokens[-1]

    async with (
        running() as (url, _),
        connect(url, token=token, wall_clock=lambda: time.time() + 86_400) as client,
    ):
        await trio.sleep(0.2)
        await client.history()
        assert len(tokens) == 1


@pytest.mark.fault("C1")
async def test_after_a_token_that_is_refused_on_refresh_another_one_is_asked_for():
    count = 0

    async def token():
        nonlocal count
        count += 1
        secret = SECRET if count != 2 else "another secret, of 32 bytes or more"
        return sign_token(secret, "alice", 2 if count <= 2 else 3600)

    async with (
        running() as (url, _),
        connect(url, token=token, uniform=lambda low, high: 0.0) as client,
    ):
        with trio.fail_after(30):
            while count < 3:  # noqa: ASYNC110  # as time passes
                await trio.sleep(0.05)
        assert (await client.history()).events == ()


@pytest.mark.fault("C7")
async def test_a_program_that_crashed_gets_again_what_it_had_not_taken():
    taken, position = [], None

    async def crash_at_the_third(url):
        nonlocal position
        async with join(url) as client:
            await client.say(" ".join("abcdefghij"))
            with trio.fail_after(30):
                await client._watch.until(lambda: client._session.position.offset >= 14)
            async for event in client.events():
                if len(taken) == 2:
                    raise ZeroDivisionError
                taken.append(event.offset)
                position = client.position

    async with running() as (url, _):
        with pytest.raises(ZeroDivisionError):
            await crash_at_the_third(url)
        async with join(url, position=position) as client:
            taken += [event.offset for event in await until_completed(client)]
            assert client.position.offset == 14
    assert taken == list(range(1, 15))


@pytest.mark.fault("C2", "D6")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("x" * 70_000, "70,0.. bytes, and the server takes 65,536"),
        ("half \ud83d", "cannot be sent"),
    ],
    ids=["too big", "half a surrogate pair"],
)
async def test_what_the_server_would_not_take_fails_at_the_call_and_the_session_goes_on(
    body, words
):
    readies = []
    async with running() as (url, _), join(url, on_ready=readies.append) as client:
        with trio.fail_after(30), pytest.raises(BadMessage, match=words):
            await client.say(body)
        await client.say("and now?")
        await until_completed(client)
    assert len(readies) == 1


@pytest.mark.fault("C3")
async def test_many_requests_made_offline_are_all_answered_on_one_connection():
    readies = []

    async with (
        running() as (url, _),
        open_slow_link(int(url.rpartition(":")[2])) as link,
        join(f"ws://127.0.0.1:{link.port}", on_ready=readies.append) as client,
        trio.open_nursery() as nursery,
    ):
        link.stall()
        for _ in range(150):
            nursery.start_soon(partial(client.history, limit=1))
        await trio.testing.wait_all_tasks_blocked()
        link.cut()
        link.flow()
    assert len(readies) == 2
