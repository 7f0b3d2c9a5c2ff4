"""Keys of a plain terminal, one by one as they are pressed."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SEQUENCES = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"\x1b[D": "left",
    b"\x1bOD": "left",
    b"\x1b[C": "right",
    b"\x1bOC": "right",
    b"\x1b[5~": "page_up",
    b"\x1b[6~": "page_down",
    b"\x1b[H": "home",
    b"\x1b[1~": "home",
    b"\x1bOH": "home",
    b"\x1b[F": "end",
    b"\x1b[4~": "end",
    b"\x1bOF": "end",
}
SINGLES = {
    "\x1b": "escape",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x03": "ctrl-c",
}
READ_BYTES = 1024
LOOK_SECONDS = 0.1
ESCAPE_SECONDS = 0.03  # a sequence's bytes come together; a lone Escape comes alone


@contextmanager
def one_by_one() -> Iterator[None]:
    """Give keys unechoed and at once, Ctrl-C among them, for the length of a block."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    changed = termios.tcgetattr(descriptor)
    changed[3] &= ~termios.ISIG
    termios.tcsetattr(descriptor, termios.TCSANOW, changed)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


def read_keys(deliver: Callable[[str], object], is_over: Callable[[], bool]) -> None:
    """Deliver the name of every key until it is over, or standard input ends."""
    descriptor = sys.stdin.fileno()
    while not is_over():
        if not _ready(descriptor, LOOK_SECONDS):
            continue
        data = os.read(descriptor, READ_BYTES)
        if data == b"\x1b" and _ready(descriptor, ESCAPE_SECONDS):
            data += os.read(descriptor, READ_BYTES)
        for name in key_names(data) if data else ["ctrl-c"]:
            deliver(name)
        if not data:
            return


def key_names(data: bytes) -> list[str]:
    """The keys that these bytes are, without unknown sequences."""
    names = []
    while data:
        known = next((each for each in SEQUENCES if data.startswith(each)), None)
        if known is not None:
            names.append(SEQUENCES[known])
            data = data[len(known) :]
        elif data[:2] in (b"\x1b[", b"\x1bO"):
            data = _after_sequence(data)
        else:
            length = _length(data[0])
            character, data = data[:length].decode(errors="replace"), data[length:]
            name = SINGLES.get(character, character)
            names += [name] if name in SINGLES.values() or character.isprintable() else []
    return names


def _after_sequence(data: bytes) -> bytes:
    """What follows a control sequence: it ends with a byte from @ to ~ (ECMA-48 §5.4)."""
    end = next((i for i in range(2, len(data)) if 0x40 <= data[i] <= 0x7E), len(data) - 1)
    return data[end + 1 :]


def _length(first: int) -> int:
    """How many bytes a UTF-8 character has, by its first (RFC 3629 §3)."""
    if first < 0xC0:
        return 1
    return 2 if first < 0xE0 else 3 if first < 0xF0 else 4


def _ready(descriptor: int, seconds: float) -> bool:
    return bool(select.select([descriptor], [], [], seconds)[0])
