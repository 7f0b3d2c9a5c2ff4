"""A wrong call of the library is refused where it is made, in words that say what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

import greenroom
from greenroom.actors import monitor
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.ids import EventId, IdSource, RunId
from greenroom.supervisor import (
    actor_child,
    open_dynamic_supervisor,
    open_supervisor,
    supervisor_child,
    task_child,
)
from greenroom.supervisor.errors import InvalidChildSpec, NoSuchChild
from greenroom.transport.auth.tokens import sign_token

pytestmark = pytest.mark.fault("W21")

IN_MEMORY = greenroom.Settings(journal=":memory:")


async def answer(run: greenroom.Run, said: greenroom.JSON) -> None: ...


async def answer_nothing(run: greenroom.Run) -> None: ...


def plain(run: greenroom.Run, said: greenroom.JSON) -> None: ...


NO_AGENTS: dict[str, tuple[object, str]] = {
    "a plain function": (plain, "agent 'plain' must be an async function, not a plain function"),
    "too few parameters": (answer_nothing, "agent 'answer_nothing' must take a run and"),
    "a list": ([answer], "agent 'agent' must be an async function, not a list"),
    "one of several": ({"good": answer, "bad": plain}, "agent 'bad' must be an async function"),
    "settings": (IN_MEMORY, "must be an async function, not a Settings"),
}


@pytest.mark.parametrize("case", NO_AGENTS)
async def test_what_cannot_answer_users_is_refused_before_anything_starts(case: str) -> None:
    agents, words = NO_AGENTS[case]
    with pytest.raises(greenroom.BadAgent, match=words) as refused:
        async with greenroom.open_runtime(IN_MEMORY, agents):  # type: ignore[arg-type]  # the point
            pytest.fail("it was let in")
    assert refused.value.advice == "an agent is `async def agent(run, said)`"
    assert not refused.value.temporary


@pytest.mark.parametrize("given", [answer, {"journal": ":memory:"}, 3])
async def test_what_is_no_settings_is_refused_by_name(given: object) -> None:
    with pytest.raises(greenroom.BadSettings, match=r"settings must be a greenroom\.Settings, not"):
        async with greenroom.open_runtime(given):  # type: ignore[arg-type]  # the point
            pytest.fail("they were taken")


async def test_a_token_that_is_neither_text_nor_a_function_is_refused_at_once() -> None:
    with pytest.raises(
        TypeError, match=r"`token` must be a string or an async function .* NoneType"
    ):
        async with greenroom.connect("ws://127.0.0.1:1", token=None):  # type: ignore[arg-type]
            pytest.fail("there is no server")


@pytest.mark.parametrize("parse", [RunId.parse, EventId.parse])
def test_text_that_is_no_id_is_not_called_a_user(parse: Callable[[str], object]) -> None:
    with pytest.raises(
        greenroom.BadId, match="got other text, perhaps a user: 'nonsense'"
    ) as refused:
        parse("nonsense")
    assert refused.value.given == "user"  # as metrics count it


def test_a_secret_that_is_too_short_is_told_by_its_length_and_never_shown() -> None:
    with pytest.raises(greenroom.BadSettings) as refused:
        greenroom.Settings(secret="hush")
    assert str(refused.value) == (
        "secret: expected a text of at least 32 bytes, got 4 of them (not shown)"
    )
    with pytest.raises(greenroom.BadSettings, match=r"got a bytes \(not shown\)"):
        greenroom.Settings(secret=b"x" * 40)  # type: ignore[arg-type]  # the point


async def test_a_field_of_an_event_is_named_with_what_it_must_be() -> None:
    async with (
        greenroom.open_runtime(IN_MEMORY) as runtime,
        runtime.run(user="alice") as run,
    ):
        with pytest.raises(greenroom.BadEvent, match="`text` must be a str, not an int"):
            await run.partial_result(text=3)  # type: ignore[arg-type]  # the point
        await run.final_report(report=None)
        with pytest.raises(greenroom.OutOfOrder, match="now: the run has emitted its final report"):
            await run.partial_result(text="and another thing")


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("strategy", "one_for_all", "`strategy` must be a Strategy, not 'one_for_all'"),
        ("intensity", 3, "`intensity` must be an Intensity, not 3"),
    ],
)
async def test_a_flag_of_a_supervisor_is_named(flag: str, value: object, words: str) -> None:
    with pytest.raises(InvalidChildSpec, match=words) as refused:
        async with open_supervisor("shop", [], **{flag: value}):  # type: ignore[arg-type]
            pytest.fail("it was taken")
    assert refused.value.advice


async def test_a_misspelt_child_is_answered_with_the_one_that_was_meant() -> None:
    async with open_supervisor("shop", [task_child("kitchen", trio.sleep_forever)]) as shop:
        with pytest.raises(NoSuchChild, match="no child 'kitchn'") as refused:
            shop.child("kitchn")
    assert refused.value.advice == "did you mean 'kitchen'?"


async def test_a_dynamic_supervisor_tells_nobody_the_ids_of_its_other_children() -> None:
    """They are data, a user's id maybe, and there may be thousands to compare with."""
    async with open_dynamic_supervisor("shop") as shop:
        await shop.start_child(task_child("alice", trio.sleep_forever))
        with pytest.raises(NoSuchChild, match="no child 'alicia'") as refused:
            shop.child("alicia")
    assert "'alice'" not in str(refused.value)


def test_paths_and_lists_are_taken_as_a_type_checker_is_told() -> None:
    settings = greenroom.Settings(
        journal=":memory:", jwks_file="keys.json", allow_origins=["https://a.example"]
    )
    assert settings.in_memory
    assert settings.allow_origins == ("https://a.example",)


@pytest.mark.parametrize("seconds", ["9", 3, float("nan"), int])
async def test_the_limit_of_a_run_is_named_with_what_it_may_be(seconds: object) -> None:
    words = "`seconds` must be from 40 to 295 for a run .* leave it out for `agent_seconds`, 120"
    async with greenroom.open_runtime(IN_MEMORY) as runtime:
        with pytest.raises(ValueError, match=words):
            runtime.run(user="alice", seconds=seconds)  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"before": "x"}, "`before` must be an event's offset, a whole number from 1 on, not 'x'"),
        ({"before": 0}, "`before` must be an event's offset, a whole number from 1 on, not 0"),
        ({"limit": "9"}, "`limit` must be a whole number of events, 1 or more, not '9'"),
        ({"limit": 0}, "`limit` must be a whole number of events, 1 or more, not 0"),
    ],
)
async def test_a_page_of_history_is_asked_for_in_whole_numbers(
    asked: dict[str, int], words: str
) -> None:
    async with greenroom.open_runtime(IN_MEMORY) as runtime, runtime.run(user="alice") as run:
        with pytest.raises(ValueError, match=words):
            await run.history(**asked)


async def test_a_block_that_was_not_entered_says_how_to_enter_it() -> None:
    async with greenroom.open_runtime(IN_MEMORY) as runtime:
        outside = runtime.run(user="alice")
        with pytest.raises(
            greenroom.GreenroomError, match=r"run\(\) begins with its block"
        ) as found:
            await outside.final_report(report=1)  # type: ignore[attr-defined]  # the point
        assert found.value.message.startswith("run() begins with its block")
        assert found.value.advice == "write `async with ….run(…) as run: …`"
        assert not hasattr(outside, "final_report"), "it is an AttributeError, too"
        async with runtime.run(user="alice") as run:
            for wrong in (run.tool("search"), run.sub_run(agent="scout")):
                with pytest.raises(greenroom.GreenroomError, match="begins with its block"):
                    await wrong  # type: ignore[misc]  # the point
                with pytest.raises(greenroom.GreenroomError, match="a plain `with` cannot"), wrong:  # type: ignore[attr-defined]
                    pytest.fail("it was entered")


async def test_a_closed_runtime_does_not_say_that_it_may_serve_again() -> None:
    async with greenroom.open_runtime(IN_MEMORY) as runtime:
        early = runtime.run(user="alice")
    for run in (early, runtime.run(user="alice")):
        with pytest.raises(greenroom.GreenroomError, match="the runtime is closed") as refused:
            async with run:
                pytest.fail("it was entered")
        assert not refused.value.temporary
        assert refused.value.advice == "speak to users inside of it"


@pytest.mark.parametrize(
    ("context", "user", "given"),
    [(None, None, "neither"), (UserContext.new(user="alice", ids=IdSource()), "alice", "both")],
)
async def test_a_run_for_no_user_or_for_two_is_refused(
    context: UserContext | None, user: str | None, given: str
) -> None:
    async with greenroom.open_runtime(IN_MEMORY) as runtime:
        with pytest.raises(TypeError, match=f"either `context` or `user`, not {given}"):
            runtime.run(context, user=user)


async def test_a_user_in_the_place_of_a_context_is_refused_with_how_to_name_one() -> None:
    async with greenroom.open_runtime(IN_MEMORY) as runtime:
        with pytest.raises(TypeError, match=r"not 'alice'; name a user as run\(user=…\)"):
            runtime.run("alice")  # type: ignore[arg-type]  # the point


def test_what_cannot_be_watched_or_told_is_refused() -> None:
    with pytest.raises(TypeError, match=r"`watched` must be the ref of an actor .*, not 'alice'"):
        monitor("alice", None)  # type: ignore[arg-type]  # the point


async def test_a_watcher_that_is_no_ref_is_refused() -> None:
    async with open_supervisor("shop") as shop:
        with pytest.raises(TypeError, match=r"`watcher` must be the ref .*, not 'alice'"):
            monitor(shop, "alice")  # type: ignore[arg-type]  # the point


def test_a_child_outside_of_a_list_is_refused() -> None:
    spec = task_child("kitchen", trio.sleep_forever)
    for wrong in (open_supervisor, supervisor_child):
        with pytest.raises(InvalidChildSpec, match="'shop': `children` must be a list") as refused:
            wrong("shop", spec)  # type: ignore[operator]  # the point
        assert refused.value.advice == "put a single child into a list: [spec]"


def test_a_class_that_makes_no_actor_is_refused_before_it_is_started() -> None:
    with pytest.raises(InvalidChildSpec, match="must make an Actor, and <class 'int'> is not"):
        actor_child("clerk", int)  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize("seconds", [-60, 0, float("inf"), "60"])
def test_a_token_that_would_be_expired_or_endless_is_not_signed(seconds: object) -> None:
    with pytest.raises(ValueError, match="`ttl_seconds` must be a number of seconds above 0, not"):
        sign_token("s" * 32, "alice", seconds)  # type: ignore[arg-type]  # the point
