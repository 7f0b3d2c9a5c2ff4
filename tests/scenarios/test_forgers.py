"""Whoever claims what is not theirs is refused with its documented code, logged once, and counted.

Bearer tokens can be used by whoever has them, as often as they like, until they expire (RFC 6750
§5.2), so a *replayed* token is one that is brought again after that, or brought to a server that
it was not made for: another audience, another issuer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import pytest

from greenroom import ReceiptStage
from greenroom.delivery.events.ids import IdSource, RunId
from tests.face.log_lines import logged
from tests.face.metrics.scrape import Scrape
from tests.protocol.client import Client, refusal
from tests.protocol.server import SECRET, Server, token_for
from tests.scenarios.stage import Serving

AUDIENCE, ISSUER = "greenroom.example", "https://id.example"
OURS: dict[str, Any] = {"aud": AUDIENCE, "iss": ISSUER}

pytestmark = [
    pytest.mark.requirement("R23"),
    pytest.mark.requirement("R37"),
    pytest.mark.every_server,
]


@pytest.fixture(scope="module")
def server(serving: Serving) -> Iterator[Server]:
    with serving(audience=AUDIENCE, issuer=ISSUER) as server:
        yield server


@pytest.fixture
def alice(connect: Callable[..., Client], user: str) -> Client:
    """The one who is to be robbed: she has a session, and three events that she received."""
    client = connect(bearing=token_for(user, **OURS))
    client.hello()
    client.story()
    client.send("ack", offset=2)
    client.ask("history", id="the ack was taken", limit=1)
    return client


@pytest.fixture
def mallory(connect: Callable[..., Client], user: str) -> Client:
    """A user like any other, not yet ready; she has a good token of her own."""
    return connect(bearing=token_for(f"mallory-{user}", **OURS))


@contextmanager
def noticed(scrape: Scrape, words: str, counter: str, *labels: str) -> Iterator[list[str]]:
    """What the block tries gets one log record with these words, and is counted once.

    Add to the list what no log may hold; users' names are among it anyway.
    """
    secrets = ["mallory"]
    before = scrape.value(counter, *labels)
    with logged(log_format="json") as lines:
        yield secrets
        scrape.wait(counter, *labels, at_least=before + 1)
    assert scrape.value(counter, *labels) == before + 1
    records = [json.loads(line) for line in lines.getvalue().splitlines()]
    ours = [each for each in records if each["logger"].startswith("greenroom.")]
    (record,) = [each for each in ours if each["level"] != "debug"]
    assert words in record["event"]
    assert [secret for secret in secrets if secret in lines.getvalue()] == []


# Forged reports

REPORTS = {
    "an ack of the future": ("received", {"type_": "ack", "offset": 4}),
    "a huge ack": ("received", {"type_": "ack", "offset": 2**53}),
    "a displayed of the future": ("displayed", {"type_": "displayed", "offsets": [4]}),
    "a confirm of the future": ("confirmed", {"type_": "confirm", "offset": 4}),
}
NO_OFFSETS = {"negative": -1, "beyond all integers": 2**53 + 1, "a fraction": 1.5, "a text": "3"}


@pytest.mark.requirement("R12")
@pytest.mark.parametrize("report", REPORTS)
def test_a_report_on_what_was_never_sent_is_refused(
    report: str, alice: Client, scrape: Scrape
) -> None:
    stage, frame = REPORTS[report]
    with noticed(scrape, "a report was refused: ", "reports_refused_total", stage):
        alice.send(**frame)  # type: ignore[arg-type]
        error = alice.take("error")
    assert (error["code"], error["temporary"]) == (4502, False)
    assert_resumes_where_it_was(alice)


@pytest.mark.requirement("R12")
@pytest.mark.parametrize("offset", NO_OFFSETS.values(), ids=NO_OFFSETS)
def test_an_ack_of_what_is_no_offset_is_refused(
    offset: object, alice: Client, scrape: Scrape
) -> None:
    with noticed(scrape, "a frame was refused: 4502", "frames_refused_total", "4502"):
        alice.send("ack", offset=offset)
        assert alice.take("error")["code"] == 4502
    assert_resumes_where_it_was(alice)


def assert_resumes_where_it_was(alice: Client) -> None:
    """Nothing of the forged report was kept: the third event is still owed."""
    again = Client(alice.connection.remote_address[1], token_of(alice))
    with again:
        assert again.hello(session=alice.ready["session"])["recovered"] is True
        assert [event["offset"] for event in again.events()] == [3]


def token_of(client: Client) -> str:
    return token_for(client.ready["user"], **OURS)


# Stolen ids


@pytest.mark.requirement("R16")
def test_a_stolen_session_id_opens_nothing_and_its_owner_keeps_it(
    alice: Client, mallory: Client, server: Server, scrape: Scrape
) -> None:
    session = alice.ready["session"]
    with noticed(scrape, "is not a session of this user", "lookups_failed_total", "session"):
        ready = mallory.hello(session=session, epoch=alice.ready["epoch"], offset=0)
    assert (ready["session"] != session, ready["recovered"]) == (True, True)
    assert ready["offset"] == 0, "she is where her own log ends"
    with noticed(scrape, "a report was refused: ", "reports_refused_total", "received"):
        mallory.send("ack", offset=3)
        assert mallory.take("error")["code"] == 4502
    assert mallory.fence() == []
    receipts = server.run(lambda: server.runtime.receipts(user=alice.ready["user"]))
    standing = server.run(receipts[-1].standing)
    assert [(each.session, each.stage) for each in standing.sessions] == [
        (session, ReceiptStage.SENT)
    ]
    assert alice.ask("history", id="still there", limit=1)["ok"] is True


def test_stolen_thread_and_run_ids_lead_nowhere(
    alice: Client, mallory: Client, scrape: Scrape
) -> None:
    said = alice.ask("say", id="2", body="wait")
    alice.events(until="agent_thinking")
    mallory.hello()
    failed = {wanted: scrape.value("lookups_failed_total", wanted) for wanted in ("thread", "run")}
    assert mallory.ask("history", id="1", thread=said["thread"], limit=200)["events"] == []
    refused = mallory.ask("cancel", id="2", run=said["run"])
    assert (refused["ok"], refused["error"]["code"]) == (False, 4502)
    for wanted, before in failed.items():
        assert scrape.value("lookups_failed_total", wanted) == before + 1
    started = mallory.ask("say", id="3", body="hello", thread=said["thread"])
    assert started["ok"] is True, "a thread of this name, of her own"
    assert {event["data"].get("body") for event in mallory.events()} == {"hello", None}
    assert alice.ask("cancel", id="3", run=said["run"])["ok"] is True
    assert {event["run"] for event in alice.events()} == {said["run"]}


# Tokens


def hours_ago(user: str) -> str:
    return token_for(user, seconds=-1, **OURS)


def unsigned(user: str) -> str:
    return jwt.encode({"sub": user, "exp": time.time() + 60, **OURS}, "", algorithm="none")


def with_the_claims_of(user: str) -> str:
    """A good signature, over other claims."""
    header, _, signature = token_for("mallory", **OURS).split(".")
    return ".".join((header, token_for(user, **OURS).split(".")[1], signature))


def of_a_run(_: str) -> str:
    return token_for(IdSource().new(RunId), **OURS)


TOKENS: dict[str, tuple[Callable[[str], str], str]] = {
    "replayed after it expired": (hours_ago, "the token expired"),
    "replayed from another service": (
        lambda user: token_for(user, **{**OURS, "aud": "other.example"}),
        "the token is for another audience",
    ),
    "replayed from another issuer": (
        lambda user: token_for(user, **{**OURS, "iss": "https://other.example"}),
        "the token is from another issuer",
    ),
    "without an audience": (
        lambda user: token_for(user, iss=ISSUER),
        "the token is for another audience",
    ),
    "not signed": (unsigned, "the token is signed with 'none'"),
    "signed by somebody else": (
        lambda user: token_for(user, secret="another secret, also of 32 bytes", **OURS),
        "the token's signature does not match",
    ),
    "with claims put in": (with_the_claims_of, "the token's signature does not match"),
    "whose user is a run": (of_a_run, "the token's `sub` must be a user id, not run"),
    "of before its time": (
        lambda user: token_for(user, nbf=time.time() + 3600, **OURS),
        "the token is not valid yet",
    ),
}


@pytest.mark.parametrize("kind", TOKENS)
def test_at_the_door_a_token_is_refused_with_401(
    kind: str, server: Server, scrape: Scrape, user: str
) -> None:
    make, words = TOKENS[kind]
    token = make(user)
    with noticed(scrape, words, "handshakes_refused_total", "401") as secrets:
        secrets += [token, token.rpartition(".")[2] or token]
        status, text = refusal(server.port, token)
    assert (status, words in text) == (401, True)


@pytest.mark.parametrize("kind", TOKENS)
def test_on_a_live_socket_a_token_is_refused_with_4500_and_the_old_one_goes_on(
    kind: str, alice: Client, scrape: Scrape
) -> None:
    make, words = TOKENS[kind]
    token = make(alice.ready["user"])
    with noticed(scrape, words, "requests_refused_total", "refresh", "4500") as secrets:
        secrets += [token, token.rpartition(".")[2] or token]
        error = alice.ask("refresh", id="1", token=token)["error"]
    assert (error["code"], words in error["message"]) == (4500, True)
    assert alice.fence() == []


def test_a_token_of_another_user_on_refresh_closes_4503_and_the_other_user_notices_nothing(
    alice: Client, mallory: Client, scrape: Scrape
) -> None:
    mallory.hello()
    token = token_of(alice)
    with noticed(
        scrape, "it is another user's", "requests_refused_total", "refresh", "4503"
    ) as secrets:
        secrets += [token, token.rpartition(".")[2]]
        mallory.send("refresh", id="1", token=token)
        assert mallory.closed_with() == 4503
    assert mallory.take("closing")["reconnect"] is None
    assert [frame["type"] for frame in mallory.kept] == []
    assert alice.fence() == []


def test_a_token_that_is_still_good_can_be_used_again(serving: Serving) -> None:
    """What is *not* refused: see this file's head, and docs/operations.md."""
    token = token_for("alice", secret=SECRET)
    with serving() as server, Client(server.port, token) as one, Client(server.port, token) as two:
        assert one.hello()["user"] == two.hello()["user"] == "alice"
