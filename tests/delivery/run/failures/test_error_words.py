"""Users read a sentence and a reference where code failed; operators find the cause by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio
import trio.testing

from greenroom.delivery.events.ids import EventId
from greenroom.delivery.events.record import FailureCause
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.run.failures.error_words import (
    AGENT_FAILED,
    MAX_MESSAGE,
    REST_SECONDS,
    SLOW_SECONDS,
    TOOL_FAILED,
    ErrorWords,
    ShowErrors,
)
from greenroom.delivery.run.failures.secrets import Secrets
from greenroom.delivery.run.run import Run
from greenroom.delivery.run.timeouts import Timeouts
from tests.delivery.backstage import IDS, Backstage, open_backstage

PRIVATE = "cannot reach postgres://admin:hunter2@db.internal/prod"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


async def fail(stage: Backstage, error: BaseException, errors: ErrorWords | None = None) -> None:
    """A run whose tool raises this error, and so the run."""
    with pytest.raises(type(error)):
        async with stage.run(errors=errors) as run, run.tool("look_up"):
            raise error


async def shown(error: BaseException, errors: ErrorWords | None = None) -> tuple[Any, Any]:
    """The data of the `tool_completed` and of the `agent_failed` that the user reads."""
    async with open_backstage() as stage:
        await fail(stage, error, errors)
        _, _, tool, run = await stage.data()
    return tool, run


async def cause_of(stage: Backstage, data: dict[str, Any]) -> FailureCause:
    found = await stage.journal.cause(EventId.parse(data["reference"]))
    assert found is not None
    return found


@pytest.mark.requirement("R52")
async def test_a_user_reads_a_sentence_and_a_reference_and_the_cause_is_found_by_it() -> None:
    async with open_backstage() as stage:
        await fail(stage, ConnectionError(PRIVATE))
        records = await stage.records()
        assert b"postgres" not in b"".join(record.body for record in records)
        _, _, tool, run = await stage.data()
        assert (tool["error"], tool["reference"]) == (TOOL_FAILED, records[2].id)
        assert run == {
            "error": "Error",
            "message": AGENT_FAILED,
            "reason": "crash",
            "reference": records[3].id,
        }
        for data, record in ((tool, records[2]), (run, records[3])):
            cause = await cause_of(stage, data)
            assert (cause.user, cause.run, cause.at) == (record.user, record.run, record.at)
            assert cause.type == "builtins:ConnectionError"
            assert cause.text == "cannot reach postgres://(hidden)@db.internal/prod"
            assert "raise error" in cause.traceback


@pytest.mark.requirement("R52")
@pytest.mark.parametrize(
    ("show", "tool", "error", "message"),
    [
        (ShowErrors.REFERENCE, TOOL_FAILED, "Error", AGENT_FAILED),
        (ShowErrors.TYPE, f"KeyError: {TOOL_FAILED}", "KeyError", AGENT_FAILED),
        (ShowErrors.TEXT, "KeyError: 'month'", "KeyError", "'month'"),
    ],
)
async def test_a_service_says_how_much_of_an_error_users_read(
    show: ShowErrors, tool: str, error: str, message: str
) -> None:
    completed, failed = await shown(KeyError("month"), ErrorWords(show))
    assert completed["error"] == tool
    assert (failed["error"], failed["message"]) == (error, message)
    assert failed["reference"].startswith("evt_")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError("caf\udce9.csv"), "caf\\udce9.csv"),
        (Unspeakable(), "<Unspeakable cannot be shown>"),
        (ValueError("x" * 5_000_000), "x" * MAX_MESSAGE),
    ],
)
async def test_a_text_that_is_shown_is_bounded_and_can_be_shown(
    error: Exception, message: str
) -> None:
    _, failed = await shown(error, ErrorWords(ShowErrors.TEXT))
    assert failed["message"] == message


@pytest.mark.requirement("R52")
async def test_no_secret_is_shown_or_kept_even_where_texts_are_shown() -> None:
    secrets = Secrets(("the-secret-of-our-tokens",))
    words = ErrorWords(ShowErrors.TEXT, secrets=secrets)
    said = f"{PRIVATE}, token {TOKEN}, key the-secret-of-our-tokens"
    async with open_backstage() as stage:
        await fail(stage, ValueError(said), words)
        failed = (await stage.data())[-1]
        cause = await cause_of(stage, failed)
    for text in (failed["message"], cause.text, cause.traceback):
        assert text.count("(hidden)") >= 3
        assert not any(secret in text for secret in ("hunter2", TOKEN, "the-secret-of"))


async def test_texts_that_are_not_to_be_logged_are_not_kept_either() -> None:
    async with open_backstage() as stage:
        await fail(stage, ValueError("what alice said"), ErrorWords(keep_texts=False))
        cause = await cause_of(stage, (await stage.data())[-1])
    assert cause.type == "builtins:ValueError"
    assert "alice said" not in cause.text + cause.traceback
    assert "in fail" in cause.traceback


@pytest.mark.requirement("R52")
async def test_a_hook_words_what_a_user_reads_and_sees_the_error_and_the_run() -> None:
    seen: list[tuple[str, str]] = []

    def describe(error: BaseException, run: Run) -> str:
        seen.append((str(error), run.agent))
        return f"Our books are closed until Monday (token {TOKEN})."

    completed, failed = await shown(ValueError("x"), ErrorWords(describe=describe))
    sentence = "Our books are closed until Monday (token (hidden))."
    assert completed["error"] == failed["message"] == sentence
    assert failed["error"] == "Error"
    assert seen == [("x", "analyst")] * 2


def raises(_: BaseException, __: Run) -> str:
    raise SystemExit("not in my name")


def says_nothing(_: BaseException, __: Run) -> str:
    return None  # type: ignore[return-value]  # the mistake in question


async def is_async(_: BaseException, __: Run) -> str:
    return "later"


@pytest.mark.requirement("R52")
@pytest.mark.parametrize(
    ("hook", "complaint"),
    [
        (raises, "describe_error failed"),
        (says_nothing, "describe_error must return a str, not a NoneType"),
        (is_async, "describe_error must return a str, not a coroutine"),
    ],
)
async def test_a_hook_that_fails_leaves_the_usual_sentence_and_a_line_in_the_log(
    hook: Callable[[BaseException, Run], str], complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    completed, failed = await shown(ValueError(PRIVATE), ErrorWords(describe=hook))
    assert (completed["error"], failed["message"]) == (TOOL_FAILED, AGENT_FAILED)
    assert complaint in caplog.text


async def test_what_a_hook_says_is_bounded_and_an_empty_text_is_none() -> None:
    words = ErrorWords(describe=lambda error, _: str(error))
    assert len((await shown(ValueError("x" * 10_000), words))[1]["message"]) <= MAX_MESSAGE
    assert (await shown(ValueError(""), words))[1]["message"] == AGENT_FAILED


async def test_a_slow_hook_is_left_alone_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    now, calls = [0.0], [0]

    def slow(_: BaseException, __: Run) -> str:
        calls[0] += 1
        now[0] += SLOW_SECONDS * 2
        return "in my own time"

    words = ErrorWords(describe=slow, clock=lambda: now[0])
    completed, failed = await shown(ValueError("x"), words)
    assert (completed["error"], failed["message"]) == ("in my own time", AGENT_FAILED)
    assert "it is not called for 60 s" in caplog.text
    now[0] += REST_SECONDS
    await shown(ValueError("x"), words)
    assert calls == [2]


@pytest.mark.requirement("R52")
async def test_a_tool_completed_by_hand_with_an_exception_says_no_more_than_one_that_raised() -> (
    None
):
    async with open_backstage() as stage:
        async with stage.run() as run:
            await run.tool_executing(tool_name="look_up")
            await run.tool_completed(tool_name="look_up", error=ValueError(PRIVATE))
            await run.tool_executing(tool_name="ask")
            await run.tool_completed(tool_name="ask", error="no such month")
        _, _, raised, _, said, _ = await stage.data()
        assert raised["error"] == TOOL_FAILED
        assert (await cause_of(stage, raised)).type == "builtins:ValueError"
    assert said["error"] == "no such month", "an agent's own words are for the user"


@pytest.mark.requirement("R52")
async def test_a_run_cut_at_its_limit_says_so_and_the_operator_reads_where_it_waited(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def wait_for_the_printer() -> None:
        await trio.sleep_forever()

    async with open_backstage() as stage:
        with limited(stage) as run_of, trio.move_on_after(1000):
            await run_of(wait_for_the_printer)
        failed = (await stage.data())[-1]
        assert failed["reason"] == "timeout"
        assert "printer" not in failed["message"]
        assert "it waited in wait_for_the_printer" in (await cause_of(stage, failed)).text


@contextmanager
def limited(stage: Backstage) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    async def run_of(code: Callable[[], Any]) -> None:
        from greenroom.delivery.errors import RunTimedOut
        from greenroom.delivery.events.context import UserContext

        context = UserContext.new(user="alice")
        async with stage.users.lease(context.user) as user:
            run = Run(context, agent="analyst", user=user, ids=IDS, timeouts=Timeouts())
            with pytest.raises(RunTimedOut):
                async with run.live():
                    await code()

    yield run_of


async def test_an_event_that_was_not_kept_leaves_no_cause() -> None:
    journal = MemoryJournal()
    async with open_backstage(journal) as stage:
        await fail(stage, ValueError("x"))
        kept = {data["reference"] for data in await stage.data() if "reference" in data}
        assert len(kept) == 2


@pytest.mark.requirement("R52")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://u:p@ss@db/x", "postgres://(hidden)@db/x"),
        (f"amqp://u:{'p' * 1_000}@mq", "amqp://(hidden)@mq"),
        ("https://example.com/?to=a@b", "https://example.com/?to=a@b"),
        (f"Bearer {TOKEN}!", "Bearer (hidden)!"),
        (f"token={TOKEN}", "token=(hidden)"),
        ("eyJ-" * 25_000, "eyJ-" * 25_000),  # for seconds, where each `eyJ` is a beginning
    ],
    ids=range(6),
)
def test_what_looks_like_a_secret_is_hidden_whole_and_at_once(text: str, expected: str) -> None:
    assert Secrets().hidden(text) == expected
