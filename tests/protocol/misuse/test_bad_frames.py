"""docs/protocol.md, "What a bad frame gets": every kind of bad frame, and its documented answer."""

import json
from contextlib import suppress

import pytest
from websockets.frames import Frame, Opcode

from tests.protocol.client import deep
from tests.protocol.raw_sockets import upgraded

THREAD, RUN = "thread_01h455vb4pex5vsknk084sn02q", "run_01h455vb4pex5vsknk084sn02q"


FATAL = {
    "not JSON": "hello",
    "empty": "",
    "half an object": '{"type":"pong"',
    "two objects": '{"type":"pong"}{"type":"pong"}',
    "an array": '[{"type":"pong"}]',
    "a string": '"pong"',
    "a number": "7",
    "null": "null",
    "a NaN literal": '{"type":"confirm","offset":1,"verdict":NaN}',
    "an infinity": '{"type":"confirm","offset":1,"verdict":-Infinity}',
    "a comment": '{"type":"pong"} // done',
    "single quotes": "{'type':'pong'}",
    "no type": '{"offset":1}',
    "a type that is no string": '{"type":7}',
    "a type of null": '{"type":null}',
    "65 levels": deep(65),
    "20,000 levels": deep(20_000),
    "binary": b'{"type":"pong"}',
    "empty binary": b"",
    "a second hello": '{"type":"hello"}',
}


@pytest.mark.parametrize("frame", FATAL.values(), ids=FATAL)
def test_what_nothing_can_follow_gets_error_then_closing_and_closes_4502(client, frame):
    client.text(frame)
    assert client.closed_with() == 4502
    assert [(each["type"], each["code"]) for each in client.kept] == [
        ("error", 4502),
        ("closing", 4502),
    ]
    assert client.take("closing")["reconnect"] is None


EARLY = {
    "ack": {"offset": 0},
    "displayed": {"offsets": [1]},
    "confirm": {"offset": 1},
    "say": {"id": "1", "body": "hello"},
    "cancel": {"id": "1", "run": RUN},
    "history": {"id": "1", "limit": 1},
    "refresh": {"id": "1", "token": "x"},
    "typing": {"thread": THREAD},
}


@pytest.mark.parametrize("type_", EARLY)
def test_anything_but_hello_before_ready_closes_4502(connect, type_):
    client = connect()
    client.send(type_, **EARLY[type_])
    assert client.closed_with() == 4502
    assert [each["type"] for each in client.kept] == ["error", "closing"]
    assert "after `hello`" in client.take("error")["message"]


def test_what_an_early_frame_asked_for_was_not_done(connect):
    client = connect()
    client.send("say", id="1", body="hello")
    client.closed_with()
    assert connect().hello()["offset"] == 0


WITHOUT_AN_ID = {
    "an unknown type": ({"type": "dance", "id": "1"}, "'dance'"),
    "the type of another": ({"type": "events", "events": []}, "'events'"),
    "an ack without offset": ({"type": "ack"}, "`offset` is missing"),
    "a negative ack": ({"type": "ack", "offset": -1}, "-1"),
    "a float": ({"type": "ack", "offset": 1.0}, "1.0"),
    "a boolean": ({"type": "ack", "offset": True}, "true"),
    "a string": ({"type": "ack", "offset": "1"}, "'1'"),
    "null": ({"type": "ack", "offset": None}, "null"),
    "over 2⁵³": ({"type": "ack", "offset": 2**53 + 1}, str(2**53 + 1)),
    "over 2⁶⁴": ({"type": "ack", "offset": 2**70}, "from -2^53 to 2^53"),
    "past the doubles": ({"type": "confirm", "offset": 1, "verdict": 10**400}, "to 2^53"),
    "displayed, not a list": ({"type": "displayed", "offsets": 1}, "a list of 1 to 1024"),
    "displayed, nothing": ({"type": "displayed", "offsets": []}, "a list of 0"),
    "displayed, too many": ({"type": "displayed", "offsets": [1] * 1025}, "a list of 1025"),
    "displayed, offset 0": ({"type": "displayed", "offsets": [0]}, "from 1 to"),
    "confirm, a long note": ({"type": "confirm", "offset": 1, "note": "x" * 4097}, "4097"),
    "typing, a run": ({"type": "typing", "thread": RUN}, "a thread id, not run"),
    "say without id": ({"type": "say", "body": "x"}, "`id` is missing"),
    "an id of a number": ({"type": "say", "id": 7, "body": "x"}, "not 7"),
    "an empty id": ({"type": "say", "id": "", "body": "x"}, "1 to 128"),
    "half a pair": ({"type": "pong", "x": "\ud800"}, "half a surrogate pair"),
    "half a pair in a list": ({"type": "ack", "offset": 0, "x": [["\udc00"]]}, "half a surrogate"),
    "half a pair in a verdict": (
        {"type": "confirm", "offset": 1, "verdict": "a\ud800b"},
        "half a surrogate pair",
    ),
    "half a pair in an id": ({"type": "say", "id": "\udfff", "body": "x"}, "half a surrogate pair"),
    "half a pair in a type": ({"type": "\ud800"}, "unknown frame type"),
    "an id too long": ({"type": "say", "id": "x" * 129, "body": "x"}, "129 characters"),
}


@pytest.mark.fault("D6")
@pytest.mark.parametrize(("frame", "hint"), WITHOUT_AN_ID.values(), ids=WITHOUT_AN_ID)
def test_a_frame_without_a_usable_id_gets_an_error_and_the_connection_goes_on(client, frame, hint):
    client.text(json.dumps(frame))
    (error,) = client.fence()
    assert set(error) == {"type", "code", "message", "temporary"}
    assert (error["type"], error["code"], error["temporary"]) == ("error", 4502, False)
    assert hint in error["message"]
    assert client.connection.close_code is None


WITH_AN_ID = {
    "say without body": ({"type": "say"}, "`body` is missing"),
    "say an integer over 2⁶⁴": ({"type": "say", "body": {"n": [2**64]}}, "from -2^53 to 2^53"),
    "answer an integer below -2⁶³": (
        {"type": "answer", "ask": "ask_01h455vb4pex5vsknk084sn02q", "value": -(2**63) - 1},
        "from -2^53 to 2^53",
    ),
    "answer an integer past the doubles": (
        {"type": "answer", "ask": "ask_01h455vb4pex5vsknk084sn02q", "value": 10**400},
        "from -2^53 to 2^53",
    ),
    "say half a pair": ({"type": "say", "body": "\ud83d"}, "half a surrogate pair"),
    "say a key of half a pair": ({"type": "say", "body": {"\ud800": 1}}, "half a surrogate pair"),
    "refresh with half a pair": ({"type": "refresh", "token": "\ud800"}, "half a surrogate pair"),
    "cancel half a pair": ({"type": "cancel", "run": "\ud800"}, "half a surrogate pair"),
    "say into a run": ({"type": "say", "body": 1, "thread": RUN}, "a thread id, not run"),
    "say into nonsense": (
        {"type": "say", "body": 1, "thread": "t1"},
        "a thread id, not other text",
    ),
    "say, a half id": (
        {"type": "say", "body": 1, "thread": THREAD[:-1]},
        "a thread id, not other text",
    ),
    "cancel without run": ({"type": "cancel"}, "`run` is missing"),
    "cancel a thread": ({"type": "cancel", "run": THREAD}, "a run id, not thread"),
    "cancel, a number": ({"type": "cancel", "run": 7}, "a run id, not an int"),
    "history without limit": ({"type": "history"}, "`limit` is missing"),
    "history, limit 0": ({"type": "history", "limit": 0}, "from 1 to 200, not 0"),
    "history, limit 201": ({"type": "history", "limit": 201}, "not 201"),
    "history, limit a string": ({"type": "history", "limit": "9"}, "not '9'"),
    "history before 0": ({"type": "history", "limit": 1, "before": 0}, "`before`"),
    "history of a run": ({"type": "history", "limit": 1, "thread": RUN}, "a thread id, not run"),
    "refresh without token": ({"type": "refresh"}, "`token` is missing"),
    "refresh, a number": ({"type": "refresh", "token": 7}, "`token`"),
    "refresh, too long": ({"type": "refresh", "token": "secret" * 3000}, "18000"),
}


@pytest.mark.requirement("R17")
@pytest.mark.fault("D6")
@pytest.mark.parametrize(("frame", "hint"), WITH_AN_ID.values(), ids=WITH_AN_ID)
def test_a_request_with_a_wrong_field_is_answered_with_what_is_wrong(client, frame, hint):
    client.text(json.dumps({**frame, "id": "mine"}))
    (reply,) = client.fence()
    assert set(reply) == {"type", "id", "ok", "error"}
    assert (reply["type"], reply["id"], reply["ok"]) == ("reply", "mine", False)
    assert set(reply["error"]) == {"code", "message", "temporary"}
    assert (reply["error"]["code"], reply["error"]["temporary"]) == (4502, False)
    assert hint in reply["error"]["message"]
    assert "secretsecret" not in reply["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"session": THREAD}, "a session id, not thread"),
        ({"epoch": ""}, "`epoch`"),
        ({"offset": -1}, "`offset`"),
        ({"client": {"name": 3}}, "`client.*`"),
        ({"features": "all"}, "`features`"),
    ],
)
def test_a_hello_with_a_wrong_field_gets_an_error_and_may_be_said_again(connect, fields, hint):
    client = connect()
    client.send("hello", **fields)
    assert hint in client.take("error")["message"]
    assert client.hello()["offset"] == 0


def test_nothing_of_a_bad_frame_takes_effect(client):
    client.send("displayed", offsets=[1, "2"])
    client.send("say", id="1", body="hello", thread=RUN)
    assert [frame["type"] for frame in client.fence()] == ["error", "reply"]
    assert client.ask("say", id="1", body="hello")["ok"] is True
    assert client.events()[0]["offset"] == 1


# What is odd and yet good


def test_of_a_field_given_twice_the_last_one_counts(client):
    client.text('{"type":"say","id":"1","body":"first","body":"last"}')
    assert client.events()[0]["data"]["body"] == "last"


def test_null_stands_for_an_absent_optional_field(client):
    assert client.ask("say", id="1", body="hello", thread=None)["ok"] is True
    assert client.ask("history", id="2", limit=1, thread=None, before=None)["ok"] is True


def test_unknown_fields_are_ignored(client):
    assert client.ask("say", id="1", body="hello", colour="red", offset="x")["ok"] is True


def test_64_levels_are_not_too_deep(client):
    client.text(deep(64))
    assert client.fence() == []


def test_a_frame_of_64_kib_is_not_too_big(client):
    empty = len(json.dumps({"type": "say", "id": "1", "body": ""}))
    assert client.ask("say", id="1", body="x" * (65_536 - empty))["ok"] is True


def test_a_text_in_fragments_with_a_ping_between_is_one_frame(client):
    client.raw(
        Frame(Opcode.TEXT, b'{"type":"say","id":"1",', fin=False),
        Frame(Opcode.PING, b""),
        Frame(Opcode.CONT, b'"body":"\xc3', fin=False),
        Frame(Opcode.CONT, b'\xbc"}'),
    )
    assert client.events()[0]["data"]["body"] == "ü"


# Below JSON


def test_invalid_utf_8_closes_1007(client):
    client.raw_text(b'{"type":"say","id":"1","body":"\xff"}')
    assert client.closed_with() == 1007


def test_utf_8_that_ends_within_a_character_closes_1007(client):
    client.raw_text(b'{"type":"pong\xc3')
    assert client.closed_with() == 1007


@pytest.mark.parametrize("size", [65_537, 100_000, 300_000])
def test_a_frame_over_64_kib_closes_1009(client, size):
    empty = len(json.dumps({"type": "say", "id": "1", "body": ""}))
    client.send("say", id="1", body="x" * (size - empty))
    assert client.closed_with() == 1009


def test_so_does_one_whose_bytes_are_over_though_its_characters_are_not(client):
    client.raw_text(json.dumps({"type": "pong", "x": "ü" * 40_000}, ensure_ascii=False).encode())
    assert client.closed_with() == 1009


def test_so_does_one_in_fragments(client):
    part = b"x" * 20_000
    client.raw(Frame(Opcode.TEXT, part, fin=False), *[Frame(Opcode.CONT, part, fin=False)] * 4)
    assert client.closed_with() == 1009


LATE = {
    "a ping": Frame(Opcode.PING, b"?"),
    "too large": Frame(Opcode.TEXT, b"x" * 70_000),
    "no text": Frame(Opcode.TEXT, b"\xff"),
    "no beginning": Frame(Opcode.CONT, b"of nothing"),
}


@pytest.mark.fault("S13")
@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_what_was_sent_before_the_close_was_seen_changes_nothing(server, token, late):
    """The server would log a crash otherwise, which any client could make it do."""
    peer, _ = upgraded(server.port, token)
    with peer, peer.makefile("rb") as stream:
        peer.sendall(Frame(Opcode.TEXT, b"no JSON").serialize(mask=True))
        while (opcode := stream.read(1)[0] & 0x0F) != Opcode.CLOSE:
            stream.read(length_of_payload(stream))
        assert opcode == Opcode.CLOSE
        assert stream.read(length_of_payload(stream))[:2] == (4502).to_bytes(2)
        peer.sendall(late.serialize(mask=True))
        with suppress(ConnectionResetError):  # the server closes while it is sent more
            peer.sendall(Frame(Opcode.CLOSE, (4502).to_bytes(2)).serialize(mask=True))
            assert stream.read() == b""
    server.wait_until(
        lambda: not any("/conn_" in node.path for node in server.runtime.tree().walk())
    )


def length_of_payload(stream):
    """Of a frame from the server, whose first byte was read."""
    length = stream.read(1)[0]
    return length if length < 126 else int.from_bytes(stream.read(2 if length == 126 else 8))


MASK = b"\x00\x00\x00\x00"  # which leaves the payload as it is
BROKEN = {
    "reserved bits": b"\xa1\x8f" + MASK + b'{"type":"pong"}',
    "compressed, which was not agreed": b"\xc1\x8f" + MASK + b'{"type":"pong"}',
    "a continuation of nothing": b"\x80\x82" + MASK + b"{}",
    "a control frame in fragments": b"\x09\x80" + MASK,
    "a control frame that is too long": b"\x89\xfe\x00\x7e" + MASK + b"x" * 126,
    "an unknown opcode": b"\x83\x80" + MASK,
    "no mask": b'\x81\x0f{"type":"pong"}',
    "a length that could be shorter": b"\x81\xfe\x00\x0f" + MASK + b'{"type":"pong"}',
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_breaks_rfc_6455_closes_1002(client, data):
    client.connection.socket.sendall(data)
    assert client.closed_with() == 1002
