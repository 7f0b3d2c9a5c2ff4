"""A service throws a user out: at once, everywhere, and for as long as it says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path

import attrs
import orjson
import pytest
import trio

import greenroom
from greenroom import JSON
from greenroom.admin.disconnecting import Disconnects
from greenroom.delivery.errors import JournalFull
from greenroom.delivery.events.going_on import NotAgain
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.user.bans import Bans
from greenroom.transport.auth.keys import BadToken
from greenroom.transport.auth.tokens import Identity, sign_token
from greenroom.transport.client import SessionClosed
from tests.delivery.backstage import ALICE, Disk, open_backstage
from tests.delivery.user.runs.broken import AGAIN, Analyst, Broken
from tests.face.http_get import get
from tests.protocol.client import Client, refusal
from tests.protocol.hours import Hours, hours
from tests.protocol.server import ADMIN, Server, token_for
from tests.scenarios.stage import JUMPS, Serving

pytestmark = pytest.mark.requirement("R47")

REFUSED = (403, "The service has disconnected this user.\n")


def disconnect(server: Server, user: str, **how: object) -> int:
    async def work() -> int:
        return await server.runtime.disconnect(user, **how)  # type: ignore[arg-type]  # as asked

    return server.run(work)


@pytest.mark.every_server
def test_every_connection_of_the_user_ends_at_once_and_nobody_elses(
    server: Server, connect: Callable[..., Client], user: str
) -> None:
    tabs = [connect(), connect()]
    for tab in tabs:
        tab.hello()
    before_hello = connect()
    other = connect(bearing=token_for("somebody"))
    other.hello()
    assert disconnect(server, user, reason="Your account was closed.") == 3
    for tab in [*tabs, before_hello]:
        assert tab.closed_with() == 4509
        closing = tab.take("closing")
        assert (closing["code"], closing["reason"]) == (4509, "Your account was closed.")
        assert closing["reconnect"] is None
    assert other.story()[-1]["kind"] == "agent_completed"
    again = connect()
    assert again.hello()["user"] == user, "nothing was said of a time"


@pytest.mark.every_server
def test_until_that_time_the_user_is_refused_at_the_door_and_can_ask_why(
    server: Server, client: Client, connect: Callable[..., Client], user: str
) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    assert disconnect(server, user, until=until) == 1
    assert client.closed_with() == 4509
    assert refusal(server.port, token_for(user)) == REFUSED
    status, body, _ = get(server, "/whoami", token_for(user))
    assert (status, body.decode()) == REFUSED
    assert server.run(server.runtime.readmit, user)
    assert connect().hello()["user"] == user
    assert not server.run(server.runtime.readmit, user)


def test_once_the_time_has_come_the_user_is_admitted(user: str, serving: Serving) -> None:
    now = time.time()
    with serving() as of_its_own:
        bans = of_its_own.runtime._bans
        disconnect(of_its_own, user, until=now + 3_600)
        assert refusal(of_its_own.port, token_for(user)) == REFUSED
        bans._now = lambda: now + 3_600
        with Client(of_its_own.port, token_for(user)) as client:
            assert client.hello()["user"] == user
            bans._now = lambda: now  # it was an hour ahead
            assert refusal(of_its_own.port, token_for(user)) == REFUSED
        bans._now = lambda: now - 3_600
        assert refusal(of_its_own.port, token_for(user)) == REFUSED


@pytest.mark.every_server
def test_a_restart_forgets_no_refusal(tmp_path: Path, serving: Serving) -> None:
    until, journal = time.time() + 3_600, tmp_path / "journal.db"
    with serving(journal=journal) as before:
        for name in ("mallory", "oscar", "trudy"):
            disconnect(before, name, until=until)
        assert before.run(before.runtime.readmit, "oscar")
        disconnect(before, "trudy", until=time.time() + 0.01)
    with serving(journal=journal) as after:
        assert refusal(after.port, token_for("mallory")) == REFUSED
        for name in ("oscar", "trudy"):
            with Client(after.port, token_for(name)) as client:
                assert client.hello()["user"] == name


@pytest.mark.own_server("its journal is the test's; an ASGI app opens its own")
def test_a_refusal_that_a_full_disk_does_not_keep_holds_for_now_and_says_so(
    disk: Disk, serving: Serving
) -> None:
    with serving(disk) as full:
        disk.errors.append(JournalFull("no room"))
        with pytest.raises(JournalFull):
            disconnect(full, "mallory", until=time.time() + 3_600)
        assert refusal(full.port, token_for("mallory")) == REFUSED


@pytest.mark.every_server
def test_a_handshake_that_the_door_let_in_before_is_not_forgotten(
    server: Server, connect: Callable[..., Client], user: str
) -> None:
    """The ban comes between the upgrade and `hello`, as for a socket that is just being opened."""
    late = connect()
    server.run_sync(server.runtime._bans.ban, UserId(user), time.time() + 3_600)
    late.send("hello")
    assert late.closed_with() == 4509
    assert late.take("closing")["reconnect"] is None


@pytest.mark.every_server
def test_runs_go_on_unless_they_are_to_be_cancelled(
    server: Server, client: Client, connect: Callable[..., Client], user: str
) -> None:
    run = client.ask("say", id="1", body="wait")["run"]
    client.events(until="agent_thinking")
    disconnect(server, user)
    assert client.closed_with() == 4509
    back = connect()
    back.hello(session=client.ready["session"], epoch=client.ready["epoch"], offset=0)
    assert [event["run"] for event in back.events(until="agent_thinking")] == [run] * 3
    disconnect(server, user, cancel_runs=True)
    again = connect()
    again.hello(session=client.ready["session"], epoch=client.ready["epoch"], offset=3)
    assert again.events()[-1]["data"] == {"outcome": "cancelled"}


@pytest.mark.requirement("R56")
async def test_a_run_that_is_cancelled_with_its_users_connections_never_goes_on() -> None:
    broken = Broken()
    run = broken.say()
    disk = await broken.keep(Disk())
    async with (
        open_backstage(disk, converse=Analyst(never=True), when_lost=AGAIN) as stage,
        stage.users.lease(ALICE),
    ):
        disconnects = Disconnects(stage.users, Bans(now=time.time), disk)
        await disconnects.disconnect(ALICE, cancel_runs=True)
        assert NotAgain(ALICE, run) in [entry for batch in disk.appended for entry in batch]


@pytest.mark.every_server
def test_with_reconnect_a_client_comes_back_by_itself(
    server: Server, connect: Callable[..., Client], user: str
) -> None:
    client = connect()
    client.hello()
    disconnect(server, user, reconnect=True)
    assert client.closed_with() == 4509
    assert client.take("closing")["reconnect"] == {"after_ms": 500, "jitter_ms": 2_000}


async def test_the_python_client_takes_4509_as_final_unless_it_is_asked_back() -> None:
    settings = greenroom.Settings(port=0, journal=":memory:", secret="s" * 32)
    readies: list[object] = []
    async with greenroom.open_runtime(settings) as runtime:
        url = f"ws://127.0.0.1:{await runtime.listen()}"
        token = sign_token("s" * 32, "alice", 600)
        connecting = greenroom.connect(
            url, token=token, on_ready=readies.append, uniform=lambda low, _: low
        )
        async with connecting as client:
            await runtime.disconnect("alice", reconnect=True)
            await client.history()
            assert len(readies) == 2
            await runtime.disconnect("alice", reason="Bye.")
            with pytest.raises(SessionClosed, match=r"4509: Bye\.") as closed:
                await anext(client.events())
            assert closed.value.code == 4509


HEARTBEAT = 8.0
"""Seconds. An answer about a token is good for less."""


@attrs.define
class Directory:
    """An authenticator that knows users by their names, and can take one back; or it is down."""

    revoked: set[str] = attrs.field(factory=set)
    is_down: bool = False

    async def authenticate(self, token: str) -> Identity:
        if token in self.revoked:
            raise BadToken("the token was revoked")
        return Identity(UserId(token.partition(" ")[0]), proof=token)

    async def still_valid(self, identity: Identity) -> bool:
        if self.is_down:
            raise OSError("the directory is down")
        return identity.proof not in self.revoked


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
def with_directory(directory: Directory) -> Iterator[Hours]:
    with hours(authenticator=directory, heartbeat=HEARTBEAT) as later:
        yield later


def outlives(client: Client, seconds: float, later: Hours, *others: Client) -> bool:
    """Whether a client is there after so long, second by second; the others must be. A heartbeat
    that is due within the last second may be seen a second later, and its answer one more."""
    for _ in range(round(seconds)):
        is_there = later.tick(1.0, client)
        assert all(later.tick(0.0, other) for other in others)
        if not is_there:
            return False
    return True


@JUMPS
def test_a_token_that_is_revoked_ends_its_socket_at_the_next_heartbeat_and_opens_no_other(
    with_directory: Hours, directory: Directory
) -> None:
    port = with_directory.server.port
    with Client(port, "alice") as alice, Client(port, "bob") as bob:
        alice.hello()
        bob.hello()
        assert outlives(alice, 2 * HEARTBEAT, with_directory, bob)
        directory.revoked.add("alice")
        assert not outlives(alice, HEARTBEAT + 2, with_directory, bob)
        assert alice.closed_with() == 4509
        closing = alice.take("closing")
        assert closing["reason"] == "the token is no longer valid"
        assert closing["reconnect"] is None
        assert refusal(port, "alice")[0] == 401
        assert bob.story()[-1]["kind"] == "agent_completed"


@JUMPS
def test_a_new_token_takes_the_place_of_one_that_is_revoked(
    with_directory: Hours, directory: Directory
) -> None:
    with Client(with_directory.server.port, "alice") as alice:
        alice.hello()
        assert alice.ask("refresh", id="1", token="alice 2")["ok"] is True
        directory.revoked.add("alice")
        assert outlives(alice, 2 * HEARTBEAT, with_directory)
        directory.revoked.add("alice 2")
        assert not outlives(alice, HEARTBEAT + 2, with_directory)
        assert alice.closed_with() == 4509


@JUMPS
def test_an_authenticator_that_is_down_for_a_moment_ends_nothing_and_for_long_everything(
    with_directory: Hours, directory: Directory, alarms: list[str]
) -> None:
    alarms.append("it could not be checked whether a token is still valid")
    with Client(with_directory.server.port, "alice") as alice:
        alice.hello()
        directory.is_down = True
        assert outlives(alice, 2 * HEARTBEAT, with_directory)
        directory.is_down = False
        assert outlives(alice, 2 * HEARTBEAT, with_directory)
        directory.is_down = True
        assert not outlives(alice, 3 * HEARTBEAT + 2, with_directory)
        assert alice.closed_with() == 4105, "it comes back, and the door decides"
        assert alice.take("closing")["reconnect"] is not None
        assert with_directory.server.runtime.restarts == 0


@pytest.mark.parametrize("reason", ["x" * 501, "\ud800", 5])
def test_a_reason_that_cannot_be_shown_is_refused_and_disconnects_nobody(
    server: Server, client: Client, user: str, reason: object
) -> None:
    with pytest.raises(ValueError, match="`reason`"):
        disconnect(server, user, reason=reason)
    assert client.story()[-1]["kind"] == "agent_completed"


class OfNoZone(tzinfo):
    """Has no offset, which `datetime` allows."""

    def utcoffset(self, at: datetime | None) -> None: ...


@pytest.mark.parametrize(
    "until",
    [
        datetime(2999, 1, 1),  # the point
        datetime(2999, 1, 1, tzinfo=OfNoZone()),
        *(1.0, True, 1e300, 2**80, "tomorrow", date(2999, 1, 1), Decimal("4e9"), [], b"4e9"),
    ],
)
def test_what_is_no_time_to_come_disconnects_and_refuses_nobody(
    server: Server, client: Client, connect: Callable[..., Client], user: str, until: object
) -> None:
    with pytest.raises(ValueError, match="`until`"):
        disconnect(server, user, until=until)
    assert client.story()[-1]["kind"] == "agent_completed"
    assert connect().hello()["user"] == user


def test_a_ban_may_have_the_last_time_that_there_is(server: Server, user: str) -> None:
    disconnect(server, user, until=datetime.max.replace(tzinfo=UTC))
    assert refusal(server.port, token_for(user)) == REFUSED


def test_a_ban_is_kept_though_its_caller_leaves_while_connections_close(
    tmp_path: Path, serving: Serving
) -> None:
    """As the admin door does, if its visitor's time is up."""
    with (
        serving(journal=tmp_path / "journal.db") as before,
        Client(before.port, token_for("mallory")) as client,
    ):
        client.hello()

        async def leave() -> None:
            with trio.CancelScope() as left:
                left.cancel()
                await before.runtime.disconnect("mallory", until=time.time() + 3_600)

        before.run(leave)
        assert client.closed_with() == 4509
    with serving(journal=tmp_path / "journal.db") as after:
        assert refusal(after.port, token_for("mallory")) == REFUSED


@pytest.fixture
def admin() -> Callable[..., tuple[int, JSON]]:
    def ask(server: Server, path: str, method: str = "POST") -> tuple[int, JSON]:
        status, body, _ = get(server, f"/admin/users/{path}", method=method)
        return status, orjson.loads(body)

    return ask


def test_an_admin_throws_out_and_admits_again(
    admin: Callable[..., tuple[int, JSON]], serving: Serving
) -> None:
    name, until = "zoë/日本", time.time() + 60
    path = "zo%C3%AB%2F%E6%97%A5%E6%9C%AC/disconnect"
    with serving(admin_token=ADMIN) as server, Client(server.port, token_for(name)) as client:
        client.hello()
        status, said = admin(server, f"{path}?reason=Bye%21&until={until}")
        assert (status, said) == (
            200,
            {
                "schema": "greenroom.disconnected/1",
                "user": name,
                "connections": 1,
                "until": until,
            },
        )
        assert client.closed_with() == 4509
        assert client.take("closing")["reason"] == "Bye!"
        assert refusal(server.port, token_for(name)) == REFUSED
        status, said = admin(server, path, "DELETE")
        assert (status, said["was_refused"]) == (200, True)
        with Client(server.port, token_for(name)) as again:
            assert again.hello()["user"] == name


@pytest.mark.parametrize(
    "asked",
    ["until=soon", "until=inf", "untill=9e9", "runs=stop", "reconnect=1", "until=1&until=2"],
)
def test_a_question_that_is_none_throws_nobody_out(asked: str, serving: Serving) -> None:
    with serving(admin_token=ADMIN) as server, Client(server.port, token_for("a")) as client:
        client.hello()
        status, _, _ = get(server, f"/admin/users/a/disconnect?{asked}", method="POST")
        assert status == 400
        assert get(server, "/admin/users/a/disconnect", "wrong", "POST")[0] == 401
        assert client.story()[-1]["kind"] == "agent_completed"
