"""An agent asks its user: over reloads, restarts and tabs, exactly one answer counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenroom import JSON
from tests.asks.curious_agent import curious
from tests.protocol.client import Client, Json
from tests.protocol.hours import hours
from tests.protocol.server import Server, crash_user_actor, is_back, serving, token_for
from tests.scenarios.stage import begin

pytestmark = pytest.mark.requirement("R44")

YES_OR_NO = {"options": ["yes", "no"]}


def ask(client: Client, said: JSON = YES_OR_NO, say: str = "1") -> Json:
    """Have the agent ask; the `input_requested`."""
    client.ask("say", id=f"say {say}", body=said)
    asked = client.events(until="input_requested")[-1]
    client.send("ack", offset=asked["offset"])
    return asked


def answer(client: Client, asked: Json, value: JSON, id: str = "a") -> Json:  # noqa: A002
    return client.ask("answer", id=id, ask=asked["data"]["ask"], value=value)


def report(client: Client) -> JSON:
    (event,) = [each for each in client.events() if each["kind"] == "final_report"]
    return event["data"]["report"]


def error_of(reply: Json) -> tuple[int, str]:
    assert reply["ok"] is False
    return reply["error"]["code"], reply["error"]["message"]


def test_a_question_is_asked_answered_and_the_run_goes_on(client: Client) -> None:
    asked = ask(client)
    assert asked["class"] == "critical"
    data = asked["data"]
    assert (data["prompt"], data["options"]) == ("Delete 14 files?", ["yes", "no"])
    assert data["ask"].startswith("ask_")
    assert data.keys() == {"ask", "prompt", "options"}
    reply = answer(client, asked, "yes")
    [answered, *_] = events = client.events()
    assert answered["kind"] == "input_answered"
    assert answered["class"] == "critical"
    assert answered["data"] == {
        "ask": data["ask"],
        "value": "yes",
        "session": client.ready["session"],
    }
    assert reply["offset"] == answered["offset"]
    assert (answered["run"], answered["thread"]) == (asked["run"], asked["thread"])
    assert events[1]["data"]["report"] == {"answer": "yes"}


def test_the_same_answer_again_gets_the_same_reply_and_another_one_4508(client: Client) -> None:
    asked = ask(client)
    first = answer(client, asked, "yes")
    client.events()
    assert answer(client, asked, "yes") == first, "the same id again"
    assert answer(client, asked, "yes", id="b")["offset"] == first["offset"]
    code, message = error_of(answer(client, asked, "no", id="c"))
    assert (code, "already answered" in message) == (4508, True)
    assert error_of(answer(client, asked, "no"))[0] == 4508, "though the id is that of the first"


def test_the_first_of_two_tabs_counts_and_both_are_told(client: Client, other: Client) -> None:
    asked = ask(client)
    assert other.events(until="input_requested")[-1] == asked
    client.send("answer", id="a", ask=asked["data"]["ask"], value="yes")
    other.send("answer", id="b", ask=asked["data"]["ask"], value="no")
    replies = [client.take("reply", id="a"), other.take("reply", id="b")]
    assert sorted(each["ok"] for each in replies) == [False, True]
    ends = [tab.events(until="input_answered")[-1] for tab in (client, other)]
    assert ends[0] == ends[1]
    won = "yes" if replies[0]["ok"] else "no"
    assert ends[0]["data"]["value"] == won
    assert report(client) == {"answer": won}


def test_an_answer_that_the_options_do_not_allow_is_refused_and_the_question_stays(
    client: Client,
) -> None:
    asked = ask(client, {"options": [1, {"a": 1, "b": 2}, None]})
    for wrong in ("yes", True, [1], 2):
        assert error_of(answer(client, asked, wrong))[0] == 4502
    assert answer(client, asked, {"b": 2, "a": 1})["ok"], "the order of keys means nothing"


def test_a_number_is_the_option_however_it_is_written(client: Client) -> None:
    """Browsers know no difference between 1.0 and 1, so they answer an option of 1.0 with 1."""
    asked = ask(client, {"options": [0.5, 1.0, {"days": [2.0]}]})
    assert error_of(answer(client, asked, True))[0] == 4502
    offset = answer(client, asked, {"days": [2]})["offset"]
    assert answer(client, asked, {"days": [2.0]})["offset"] == offset


def test_an_answer_must_fit_the_schema(client: Client) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    asked = ask(client, {"schema": schema})
    assert asked["data"]["schema"] == schema
    code, message = error_of(answer(client, asked, {"n": "seven"}))
    assert code == 4502
    assert "value['n']" in message
    assert "seven" not in message
    assert answer(client, asked, {"n": 7})["ok"]
    assert report(client) == {"answer": {"n": 7}}


def test_an_answer_becomes_an_instance_of_the_answer_type(client: Client) -> None:
    asked = ask(client, {"trip": {}})
    assert asked["data"]["schema"]["required"] == ["city", "nights"]
    assert error_of(answer(client, asked, {"city": "Rome"}))[0] == 4502
    assert error_of(answer(client, asked, {"city": "Rome", "nights": 2, "x": 1}))[0] == 4502
    assert answer(client, asked, {"city": "Rome", "nights": 2})["ok"]
    assert report(client) == {"city": "Rome", "nights": 2}


def test_whoever_opens_a_session_finds_the_open_questions_in_ready(
    server: Server, client: Client
) -> None:
    asked = ask(client)
    with Client(server.port, token_for("alice")) as fresh:
        assert fresh.hello(features=["asks"])["asks"] == [asked]
    with Client(server.port, token_for("alice")) as old:
        assert "asks" not in old.hello(), "a client of the first greenroom.v1 is not sent it"
    with Client(server.port, token_for("bob")) as stranger:
        assert stranger.hello(features=["asks"])["asks"] == []
    answer(client, asked, "yes")
    with Client(server.port, token_for("alice")) as late:
        assert late.hello(features=["asks"])["asks"] == []


def test_nobody_answers_the_question_of_another(server: Server, client: Client) -> None:
    asked = ask(client)
    with Client(server.port, token_for("bob")) as stranger:
        stranger.hello()
        code, message = error_of(answer(stranger, asked, "yes"))
        assert code == 4502
        assert "Delete" not in message
    unknown = {"data": {"ask": "ask_01h455vb4pex5vsknk084sn02q"}}
    assert error_of(answer(client, unknown, "yes"))[0] == 4502
    assert error_of(client.ask("answer", id="n", ask=asked["run"], value=1))[0] == 4502
    assert answer(client, asked, "yes")["ok"]


def test_a_question_that_expires_is_closed_and_raises_or_gives_its_default() -> None:
    with hours(agent=curious) as later, Client(later.server.port, token_for("alice")) as client:
        client.hello(features=["asks"])
        for default in ({}, {"default": "no"}):
            asked = ask(client, {"expires": 3600, **default, **YES_OR_NO}, say=str(default))
            assert abs(asked["data"]["expires"] - asked["at"] - 3_600_000) < 5_000
            later.jump(3_601)
            closed, *rest = client.events()
            assert closed["kind"] == "input_closed"
            assert closed["data"] == {"ask": asked["data"]["ask"], "reason": "expired"}
            expected = {"answer": "no"} if default else {"error": "AskExpired"}
            assert rest[0]["data"]["report"] == expected
            code, message = error_of(answer(client, asked, "yes"))
            assert (code, "expired" in message) == (4502, True)


def test_a_run_that_waits_for_its_user_does_not_use_up_its_limit() -> None:
    with hours(agent=curious) as later, Client(later.server.port, token_for("alice")) as client:
        client.hello(features=["asks"])
        asked = ask(client)
        later.jump(24 * 3600)
        assert answer(client, asked, "yes")["ok"]
        assert report(client) == {"answer": "yes"}
        ask(client, {"counts_time": True, **YES_OR_NO}, say="2")
        later.jump(24 * 3600)
        assert [each["kind"] for each in client.events(until="agent_failed")] == [
            "input_closed",
            "agent_failed",
        ]


def test_a_run_that_is_cancelled_withdraws_its_question(client: Client) -> None:
    asked = ask(client)
    client.ask("cancel", id="c", run=asked["run"])
    closed, ended = client.events()
    assert closed["data"] == {"ask": asked["data"]["ask"], "reason": "withdrawn"}
    assert ended["data"] == {"outcome": "cancelled"}
    assert error_of(answer(client, asked, "yes"))[0] == 4502


def test_a_question_outlives_a_crash_of_the_users_actor(server: Server, client: Client) -> None:
    async def book() -> JSON:
        async with server.runtime.run(user="alice", agent="booker") as run:
            return await run.ask("Book it?", **YES_OR_NO)  # type: ignore[arg-type]  # as above

    booked = begin(server, book)
    asked = client.events(until="input_requested")[-1]
    server.run_sync(crash_user_actor, server, "alice")
    server.wait_until(lambda: is_back(server, "alice"))
    with Client(server.port, token_for("alice")) as again:
        assert again.hello(features=["asks"])["asks"] == [asked]
        assert answer(again, asked, "yes")["ok"]
        assert booked.result(timeout=30) == "yes"


def test_a_question_of_a_run_that_its_users_actor_took_along_is_withdrawn(
    server: Server, client: Client
) -> None:
    asked = ask(client)
    server.run_sync(crash_user_actor, server, "alice")
    server.wait_until(lambda: is_back(server, "alice"))
    with Client(server.port, token_for("alice")) as again:
        again.hello(epoch=client.ready["epoch"], offset=asked["offset"], features=["asks"])
        closed, ended = again.events(until="agent_failed")
        assert closed["data"] == {"ask": asked["data"]["ask"], "reason": "withdrawn"}
        assert ended["data"]["reason"] == "lost"


def test_a_question_of_a_run_that_a_restart_ended_is_withdrawn(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    alice = token_for("alice")
    with serving(journal=journal, agent=curious) as server, Client(server.port, alice) as client:
        client.hello(features=["asks"])
        asked = ask(client)
    with serving(journal=journal, agent=curious) as server, Client(server.port, alice) as client:
        client.hello(features=["asks"])
        assert client.ready["asks"] == []
        page = client.ask("history", id="h", limit=10)["events"]
    assert [each["kind"] for each in page][-2:] == ["input_closed", "agent_failed"]
    assert page[-2]["data"] == {"ask": asked["data"]["ask"], "reason": "withdrawn"}


def test_one_key_asked_by_several_tasks_at_once_is_asked_once_and_answered(
    client: Client,
) -> None:
    asked = ask(client, {"at_once": 3})
    assert answer(client, asked, "yes")["ok"]
    events = client.events()
    assert [each["kind"] for each in events] == [
        "input_answered",
        "final_report",
        "agent_completed",
    ]
    assert events[1]["data"]["report"] == ["open already", "open already", "yes"]
    more = ask(client, {"many": 1}, say="2")
    assert answer(client, more, "yes", "b")["ok"], "no place is taken any more"


def test_more_questions_than_a_run_may_have_are_refused_at_the_call(client: Client) -> None:
    client.ask("say", id="1", body={"many": 1_000})
    events = client.events()
    kinds = [each["kind"] for each in events]
    assert kinds.count("input_requested") == kinds.count("input_closed") == 32
    assert events[-2]["data"]["report"] == {"refused": 968}


def test_an_answer_of_a_mebibyte_is_refused_and_the_question_stays() -> None:
    big = "x" * 2**20
    alice = token_for("alice")
    with (
        serving(agent=curious, max_frame_bytes=4 * 2**20) as server,
        Client(server.port, alice, max_size=None) as client,
    ):
        client.hello(features=["asks"])
        asked = ask(client, {"schema": {"type": "string"}})
        code, message = error_of(answer(client, asked, big))
        assert (code, "65,536 bytes" in message) == (4502, True)
        assert answer(client, asked, "short")["ok"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"schema": {"type": "nonsense"}}, "`schema` must be a JSON Schema"),
        ({"schema": {"$ref": "https://example.com/a.json"}}, "must begin with #/"),
        ({"schema": "string"}, "`schema` must be a JSON Schema"),
        ({"options": []}, "`options` must be 1 to 100"),
        ({"options": 5}, "`options` must be a list"),
        ({"options": ["a", "a"]}, "`options` must all differ"),
        ({"options": [1, 1.0]}, "`options` must all differ"),
        ({"expires": 0}, "`expires` must be a number of seconds above 0"),
        ({"prompt": " "}, "`prompt` must not be empty"),
        ({"prompt": "x" * 40_000}, "at most 32,768 bytes"),
    ],
)
def test_a_question_that_is_none_is_refused_at_the_call(
    client: Client, wrong: JSON, says: str
) -> None:
    client.ask("say", id="1", body=wrong)
    events = client.events(until="agent_failed")
    assert [each["kind"] for each in events][-2:] == ["agent_started", "agent_failed"]
    assert says in events[-1]["data"]["message"]
