"""A log that nobody can flood."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from greenroom.actors.text.safe import safe_str
from greenroom.delivery.log_context import bound, log_context
from greenroom.log_limit import KINDS, LINES, SECONDS, LimitedHandler, Words
from greenroom.logs import log_formatter
from greenroom.settings import Settings
from tests.protocol.raw_sockets import tcp
from tests.protocol.server import SECRET, serving, token_for

Lines: TypeAlias = list[str]

pytestmark = pytest.mark.fault("P2")


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: Lines = []
        self.contexts: list[dict[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(safe_str(Words(record)))
        self.contexts.append(dict(log_context()))


class Stage:
    """A limited log on a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.kept = Kept()
        self.log = LimitedHandler(self.kept, clock=lambda: self.now)

    @property
    def lines(self) -> Lines:
        return self.kept.lines

    def say(self, words: str, times: int = 1, *, line: int = 1, kind: str | None = None) -> None:
        for _ in range(times):
            record = logging.LogRecord("greenroom", logging.INFO, __file__, line, words, (), None)
            if kind is not None:
                record.kind = kind
            self.log.handle(record)


def test_the_first_of_a_minute_are_written_and_the_others_counted() -> None:
    stage = Stage()
    stage.say("refused", LINES + 1234)
    assert stage.lines == [
        *["refused"] * LINES,
        "more lines like this are counted, not written: refused",
    ]
    stage.now = SECONDS
    stage.say("refused")
    assert stage.lines[LINES + 1 :] == ["and 1,234 more like it: refused", "refused"]


def test_what_was_counted_is_told_with_the_next_line_of_any_kind() -> None:
    stage = Stage()
    stage.say("refused", LINES + 2)
    stage.now = SECONDS
    stage.say("all is well", line=2)
    assert stage.lines[-2:] == ["and 2 more like it: refused", "all is well"]


def test_or_at_the_end() -> None:
    stage = Stage()
    stage.say("refused", LINES + 2)
    stage.log.close()
    assert stage.lines[-1] == "and 2 more like it: refused"


def test_a_flood_of_one_kind_hides_no_other() -> None:
    stage = Stage()
    stage.say("nothing here", 10 * LINES, kind="404")
    stage.say("no token", kind="401")
    stage.say("crashed", line=2)
    assert stage.lines[-2:] == ["no token", "crashed"]


def test_what_is_counted_is_not_said_to_be_of_the_connection_that_comes_next() -> None:
    stage = Stage()
    with bound(connection="one"):
        stage.say("refused", LINES + 2)
    stage.now = SECONDS
    with bound(connection="two"):
        stage.say("refused")
    assert [each.get("connection") for each in stage.kept.contexts[-3:]] == [None, None, "two"]


def test_failures_that_one_function_logs_are_told_apart_by_their_sentences() -> None:
    stage = Stage()
    stage.say("an alarm failed", LINES + 1)
    stage.say("a callback failed")
    assert stage.lines[-1] == "a callback failed"


def test_what_cannot_be_shown_is_counted_all_the_same() -> None:
    stage = Stage()
    for _ in range(LINES + 2):
        broken = logging.LogRecord("greenroom", logging.INFO, __file__, 1, "%d", ("x",), None)
        stage.log.handle(broken)
    stage.log.close()
    assert stage.lines[-1].startswith("and 2 more like it: (its str() raised")


class Floods(RuleBasedStateMachine):
    """Whatever is logged, how fast, and of how many kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        self.said = 0
        self.marks: list[tuple[float, int]] = []

    @rule(times=st.integers(1, 400), line=st.integers(1, 3), kind=st.sampled_from([None, "a"]))
    def say(self, times: int, line: int, kind: str | None) -> None:
        self.stage.say("x", times, line=line, kind=kind)
        self.said += times

    @rule(start=st.integers(0, 10**6))
    def say_things_of_many_kinds(self, start: int) -> None:
        for number in range(start, start + 2 * KINDS):
            self.stage.say("x", kind=str(number))
        self.said += 2 * KINDS

    @rule(seconds=st.floats(0, 2 * SECONDS))
    def time_passes(self, seconds: float) -> None:
        self.stage.now += seconds

    @invariant()
    def memory_and_lines_a_minute_are_bounded(self) -> None:
        assert len(self.stage.log._windows) <= KINDS + 1
        self.marks.append((self.stage.now, len(self.stage.lines)))
        before = [lines for at, lines in self.marks if at <= self.stage.now - SECONDS]
        # A minute may overlap two windows of each kind; two lines tell of those not written.
        most = 2 * (KINDS + 1) * (LINES + 2)
        assert len(self.stage.lines) - (before[-1] if before else 0) <= most

    def teardown(self) -> None:
        """Every line is written, or in a number."""
        self.stage.log.close()
        counted = sum(
            int(found[1].replace(",", ""))
            for line in self.stage.lines
            if (found := re.match(r"and ([\d,]+) more like it", line))
        )
        assert self.stage.lines.count("x") + counted == self.said


TestFloods = Floods.TestCase
TestFloods.settings = settings(max_examples=25, stateful_step_count=20)


@contextmanager
def logged_to(lines: io.StringIO) -> Iterator[None]:
    """greenroom's log as a server has it."""
    target = logging.StreamHandler(lines)
    target.setFormatter(log_formatter(Settings(secret=SECRET, log_level="debug")))
    log, handler = logging.getLogger("greenroom"), LimitedHandler(target)
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        handler.close()


REFUSED = {
    "malformed heads": "GET / HTTP/1.1\r\nAuthorization : Bearer {token}\r\n\r\n",
    "unknown paths": "GET /{token} HTTP/1.1\r\nHost: a\r\n\r\n",
    "bad tokens": "GET /whoami HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}x\r\n\r\n",
}


@pytest.mark.parametrize("request_text", REFUSED.values(), ids=REFUSED)
def test_a_flood_of_refused_requests_leaves_a_small_log_without_their_tokens(
    request_text: str,
) -> None:
    lines, token = io.StringIO(), token_for("alice")
    with logged_to(lines), serving() as server:
        data = request_text.format(token=token).encode()
        for _ in range(5 * LINES):
            with tcp(server.port) as peer:
                peer.sendall(data)
                assert b"".join(iter(partial(peer.recv, 65_536), b"")).startswith(b"HTTP/1.1 4")
    text = lines.getvalue()
    refused = [line for line in text.splitlines() if re.search(r"request: |GET ", line)]
    assert LINES <= len(refused) <= LINES + 3
    assert f"and {4 * LINES} more like it" in text
    assert not any(piece in text for piece in token.split("."))


PROGRAM = """
import logging
from greenroom.logs import configure_logs
from greenroom.settings.settings import Settings
configure_logs(Settings())
for number in range({lines}):
    logging.getLogger("greenroom.transport").info("refused: %d", number)
"""


def test_the_log_of_every_program_that_serves_is_limited() -> None:
    """`serve`, `demo` and `run_server` set their logs up by this one function."""
    program = PROGRAM.format(lines=5 * LINES)

    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    lines = told.stderr.decode().splitlines()
    assert LINES <= len(lines) <= LINES + 3
    assert f"and {4 * LINES} more like it" in lines[-1]
