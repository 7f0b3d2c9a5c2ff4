"""Components and what they need (R33; application(3), the `applications` key)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.supervisor import Component, open_application, start_order
from greenroom.supervisor.errors import CircularNeeds, InvalidChildSpec, StartFailed, UnknownNeed
from tests.supervisor.stage import Crash, Stage, settle

pytestmark = pytest.mark.requirement("R33")


def parts(stage: Stage, **needs: str) -> list[Component]:
    return [Component(stage.spec(id_), needs=tuple(need)) for id_, need in needs.items()]


async def test_each_starts_after_all_it_needs_and_stops_before_them(stage: Stage) -> None:
    """app(4), applications: those that must be started before this one is."""
    async with open_application("app", parts(stage, a="cd", b="", c="b", d="b")):
        assert stage.take_log() == "+b +c +d +a"
    assert stage.take_log() == "-a -d -c -b"


def test_those_that_need_nothing_of_each_other_keep_the_order_they_were_given(
    stage: Stage,
) -> None:
    """supervisor(3), Supervision Principles: among those that are free to start, left to right."""
    assert [each.id for each in start_order(parts(stage, c="", a="", b=""))] == ["c", "a", "b"]


async def test_a_failed_start_stops_what_had_started_in_reverse_and_names_the_culprit(
    stage: Stage,
) -> None:
    """application(3), ensure_all_started/3: what it started is stopped. Beyond OTP: the order."""
    stage.failing["c"] = 1
    with pytest.raises(StartFailed, match="'app' could not start 'c'") as failure:
        async with open_application("app", parts(stage, d="c", c="ab", a="", b="a")):
            pytest.fail("the block must not be entered")
    assert failure.value.child == "c"
    assert isinstance(failure.value.__cause__, Crash)
    assert stage.take_log() == "+a +b !c -b -a"


async def test_what_started_after_a_component_restarts_with_it(stage: Stage) -> None:
    """supervisor(3), Restart Strategies: rest_for_one."""
    async with open_application("app", parts(stage, a="b", b="", c="a")):
        stage.take_log()
        stage.crash("b")
        await settle()
        assert stage.take_log() == "-b -c -a +b +a +c"


def test_a_component_is_made_of_a_child_spec() -> None:
    """supervisor(3), Child specification: refused when it is made, as a spec is."""
    with pytest.raises(InvalidChildSpec, match="not 'users'"):
        Component("users")  # type: ignore[arg-type]  # refused


def test_a_missing_name_is_refused_with_the_one_that_was_meant(stage: Stage) -> None:
    """application(3), start/1: {error, {not_started, App}}. Beyond OTP: the name that was meant."""
    wrong = [
        Component(stage.spec("journal")),
        Component(stage.spec("users"), needs=("jurnal",)),
    ]
    with pytest.raises(UnknownNeed, match=r"'users' needs 'jurnal'.*did you mean 'journal'\?"):
        open_application("app", wrong)


@pytest.mark.parametrize(
    ("needs", "circle"),
    [
        ({"a": "a"}, ("a", "a")),
        ({"a": "b", "b": "a"}, ("a", "b", "a")),
        ({"x": "a", "a": "b", "b": "c", "c": "a"}, ("a", "b", "c", "a")),
    ],
)
def test_a_circle_is_refused_naming_all_who_are_in_it(
    needs: dict[str, str], circle: tuple[str, ...], stage: Stage
) -> None:
    """systools(3), make_script/2: circular dependencies of applications are an error."""
    with pytest.raises(CircularNeeds, match=" → ".join(circle)) as refusal:
        open_application("app", parts(stage, **needs))
    assert refusal.value.circle == circle


def test_two_of_one_name_and_needs_that_are_a_string_are_refused(stage: Stage) -> None:
    """app(4): a name is one application, and applications is a list."""
    with pytest.raises(InvalidChildSpec, match="two components are named 'a'"):
        start_order([Component(stage.spec("a")), Component(stage.spec("a"))])
    with pytest.raises(InvalidChildSpec, match="not a string"):
        Component(stage.spec("a"), needs="journal")  # type: ignore[arg-type]  # what is refused


@given(st.data(), st.permutations("abcdef"))
def test_any_needs_without_a_circle_are_met(data: st.DataObject, ids: list[str]) -> None:
    """app(4), applications: those that must be started before this one is, whatever they are."""
    stage = Stage()
    needs = {
        id_: data.draw(st.lists(st.sampled_from(ids[:place]), unique=True)) if place else []
        for place, id_ in enumerate(ids)
    }
    given_order = data.draw(st.permutations(ids))
    order = start_order(Component(stage.spec(id_), needs=tuple(needs[id_])) for id_ in given_order)
    places = {component.id: place for place, component in enumerate(order)}
    assert sorted(places) == sorted(ids)
    assert all(places[need] < places[id_] for id_ in ids for need in needs[id_])
