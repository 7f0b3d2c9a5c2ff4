"""`greenroom.remote`: a run of another process has the methods of a run of the server's, on trio
and on asyncio."""

import functools
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.lowlevel
import attrs
import httpx
import pytest

from greenroom import (
    AskExpired,
    AskWithdrawn,
    BadEvent,
    EventClass,
    NotReceived,
    OutOfOrder,
    Policy,
    Run,
    RunStopped,
    RunTimedOut,
    StreamFull,
    TextStream,
    UserAsk,
)
from greenroom.delivery.run.receipt import Receipt
from greenroom.remote import NotAnswered, RemoteReceipt, RemoteRun, RemoteText, connect
from greenroom.remote.ask import RemoteAsk
from greenroom.remote.errors import RemoteError
from greenroom.services.problems import OutOfScope, RunOver
from tests.protocol.client import Client
from tests.protocol.server import token_for
from tests.services.program import kept, kinds, program, service_token
from tests.system.processes import free_port

pytestmark = pytest.mark.requirement("R46")
BACKENDS = ("asyncio", "trio")


def on_both(test):
    """Run the test's coroutine function in a loop of its own, once on each library."""

    @pytest.mark.parametrize("backend", BACKENDS)
    @functools.wraps(test)
    def run(backend, **fixtures):
        options = {"debug": True} if backend == "asyncio" else {}
        anyio.run(functools.partial(test, **fixtures), backend=backend, backend_options=options)

    own = inspect.signature(test)
    backend = inspect.Parameter("backend", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    run.__signature__ = own.replace(parameters=[backend, *own.parameters.values()])
    del run.__wrapped__
    return run


def url(server):
    return f"http://127.0.0.1:{server.port}"


async def in_thread(function, *args):
    return await anyio.to_thread.run_sync(function, *args)


async def read(server, name):
    return await in_thread(kept, server, name)


def user(name):
    """Another user for each test and library."""
    import sniffio

    return f"{name}-{sniffio.current_async_library()}"


FILES = ("files", "read_file", "read_file_part", "file_parts", "save_file")


@pytest.mark.parametrize(
    ("remote", "own", "but"),
    [
        (RemoteRun, Run, {"live", "stop", "interrupt", *FILES}),
        (RemoteText, TextStream, {"receipt"}),
        (RemoteReceipt, Receipt, set()),
        (RemoteAsk, UserAsk, set()),
    ],
)
def test_the_public_names_and_signatures_are_those_of_the_servers_own(remote, own, but):
    """`live`, `stop` and `interrupt` are the runtime's own business; a run of another process takes
    no files."""

    def names(kind):
        return {name for name in dir(kind) if not name.startswith("_")} - but

    assert names(remote) == names(own)
    for name in names(own) - {"of", "receipt", "id"}:
        ours, theirs = getattr(own, name), getattr(remote, name)
        if callable(ours):
            given, known = inspect.signature(theirs), inspect.signature(ours)
            assert [(p.name, p.kind, p.default) for p in given.parameters.values()] == [
                (p.name, p.kind, p.default) for p in known.parameters.values()
            ], name


@on_both
async def test_what_a_remote_run_used_is_in_its_end(server):
    name = user("abacus")
    async with (
        connect(url(server), service_token()) as there,
        there.run(user=name, agent="analyst") as run,
    ):
        run.add_usage({"input_tokens": 100})
        run.add_usage({"input_tokens": 20, "requests": 1})
        with pytest.raises(BadEvent):
            run.add_usage({"requests": -1})
        await run.partial_result(text="so")
    with pytest.raises(OutOfOrder):
        run.add_usage({"requests": 1})
    (*_, end) = await read(server, name)
    assert end["data"] == {"outcome": "ok", "usage": {"input_tokens": 120, "requests": 1}}


@on_both
async def test_a_remote_run_says_everything_a_run_says(server):
    async with (
        connect(url(server), service_token()) as there,
        there.run(user=user("abe"), agent="analyst", input="q") as run,
    ):
        assert (await run.agent_started()).offset == 1
        await run.agent_thinking(text="hm")
        async with run.tool("add", {"a": 1}) as tool:
            tool.result(3)
        async with run.thoughts() as thought:
            thought.write("so")
        await run.set_title("Sums")
        run.typing()
        async with run.sub_run(agent="helper") as part:
            await part.partial_result(text="part")
            assert part.parent == run.context.run
        async with run.text() as text:
            for number in range(1_000):
                text.write(f"{number} ")
        assert text.receipt is not None
        receipt = await run.final_report(report={"sum": 3})
        history = await run.history()
        assert history[-1].id == receipt.event
        assert (await receipt.stage()).name == "ACCEPTED"
        with pytest.raises(NotReceived):
            await receipt.wait_received(0)
    assert run.ended
    assert not run.cancelled
    events = await read(server, run.context.user)
    texts = [e["data"]["text"] for e in events if e["kind"] == "partial_result"]
    assert texts[0] == "part"
    assert "".join(texts[1:]) == "".join(f"{number} " for number in range(1_000))
    assert len(texts) < 60
    but_text = [kind for kind in kinds(events) if kind != "partial_result"]
    assert but_text == [
        *("agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_thinking"),
        *("agent_started", "agent_completed", "final_report", "agent_completed"),
    ]


@on_both
async def test_text_stays_in_its_place_among_events(server):
    async with (
        connect(url(server), service_token()) as there,
        there.run(user=user("bob")) as run,
        run.text() as text,
    ):
        for number in range(5):
            text.write(str(number))
            await run.agent_thinking(text=str(number))
    said = [(e["kind"], e["data"]["text"]) for e in (await read(server, run.context.user))[1:-1]]
    assert said == [
        (kind, str(number)) for number in range(5) for kind in ("partial_result", "agent_thinking")
    ]


@on_both
async def test_many_tasks_may_speak_in_one_run(server):
    async with (
        connect(url(server), service_token()) as there,
        there.run(user=user("cyd")) as run,
        anyio.create_task_group() as tasks,
    ):
        for number in range(200):
            tasks.start_soon(functools.partial(run.agent_thinking, text=str(number)))
    texts = [e["data"]["text"] for e in (await read(server, run.context.user))[1:-1]]
    assert sorted(texts, key=int) == [str(number) for number in range(200)]


@on_both
async def test_an_error_of_the_block_is_raised_as_it_is_and_fails_the_run(server):
    async with connect(url(server), service_token()) as there:
        with pytest.raises(ZeroDivisionError):
            async with there.run(user=user("dee")) as run, run.tool("divide"):
                raise ZeroDivisionError
    events = await read(server, run.context.user)
    assert kinds(events)[-2:] == ["tool_completed", "agent_failed"]
    assert events[-1]["data"]["reason"] == "crash"


@on_both
async def test_what_is_refused_raises_as_in_the_server_and_the_run_goes_on(server):
    async with connect(url(server), service_token()) as there:  # noqa: SIM117  # read below
        async with there.run(user=user("eli")) as run:
            with pytest.raises(OutOfOrder):
                await run.tool_completed(tool_name="none")
            with pytest.raises(BadEvent):
                await run.final_report(report=object())
            with pytest.raises(BadEvent):
                await run.agent_thinking(text="x" * 1_100_000)
            with pytest.raises(ValueError, match="200"):
                await run.set_title("x" * 300)
            async with run.text() as text:
                with pytest.raises(BadEvent):
                    text.write(7)
                with pytest.raises(StreamFull):
                    fill(text)
                await text.drain()
                text.write("more")
            with pytest.raises(OutOfOrder):
                text.write("late")
            await run.final_report(report="fine")
            completed = await run.agent_completed()
            assert completed.kind == "agent_completed"
            with pytest.raises(RunOver):
                await run.agent_thinking(text="late")
    assert kinds(await read(server, run.context.user))[-2:] == ["final_report", "agent_completed"]


@on_both
async def test_a_run_that_is_over_takes_nothing_more_and_keeps_nobody_waiting(server):
    async with connect(url(server), service_token()) as there, anyio.create_task_group() as tasks:
        async with there.run(user=user("lia")) as run:
            ask = await run.ask("Is anybody there?").__aenter__()
            tasks.start_soon(raises, AskWithdrawn, ask)
            await anyio.lowlevel.checkpoint()
        for late in (run.agent_thinking(text="late"), run.set_title("late"), run.ask("Late?")):
            await raises(RunOver, late)
        with pytest.raises(RunOver):
            async with run.tool("late"):
                raise AssertionError("not reached")
        with pytest.raises(OutOfOrder):
            await run.agent_completed()


async def raises(error, awaited):
    with pytest.raises(error):
        await awaited


def fill(text):
    for _ in range(10_000):
        text.write("x" * 100)


@on_both
async def test_a_stop_of_the_user_cancels_the_block(server):
    name = user("fin")
    async with connect(url(server), service_token()) as there:
        async with there.run(user=name) as run:
            await anyio.to_thread.run_sync(_stop, server, name, run.context.run)
            await anyio.sleep(60)
            raise AssertionError("not reached")
        assert run.cancelled
    assert (await read(server, name))[-1]["data"] == {"outcome": "cancelled"}


def _stop(server, name, run):
    with Client(server.port, token_for(name)) as client:
        client.hello()
        client.ask("cancel", id="c", run=run)


@on_both
async def test_a_question_gets_its_answer(server):
    name = user("gil")

    is_there = threading.Event()

    def answer():
        with Client(server.port, token_for(name)) as client:
            client.hello()
            is_there.set()
            asked = client.events(until="input_requested")[-1]["data"]
            client.ask("answer", id="a", ask=asked["ask"], value={"yes": True})

    async with (
        connect(url(server), service_token()) as there,
        there.run(user=name) as run,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(anyio.to_thread.run_sync, answer)
        await in_thread(is_there.wait)
        assert await run.ask("Sure?", answer_type=Sure) == Sure(True)
        assert await run.ask("Still?", expires=0.01, default="no") == "no"
        with pytest.raises(AskExpired):
            await run.ask("Still?", expires=0.01)
        async with run.ask("Held?") as held:
            assert held.is_open
        assert "input_closed" in [event.kind for event in await run.history()]


@attrs.frozen
class Sure:
    yes: bool


@on_both
async def test_cancel_and_a_cancelled_task_end_the_run(server):
    name = user("hob")
    async with connect(url(server), service_token()) as there:
        async with there.run(user=name) as run:
            run.cancel()
            await anyio.sleep(60)
        assert (await read(server, name))[-1]["data"] == {"outcome": "cancelled"}
        with anyio.move_on_after(0.2):
            async with there.run(user=name) as run:
                await anyio.sleep(60)
        assert (await read(server, name))[-1]["data"]["reason"] == "lost"


@on_both
async def test_options_of_a_run_are_the_servers(server):
    policy = {EventClass.CRITICAL: Policy(expires_after=60.0)}
    async with connect(url(server), service_token(users=("ivy-*",))) as there:
        async with there.run(user=user("ivy"), seconds=60, policy=policy) as run:
            assert await run.step("one", _seven) == await run.step("one", _seven)
            run.set_limit(50)
        with pytest.raises(OutOfScope):
            async with there.run(user="somebody"):
                pass
        with pytest.raises(ValueError, match="must be from"):
            async with there.run(user=user("ivy"), seconds=1):
                pass


async def _seven():
    return 7


@on_both
async def test_a_run_that_takes_too_long_is_cut_here_as_well(server):
    with pytest.raises(RunTimedOut):
        await cut(server, lambda held: held._life.set_limit(0.05))


@on_both
async def test_a_lost_run_is_an_error_of_its_block(server):
    with pytest.raises(RunStopped):
        await cut(server, lambda held: held.stop())


async def cut(server, how):
    """Begin a run, and cut it in the server."""
    name = user("jo")
    async with connect(url(server), service_token()) as there, there.run(user=name) as run:
        handle = server.runtime.users.find(run.context.user)
        await in_thread(server.run_sync, how, handle.live_runs[run.context.run])
        await anyio.sleep(60)


@on_both
async def test_a_server_that_is_not_there_is_an_error_in_time():
    here = f"http://127.0.0.1:{free_port()}"
    async with connect(here, service_token(), patience=0.3) as there:
        with pytest.raises(NotAnswered):
            async with there.run(user="kit"):
                pass


@on_both
async def test_a_url_without_the_prefix_of_a_mounted_app_is_refused_with_advice(server):
    async with connect(f"{url(server)}/elsewhere", service_token()) as there:
        with pytest.raises(RemoteError, match="ends with its prefix"):
            async with there.run(user="kit"):
                pass


class Flaky(httpx.AsyncBaseTransport):
    """Loses every second answer after the server has carried out the request."""

    def __init__(self):
        self.inner = httpx.AsyncHTTPTransport()
        self.count = 0

    async def handle_async_request(self, request):
        answer = await self.inner.handle_async_request(request)
        self.count += 1
        if self.count % 2:
            await answer.aclose()
            raise httpx.ReadError("lost", request=request)
        return answer

    async def aclose(self):
        await self.inner.aclose()


@on_both
async def test_answers_that_are_lost_are_asked_for_again_and_nothing_is_said_twice(server):
    async with connect(url(server), service_token()) as there:
        there._requests.http._transport = Flaky()
        async with there.run(user=user("meg")) as run:
            for number in range(20):
                await run.agent_thinking(text=str(number))
            async with run.text() as text:
                for number in range(100):
                    text.write(f"{number} ")
    events = await read(server, run.context.user)
    assert [e["data"]["text"] for e in events[1:21]] == [str(number) for number in range(20)]
    assert "".join(e["data"]["text"] for e in events[21:-1]) == "".join(
        f"{number} " for number in range(100)
    )
    assert kinds(events)[-1] == "agent_completed"


def test_many_programs_speak_at_once(server):
    def speak(number):
        with program(server, service=f"s{number}") as one:
            run = one.begin(f"many-{number}")["run"]
            for _ in range(20):
                one.say(run, "agent_thinking", text="x")
            one.post(f"/api/runs/{run}/end")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(speak, range(16)))
    assert all(len(kept(server, f"many-{number}")) == 22 for number in range(16))
