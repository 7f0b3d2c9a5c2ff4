"""The small words of messages, and ids in them."""

from __future__ import annotations

import pytest
import trio.testing

from greenroom.actors.actor import Actor
from greenroom.actors.ref import ActorStopped, Ref, Request
from greenroom.actors.text.wording import a, kind_of
from greenroom.delivery.events.ids import BadId, IdSource, RunId, UserId
from greenroom.supervisor import ChildSpec, actor_child, open_supervisor
from greenroom.supervisor.errors import AlreadyStarted, InvalidChildSpec, NoSuchChild

pytestmark = [pytest.mark.requirement("R17"), pytest.mark.fault("W16")]


@pytest.mark.parametrize(
    ("noun", "words"),
    [
        *(("int", "an int"), ("str", "a str"), ("event id", "an event id"), ("float", "a float")),
        *(("OSError", "an OSError"), ("user", "a user"), ("UserId", "a UserId")),
        *(("UnicodeError", "a UnicodeError"), ("UnboundLocalError", "an UnboundLocalError")),
    ],
)
def test_a_noun_gets_its_article(noun: str, words: str) -> None:
    assert a(noun) == words


def test_a_value_is_told_by_its_kind_and_a_class_by_its_name() -> None:
    assert kind_of(3) == "an int"
    assert kind_of(int) == "the class int"


def test_what_is_no_id_is_told_with_its_article() -> None:
    for value, words in ((3, "an int: 3"), ([], r"a list: \[\]")):
        with pytest.raises(BadId, match=f"expected a run id, got {words}"):
            RunId.parse(value)  # type: ignore[arg-type]  # the point


class Die(Request[None]):
    pass


class Fragile(Actor[Die]):
    async def receive(self, message: Die) -> None:
        raise ValueError("broken")


async def test_an_actor_and_a_child_that_are_named_by_an_id_are_told_in_plain_text() -> None:
    alice, run = UserId("alice"), IdSource().new(RunId)
    async with open_supervisor("root", [actor_child(alice, Fragile)]) as root:
        ref = root.child(alice)
        assert isinstance(ref, Ref)
        with pytest.raises(ActorStopped, match="actor 'alice' has stopped: crashed: ValueError"):
            await ref.ask(Die())
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(AlreadyStarted, match="'alice'") as started:
            await root.start_child(actor_child(alice, Fragile))
        with pytest.raises(NoSuchChild) as missing:
            root.child(run)
        told = [str(started.value), str(missing.value), str(root.crashes()[0])]
        assert not [text for text in told if "Id(" in text]
        assert type(next(iter(root.children()))) is str


def test_a_child_whose_id_is_no_text_is_still_refused() -> None:
    with pytest.raises(InvalidChildSpec, match="its id must be"):
        ChildSpec(3, trio.sleep_forever)  # type: ignore[arg-type]  # the point
