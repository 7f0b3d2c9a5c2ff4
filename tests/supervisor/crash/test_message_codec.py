"""Messages as JSON: whole where they are recorded, short where they are shown, never a secret."""

from __future__ import annotations

import dataclasses
import enum
import importlib

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.recording.redaction import SECRET
from greenroom.actors.ref import Ask, Request
from greenroom.actors.reply import Reply
from greenroom.delivery.events.draft import Draft
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.kinds import Event
from greenroom.delivery.events.record import Mark, Record
from greenroom.delivery.user.messages import ConfirmedThere, UserSays
from greenroom.supervisor.crash.message_codec import (
    WHOLE,
    CannotDecode,
    ValueDecoder,
    classes_of,
    encode,
)
from greenroom.transport.connection.machine.events import FrameRefused
from greenroom.transport.protocol.wire import Confirm, Refresh, Say


class Colour(enum.Enum):
    RED = 1


class Loud(enum.StrEnum):
    YES = "yes"


@attrs.frozen
class Pair:
    left: object
    _right: object = attrs.field(default=None)
    sum: int = attrs.field(init=False, default=7)


@dataclasses.dataclass(frozen=True)
class Plain:
    value: object
    note: object = dataclasses.field(default=None, metadata=dict(SECRET))


@attrs.frozen
class Hidden:
    body: object = attrs.field(metadata=SECRET)
    token: str = "by its name"


class Question(Request[int]):
    pass


def load(path: str) -> object:
    module, _, name = path.partition(":")
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def there_and_back(value: object) -> object:
    return ValueDecoder(load).decode(orjson.loads(orjson.dumps(encode(value, WHOLE))))


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.sampled_from([Colour.RED, Loud.YES, UserId("alice")])
)
keys = st.integers() | st.text() | st.tuples(st.integers(), st.text())
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.frozensets(st.integers())
        | st.sets(st.text())
        | st.dictionaries(keys, inner, max_size=4)
        | st.builds(Pair, inner, right=inner)
        | st.builds(Plain, inner)
    ),
)


@pytest.mark.requirement("R42")
@given(values)
def test_a_recorded_message_comes_back_as_it_was(value: object) -> None:
    again = there_and_back(value)
    assert again == value
    assert type(again) is type(value)


@given(values)
def test_what_is_shown_is_json_and_never_long(value: object) -> None:
    assert len(orjson.dumps(encode(value))) < 400 * 600


def test_what_is_shown_says_where_it_was_cut() -> None:
    assert encode("x" * 300) == {"$cut": "x" * 200, "length": 300}
    assert encode(list(range(50))) == {"$cut": list(range(20)), "length": 50}


def test_secrets_are_left_out_by_their_mark_and_by_their_name() -> None:
    shown = encode(Hidden(b"body", token="abc"))
    assert shown == {
        "$object": f"{__name__}:Hidden",
        "fields": {"body": {"$redacted": "bytes"}, "token": {"$redacted": "str"}},
    }
    assert encode({"password": "x", "user": "y"}) == {
        "password": {"$redacted": "str"},
        "user": "y",
    }
    assert b"secret" not in orjson.dumps(encode(Plain(1, "secret"), WHOLE))


@pytest.mark.requirement("R42")
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Record, {"body"}),
        (Draft, {"rest"}),
        (Event, {"data"}),
        (Mark, {"verdict", "note"}),
        (UserSays, {"body"}),
        (ConfirmedThere, {"verdict", "note"}),
        (Say, {"body"}),
        (Confirm, {"verdict", "note"}),
        (Refresh, {"token"}),
        (FrameRefused, {"message"}),
    ],
)
def test_what_users_say_event_bodies_and_tokens_of_ours_are_secret(
    kind: type, fields: set[str]
) -> None:
    marked = {field.name for field in attrs.fields(kind) if field.metadata.get("redact")}
    assert marked == fields


def test_a_secret_comes_back_as_a_stand_in_and_is_counted() -> None:
    decoder = ValueDecoder(load)
    assert decoder.decode(encode(Hidden(b"body", "t"), WHOLE)) == Hidden(b"redacted", "redacted")
    assert decoder.redacted == 2


def test_an_ask_is_its_request() -> None:
    assert encode(Ask(Question(), Reply())) == {"$ask": {"$opaque": f"{__name__}:Question"}}


class Spiteful:
    @property
    def __class__(self) -> type:
        raise RuntimeError("no")


def test_a_value_that_cannot_be_read_is_named_and_nothing_raises() -> None:
    shown = encode([Spiteful()])
    assert isinstance(shown, dict)
    assert "$opaque" in shown


def test_a_value_that_holds_itself_ends_somewhere() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert orjson.dumps(encode([loop] * 50))


@pytest.mark.parametrize(
    "form",
    [
        {"$opaque": "builtins:object"},
        {"$cut": "abc", "length": 9},
        {"$object": "os:system", "fields": {}},
        {"$object": "subprocess:Popen", "fields": {"args": "true"}},
        {"$object": f"{__name__}:Pair"},
        {"$enum": f"{__name__}:Colour", "name": "BLUE"},
        {"$enum": f"{__name__}:Pair", "name": "left"},
        {"$text": "builtins:int", "value": "1"},
        {"$text": f"{__name__}:load", "value": "1"},
        {"$ask": 1},
        {"$never": "heard of"},
    ],
)
def test_what_stands_for_no_value_is_refused_and_nothing_else_is_called(form: object) -> None:
    with pytest.raises(CannotDecode):
        ValueDecoder(load).decode(form)  # type: ignore[arg-type]  # parametrised


def test_the_classes_a_form_would_load_are_known_before() -> None:
    form = encode(Pair([Colour.RED], UserId("alice")), WHOLE)
    names = [path.partition(":")[2] for path in classes_of(form)]
    assert names == ["Pair", "Colour", "UserId"]
