"""A wrong call of the library is refused where it is made, in words that say what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

import greenroom
from greenroom.delivery.events.ids import EventId, RunId
from greenroom.supervisor import open_dynamic_supervisor, open_supervisor, task_child
from greenroom.supervisor.errors import InvalidChildSpec, NoSuchChild

pytestmark = pytest.mark.fault("W21")

IN_MEMORY = greenroom.Settings(journal=":memory:")


async def answer(run: greenroom.Run, said: greenroom.JSON) -> None: ...


async def answer_nothing(run: greenroom.Run) -> None: ...


def plain(run: greenroom.Run, said: greenroom.JSON) -> None: ...


NO_AGENTS: dict[str, tuple[object, str]] = {
    "a plain function": (plain, "agent 'plain' is a plain function, not an async function"),
    "too few parameters": (answer_nothing, "agent 'answer_nothing' takes .*, not a run and what"),
    "a list": ([answer], "agent 'agent' is of type list, not an async function"),
    "one of several": ({"good": answer, "bad": plain}, "agent 'bad' is a plain function"),
    "settings": (IN_MEMORY, "of type Settings, not an async function"),
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
