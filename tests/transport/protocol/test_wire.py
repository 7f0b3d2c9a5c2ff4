"""The wire: what a client may say, and what is encoded for it."""

import contextlib
import json

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.errors import Fault
from greenroom.delivery.events.ids import (
    ConnectionId,
    EventId,
    IdSource,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.legacy.legacy_ids import modern
from greenroom.transport.protocol import frame_codec, wire
from greenroom.transport.protocol.close_codes import MEANINGS, CloseCode, reconnects
from greenroom.transport.protocol.frame_codec import FrameDecoder
from greenroom.transport.protocol.frame_limits import FrameLimits
from greenroom.transport.protocol.frame_object import BadFrame
from greenroom.transport.protocol.wire import IsolationViolation

DECODER = FrameDecoder(modern)  # as the server has it


NEW = IdSource()
ALICE, BOB = UserId("alice"), UserId("bob")

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
offsets = st.integers(1, 2**53)
request_ids = st.text(min_size=1, max_size=128)
threads = st.builds(NEW.new, st.just(ThreadId))
runs = st.builds(NEW.new, st.just(RunId))
frames = st.one_of(
    st.builds(
        wire.Hello,
        session=st.none() | st.builds(NEW.new, st.just(SessionId)),
        epoch=st.none() | st.text(min_size=1, max_size=64),
        offset=st.none() | st.integers(0, 2**53),
        event=st.none() | st.builds(NEW.new, st.just(EventId)),
        client=st.none() | st.fixed_dictionaries({"name": st.text(max_size=128)}),
        features=st.lists(st.text(max_size=64), max_size=4).map(tuple),
    ),
    st.builds(wire.Ack, offset=st.integers(0, 2**53)),
    st.builds(wire.Displayed, offsets=st.lists(offsets, min_size=1, max_size=9).map(tuple)),
    st.builds(wire.Confirm, offset=offsets, verdict=json_values, note=st.none() | st.text()),
    st.builds(wire.Say, id=request_ids, body=json_values, thread=st.none() | threads),
    st.builds(wire.CancelRun, id=request_ids, run=runs),
    st.builds(
        wire.HistoryRequest,
        id=request_ids,
        limit=st.integers(1, 200),
        thread=st.none() | threads,
        before=st.none() | offsets,
    ),
    st.builds(wire.Refresh, id=request_ids, token=st.text(min_size=1)),
    st.builds(wire.Typing, thread=threads),
    st.just(wire.Pong()),
)
any_text = st.text(st.characters(exclude_categories=()), max_size=6)
any_texts = st.recursive(
    any_text | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=4,
)
TYPES = ["hello", "ack", "displayed", "confirm", "say", "cancel", "history", "refresh", "typing"]
FIELDS = ["session", "epoch", "offset", "offsets", "id", "body", "thread", "limit", "token", "run"]


def taken_or_refused(message: str) -> wire.ClientFrame | BadFrame:
    try:
        return DECODER.decode(message)
    except BadFrame as error:
        return error


def refused(frame: object) -> BadFrame:
    with pytest.raises(BadFrame) as caught:
        DECODER.decode(frame if isinstance(frame, str | bytes) else json.dumps(frame))
    return caught.value


@given(frames)
def test_every_client_frame_survives_the_wire(frame):
    assert DECODER.decode(frame_codec.encode(frame).decode()) == frame


@given(st.text())
def test_no_text_raises_anything_but_bad_frame(text):
    with contextlib.suppress(BadFrame):
        DECODER.decode(text)


@pytest.mark.fault("D6")
@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(FIELDS), any_texts), st.data())
def test_what_is_taken_from_a_client_can_be_written_as_utf_8(type_, fields, data):
    """JSON may escape half a surrogate pair, which is no text. A frame with one gets its answer."""
    fields |= {"type": type_, "x": data.draw(any_texts)}
    outcome = taken_or_refused(json.dumps(fields))
    if isinstance(outcome, BadFrame):
        assert not outcome.fatal
        assert outcome.id in (None, fields.get("id"))
        assert str(outcome).encode()
    else:
        assert frame_codec.encode(outcome)
        assert json.dumps(fields, ensure_ascii=False).encode()


@pytest.mark.fault("D6")
@given(json_values.map(lambda value: json.dumps({"type": "say", "id": "1", "body": value})))
def test_escaped_pairs_and_backslashes_are_text_like_any_other(frame):
    assert DECODER.decode(frame).body == json.loads(frame)["body"]


@given(json_values)
def test_no_json_value_raises_anything_but_bad_frame(value):
    with contextlib.suppress(BadFrame):
        DECODER.decode(orjson.dumps(value).decode())


@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_no_fields_of_a_known_type_raise_anything_but_bad_frame(type_, fields):
    with contextlib.suppress(BadFrame):
        DECODER.decode(orjson.dumps({"type": type_, **fields}).decode())


@pytest.mark.parametrize(
    "frame", ["", "{", "NaN", "[]", "7", "null", '"ack"', "{}", '{"type": 1}', b"{}", "\ud800"]
)
def test_what_is_no_frame_at_all_is_fatal(frame):
    error = refused(frame)
    assert (error.fatal, error.id, error.code) == (True, None, CloseCode.PROTOCOL_ERROR)
    assert error.fault is Fault.CLIENT


def test_an_unknown_type_is_refused_and_not_fatal():
    error = refused({"type": "dance", "id": "1"})
    assert "'dance'" in str(error)
    assert (error.fatal, error.id) == (False, None)


@given(st.from_regex(r'\A ?\{"type": {0,2}"ack", {0,2}"offset": {0,2}-?[0-9]{0,20}\.?\} ?\Z'))
def test_an_ack_of_any_spelling_is_read_as_the_table_has_it(text):
    def read(decode):
        try:
            return decode(text)
        except BadFrame as bad:
            return str(bad), bad.fatal

    assert read(DECODER.decode) == read(DECODER.decode_any)


def test_unknown_fields_are_ignored():
    assert DECODER.decode('{"type":"ack","offset":3,"colour":"red"}') == wire.Ack(3)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"type": "ack"}, "ack: `offset` is missing"),
        ({"type": "ack", "offset": -1}, "ack: `offset` must be an integer from 0 to"),
        ({"type": "ack", "offset": True}, "not true"),
        ({"type": "ack", "offset": 1.0}, "not 1.0"),
        ({"type": "ack", "offset": 2**53 + 1}, "not 9007199254740993"),
        (
            {"type": "ack", "offset": 10**40},
            "ack: integers must be from -2^53 to 2^53",
        ),
        ({"type": "displayed", "offsets": 3}, "`offsets` must be a list of 1 to 1024, not 3"),
        ({"type": "displayed", "offsets": []}, "not a list of 0"),
        ({"type": "displayed", "offsets": [1] * 1025}, "not a list of 1025"),
        ({"type": "displayed", "offsets": [1, "2"]}, "`offsets[]` must be an integer"),
        ({"type": "confirm", "offset": 1, "note": "x" * 5000}, "(5000 characters)"),
        ({"type": "hello", "features": "typing"}, "`features` must be a list"),
        ({"type": "hello", "client": {"name": 3}}, "`client.*` must be a string"),
        ({"type": "say", "id": "a"}, "say: `body` is missing"),
        ({"type": "say", "body": 1}, "say: `id` is missing"),
        ({"type": "say", "id": "", "body": 1}, "`id` must be a string of 1 to 128 characters"),
        ({"type": "history", "id": "a", "limit": 0}, "an integer from 1 to 200, not 0"),
        ({"type": "history", "id": "a", "limit": 201}, "an integer from 1 to 200, not 201"),
        ({"type": "history", "id": "a"}, "history: `limit` is missing"),
        (
            {
                "type": "thread",
                "id": "a",
                "thread": "thread_01kbx3m9sebmv8t2v9w0c4d5e6",
                "title": " \t\u2003",
            },
            "`title` must be more than spaces, not",
        ),
    ],
)
def test_a_wrong_field_is_named_with_what_was_expected_and_given(frame, message):
    error = refused(frame)
    assert message in str(error)
    assert not error.fatal


def test_an_error_carries_the_id_of_a_frame_that_is_answered():
    assert refused({"type": "say", "id": "a"}).id == "a"
    assert refused({"type": "say", "id": "a" * 129, "body": 1}).id is None
    assert refused({"type": "ack", "id": "a"}).id is None


def test_a_null_body_is_a_body():
    assert DECODER.decode('{"type":"say","id":"1","body":null}') == wire.Say("1", None)


def test_null_stands_for_an_absent_optional_field():
    assert DECODER.decode('{"type":"hello","session":null,"offset":null}') == wire.Hello()


def test_an_id_of_an_older_system_is_read_by_a_decoder_that_is_given_a_parser_for_them():
    old = json.dumps({"type": "typing", "thread": "analyst_1757371363786"})
    assert FrameDecoder(modern).decode(old) == wire.Typing(
        modern(ThreadId, "analyst_1757371363786")
    )
    with pytest.raises(BadFrame, match="`thread` must be a thread id"):
        FrameDecoder().decode(old)


@pytest.mark.requirement("R17")
@pytest.mark.parametrize("kind", [RunId, SessionId])
def test_an_id_of_another_kind_is_refused_naming_both_kinds(kind):
    error = refused({"type": "say", "id": "1", "body": "hi", "thread": NEW.new(kind)})
    assert f"`thread` must be a thread id, not {kind.kind}" in str(error)


@pytest.mark.requirement("R19")
def test_garbage_for_an_id_is_told_as_it_is_with_advice():
    error = refused({"type": "cancel", "id": "1", "run": "my-run"})
    assert "`run` must be a run id, not other text, perhaps a user: 'my-run'" in str(error)
    assert "greenroom ids explain" in str(error)
    assert "not a list" in str(refused({"type": "cancel", "id": "1", "run": ["my-run"]}))


@pytest.mark.parametrize("token", ["", "s3cret" * 4001, ["s3cret"], {"s3cret": 1}, 53, None])
def test_a_token_is_never_repeated_in_an_error(token):
    error = refused({"type": "refresh", "id": "1", "token": token})
    assert "s3cret" not in str(error)
    assert "53" not in str(error)


def test_a_frame_does_not_show_its_token():
    assert "s3cret" not in repr(wire.Refresh("1", "s3cret"))


@pytest.mark.parametrize("nest", ["[]", '{"a":}'])
def test_64_levels_are_read_and_65_are_fatal(nest):
    def say(levels: int) -> str:
        opening, closing = nest[:-1] * (levels - 1), nest[-1] * (levels - 1)
        filled = opening + ("1" if nest != "[]" else "") + closing
        return '{"type":"say","id":"1","body":' + filled + "}"

    assert isinstance(DECODER.decode(say(64)), wire.Say)
    assert refused(say(65)).fatal
    assert refused(say(2000)).fatal
    assert refused(say(30_000)).fatal


def test_many_brackets_side_by_side_are_not_deep():
    body = [[1]] * 500
    assert DECODER.decode(json.dumps({"type": "say", "id": "1", "body": body})) == wire.Say(
        "1", body
    )


@attrs.frozen
class Stored:
    user: UserId
    body: bytes


def test_events_are_joined_as_they_were_encoded():
    frame = wire.events(ALICE, "e1", [Stored(ALICE, b'{"offset":1}'), Stored(ALICE, b'{"o": 2}')])
    assert frame == b'{"type":"events","epoch":"e1","events":[{"offset":1},{"o": 2}]}'


def test_a_replay_says_so():
    frame = orjson.loads(wire.events(ALICE, "e1", [], replay=True))
    assert frame == {"type": "events", "epoch": "e1", "events": [], "replay": True}


@pytest.mark.requirement("R23")
@given(st.lists(st.sampled_from([ALICE, BOB]), max_size=6))
def test_the_encoder_refuses_every_event_of_another_user(owners):
    stored = [Stored(owner, b"{}") for owner in owners]
    encoders = [
        lambda: wire.events(ALICE, "e", stored),
        lambda: wire.reply_history("1", ALICE, stored, more=False),
    ]
    for encoder in encoders:
        if BOB in owners:
            with pytest.raises(IsolationViolation, match="'alice'") as caught:
                encoder()
            assert caught.value.fault is Fault.GREENROOM
        else:
            assert encoder().count(b"{}") == len(owners)


def test_server_frames_have_the_shapes_of_the_protocol():
    session, connection = NEW.new(SessionId), NEW.new(ConnectionId)
    thread, event = NEW.new(ThreadId), NEW.new(EventId)
    assert orjson.loads(
        wire.ready(
            session=session,
            connection=connection,
            user=ALICE,
            epoch="e1",
            offset=7,
            after=6,
            event=event,
            recovered=True,
            heartbeat_ms=25_000,
            expires_ms=99,
            limits=FrameLimits(1024, 5.0, 10),
            features=["typing"],
        )
    ) == {
        "type": "ready",
        "session": session,
        "connection": connection,
        "user": "alice",
        "epoch": "e1",
        "offset": 7,
        "from": 6,
        "event": event,
        "recovered": True,
        "heartbeat": 25_000,
        "expires": 99,
        "max_frame_bytes": 1024,
        "frames_per_second": 5.0,
        "frames_burst": 10,
        "features": ["typing"],
    }
    assert orjson.loads(wire.reply_ok("1", run="r")) == {
        "type": "reply",
        "id": "1",
        "ok": True,
        "run": "r",
    }
    assert orjson.loads(wire.reply_error("1", 4502, "no", temporary=False)) == {
        "type": "reply",
        "id": "1",
        "ok": False,
        "error": {"code": 4502, "message": "no", "temporary": False},
    }
    assert orjson.loads(wire.reply_history("1", ALICE, [Stored(ALICE, b"{}")], more=True)) == {
        "type": "reply",
        "id": "1",
        "ok": True,
        "events": [{}],
        "more": True,
    }
    assert orjson.loads(wire.typing(thread, BOB)) == {
        "type": "typing",
        "thread": thread,
        "from": "bob",
    }
    assert orjson.loads(wire.ping()) == {"type": "ping"}
    assert orjson.loads(wire.ping(7)) == {"type": "ping", "offset": 7}
    assert orjson.loads(wire.error(4502, "no", temporary=False))["message"] == "no"


def test_closing_says_when_to_come_back():
    frame = orjson.loads(wire.closing(CloseCode.GOING_AWAY, reconnect_after_ms=50, jitter_ms=9))
    assert frame == {
        "type": "closing",
        "code": 1001,
        "reason": "the server is draining",
        "reconnect": {"after_ms": 50, "jitter_ms": 9},
    }
    assert orjson.loads(wire.closing(CloseCode.BAD_TOKEN))["reconnect"] is None


def test_every_close_code_has_a_meaning_that_fits_in_a_close_frame():
    assert set(MEANINGS) == set(CloseCode)
    for code in CloseCode:
        assert 0 < len(code.meaning.reason.encode()) <= 123


def test_the_number_of_a_code_of_ours_says_whether_to_reconnect():
    for code in CloseCode:
        if code >= 4000:
            assert code.meaning.reconnect == (code < 4500) == reconnects(code)


def test_unlisted_codes_reconnect_unless_they_are_in_the_last_range():
    assert [reconnects(code) for code in (1006, 1012, 4250, 4600, 4999)] == [
        True,
        True,
        True,
        False,
        False,
    ]
