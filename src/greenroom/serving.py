"""A server process: a runtime that listens until a signal stops it."""

from __future__ import annotations

import gc
import json
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TypeAlias

import attrs
import trio

from greenroom.actors.forks.children import in_child, keep_from_children
from greenroom.delivery.run.run import Agent, DescribeError
from greenroom.logs import configure_logs
from greenroom.runtime import Runtime, open_runtime
from greenroom.settings import Settings
from greenroom.transport.auth.keys import BadToken
from greenroom.transport.auth.tokens import JwtAuthenticator, extract_token, sign_token
from greenroom.transport.door.handed_over import take_handed_over
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response
from greenroom.visitors import is_of_this_machine

logger = logging.getLogger("greenroom")

_Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | None

LAST_RESORT_SECONDS = 30.0
"""From the end of the drain to the end by force; supervised runs have 16 s of it to unwind."""

COLLECT_AFTER = 1_000
"""Objects made and not yet freed (CPython 3.11: 700, 3.13: 2,000) at which the collector looks at
the young ones, some three times as many: a new object often takes the place of an old one, which
counts as freed. Everyone waits meanwhile: 1.5 ms with a thousand users, whose objects have left the
processor's cache by then, 10 ms at 5,000, 50 ms at 20,000."""

OLDER_AFTER = (-1, 1_150)
"""What was looked at once is old: at 1, objects in flight were looked at twice. A full look may
follow after 1,150 looks, if what became old since is a quarter of all."""

DEMO_TOKEN_SECONDS = 30 * 24 * 3600.0


async def run_server(
    settings: Settings,
    agent: Agent,
    *,
    demo: bool = False,
    killable: bool = False,
    describe_error: DescribeError | None = None,
    announce: Callable[[str], None],
    last_resort: float = LAST_RESORT_SECONDS,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `agent` until SIGTERM or SIGINT, then drain; a second signal stops at once.

    `describe_error` as for `open_runtime`. `announce(url)` is called once it listens. `demo` gives
    each browser a user of its own at `/demo/token`, to pages of this very server only; `killable`
    lets them kill the process, which something else must start again. A process
    that an agent does not let end is ended by force, `last_resort` seconds after its drain, with
    exit code 70 (sysexits.h). It listens on the sockets that systemd hands over, if it does. Raises
    `BadSettings`, `PortBusy`, `CannotListen` and the errors of opening a journal.
    """
    with _rare_collections(), _force(last_resort) as end_soon, _handed_over() as sockets:
        runtime_opens = open_runtime(settings, agent, describe_error=describe_error)
        async with runtime_opens as runtime, _signals() as arrived:
            port = await _listen(runtime, settings, sockets, demo=demo, killable=killable)
            host = sockets[0].getsockname()[0] if sockets else settings.host
            url = f"http://{_shown_host(host)}:{port}/"
            announce(url)
            task_status.started(url)
            await _until_stopped(runtime, arrived)
            end_soon()


async def run_worker(
    settings: Settings,
    agent: Agent,
    *,
    announce: Callable[[str | None], None],
    last_resort: float = LAST_RESORT_SECONDS,
) -> None:
    """Run `agent` for what users say on other servers until SIGTERM or SIGINT, then drain as
    `run_server` does. `announce` is called once it takes runs, with the URL of its probes if
    `settings.worker_port` is set. Raises `PortBusy`, `CannotListen` and the errors of opening a
    journal."""
    with _rare_collections(), _force(last_resort) as end_soon:
        async with open_runtime(settings, agent) as runtime, _signals() as arrived:
            announce(await _listen_for_probes(runtime, settings))
            await _until_stopped(runtime, arrived)
            end_soon()


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the garbage collector look less often at long-lived objects, and never at the program.

    A connected user is some 500 objects that stay. With CPython's thresholds, passes over all of
    them took a third of the time of a storm of connects, and 0.3 s each with 1,000 users.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(max(COLLECT_AFTER, before[0]), *OLDER_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def _force(seconds: float) -> Iterator[Callable[[], None]]:
    """Call what this gives when the block is to end soon; if it does not, the process does.

    A task that shields itself from cancellation keeps `trio.run` from returning. What the journal
    accepted is on the disk by then, and the kernel frees its lock.
    """
    timer = threading.Timer(seconds, _end_process)
    timer.daemon = True
    try:
        yield timer.start
    finally:
        timer.cancel()


def _end_process() -> None:
    logger.critical("ending the process by force: something in it does not stop")
    os._exit(os.EX_SOFTWARE)


async def _until_stopped(runtime: Runtime, arrived: AsyncIterator[int]) -> None:
    logger.info("stopping: %s", signal.Signals(await anext(arrived)).name)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_at_next, arrived, nursery.cancel_scope)
        await runtime.drain()
        nursery.cancel_scope.cancel()


async def _cancel_at_next(arrived: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(arrived)
    logger.warning("stopping at once")
    scope.cancel()


@asynccontextmanager
async def _signals() -> AsyncIterator[AsyncIterator[int]]:
    before = _Handlers.of(signal.SIGTERM, signal.SIGINT)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as arrived:
        in_child(before, _Handlers.restore)
        yield arrived


@attrs.frozen(eq=False)
class _Handlers:
    """The handlers of signals at one moment.

    A forked child that has ours would not end when it is sent SIGTERM, as by
    `multiprocessing.Process.terminate()`: it would note that its trio run is to stop.
    """

    by_signal: Mapping[signal.Signals, _Handler]

    @classmethod
    def of(cls, *signals: signal.Signals) -> _Handlers:
        return cls({each: signal.getsignal(each) for each in signals})

    def restore(self) -> None:
        for each, handler in self.by_signal.items():
            if handler is not None:  # one that C code has set
                signal.signal(each, handler)


@contextmanager
def _handed_over() -> Iterator[Sequence[socket.socket]]:
    """The sockets that a service manager handed over. They are closed with the block, and its own
    stay open."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in take_handed_over(os.environ)]
        for each in sockets:
            keep_from_children(each)
        yield sockets


async def _listen(
    runtime: Runtime,
    settings: Settings,
    sockets: Sequence[socket.socket],
    *,
    demo: bool,
    killable: bool,
) -> int:
    if not demo:
        return await runtime.listen(sockets=sockets)
    assert settings.secret is not None, "the demo brings its secret"
    authenticator = JwtAuthenticator.from_secret(settings.secret)
    door = DemoDoor(settings.secret, authenticator, killable)
    return await runtime.listen(authenticator, routes=door.routes(), sockets=sockets)


async def _listen_for_probes(runtime: Runtime, settings: Settings) -> str | None:
    if settings.worker_port is None:
        return None
    port = await runtime.listen()
    return f"http://{_shown_host(settings.host)}:{port}/"


@attrs.frozen
class DemoDoor:
    """Gives every browser a user of its own, and the same one again while its token is good."""

    secret: str = attrs.field(repr=False)
    authenticator: JwtAuthenticator
    killable: bool = False

    def routes(self) -> Mapping[str, Handler]:
        kill: Mapping[str, Handler] = {"POST /demo/kill": self.kill} if self.killable else {}
        return {"/demo/token": self.token, **kill}

    async def token(self, head: RequestHead) -> Response:
        """Answers `{"token", "user", "can_kill"}` to pages of this machine."""
        _check_of_this_machine(head)
        user = await self._known_user(head) or f"guest-{secrets.token_hex(4)}"
        token = sign_token(self.secret, user, DEMO_TOKEN_SECONDS)
        answer = {"token": token, "user": user, "can_kill": self.killable}
        return Response(200, json.dumps(answer).encode(), "application/json")

    async def kill(self, head: RequestHead) -> Response:
        """End this process by SIGKILL, for users of the demo; there is no answer."""
        _check_of_this_machine(head)
        if await self._known_user(head) is None:
            raise BadRequest("A token of the demo is needed.", status=401)
        os.kill(os.getpid(), signal.SIGKILL)
        return Response(200)  # it does not come to this

    async def _known_user(self, head: RequestHead) -> str | None:
        try:
            token = extract_token(head)
            return (await self.authenticator.authenticate(token)).user if token else None
        except BadToken:
            return None


def _check_of_this_machine(head: RequestHead) -> None:
    if not is_of_this_machine(head):
        raise BadRequest("The demo is for this machine only.", status=403)


def _shown_host(host: str) -> str:
    if host in ("0.0.0.0", "::", ""):
        return "localhost"
    return f"[{host}]" if ":" in host else host


def serve(
    agent: Agent,
    *,
    settings: Settings | None = None,
    describe_error: DescribeError | None = None,
    announce: Callable[[str], None] = print,
    host: str | None = None,
    port: int | None = None,
    journal: str | Path | None = None,
    secret: str | None = None,
) -> None:
    """Serve an agent until SIGTERM or Ctrl-C: `greenroom.serve(analyst, port=8700)`.

    Settings come from `settings`, or else from `greenroom.toml`, `GREENROOM_*` and the keywords.
    Raises `BadSettings`, `PortBusy` and the errors of opening a journal.
    """
    chosen = settings or Settings.load(host=host, port=port, journal=journal, secret=secret)
    configure_logs(chosen)
    trio.run(partial(run_server, chosen, agent, describe_error=describe_error, announce=announce))
