"""Splits what a client sends into whole texts, and all the rest for the WebSocket layer (pure)."""

from __future__ import annotations

_FIN, _OPCODE, _MASKED, _LENGTH = 0x80, 0x0F, 0x80, 0x7F
_WHOLE_TEXT = 0x81
_CONTINUATION, _TEXT, _BINARY, _PING, _PONG = 0, 1, 2, 9, 10
_SHORT, _TWO_BYTES = 125, 126
_MOST_IN_TWO_BYTES = 0xFFFF
_MASK_BYTES = 4
_SHORT_HEAD = 2 + _MASK_BYTES


class FrameSplitter:
    """Fed with bytes, gives a client's frames in their order (RFC 6455 §5.2).

    A text comes as `str` if it is whole, in one masked frame without extensions, at most
    `max_bytes` long and UTF-8. Of any other frame come the bytes as they are, for a parser that
    knows the whole protocol. Behind a frame that breaks the protocol or closes, all is bytes.
    """

    __slots__ = ("_amid", "_data", "_gave_up", "_max_bytes", "_passing")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._data = b""
        self._passing = 0  # bytes that are missing of a frame that is passed on
        self._amid = False  # a message in fragments has begun
        self._gave_up = False

    def feed(self, data: bytes | bytearray) -> None:
        self._data = self._data + data if self._data else bytes(data)

    def clear(self) -> None:
        """Forget what was not taken."""
        self._data = b""

    def split(self, data: bytes | bytearray) -> str | bytes:
        """`feed` and `take`; most clients send nothing but one short text at a time."""
        size = len(data) - _SHORT_HEAD
        is_one = 0 <= size <= _SHORT and data[0] == _WHOLE_TEXT and data[1] == _MASKED | size
        if not is_one or size > self._max_bytes or self._is_amid_something:
            self.feed(data)
            return self.take()
        self._data = bytes(data)
        return self._text(2, len(data))

    @property
    def _is_amid_something(self) -> bool:
        return bool(self._data or self._amid or self._passing or self._gave_up)

    def take(self) -> str | bytes:
        """The next text, or bytes of other frames; no bytes while a frame's head is not whole."""
        data = self._data
        if not data:
            return b""
        if self._gave_up:
            return self._pass(len(data))
        if self._passing:
            return self._pass(min(self._passing, len(data)))
        if len(data) < 2:
            return b""
        size, start = data[1] & _LENGTH, 2
        if size > _SHORT:
            start = 4 if size == _TWO_BYTES else 10
            if len(data) < start:
                return b""
            size = int.from_bytes(data[2:start])
            shortest = _SHORT if start == 4 else _MOST_IN_TWO_BYTES
            if size <= shortest:
                return self._give_up()
        end = start + _MASK_BYTES + size
        if data[0] == _WHOLE_TEXT and data[1] & _MASKED and not self._amid:
            if size <= self._max_bytes and len(data) >= end:
                return self._text(start, end)
        elif not self._goes_on(data[0], data[1]):
            return self._give_up()
        self._passing = end
        return self._pass(min(end, len(data)))

    def _goes_on(self, first: int, second: int) -> bool:
        """Whether the protocol goes on behind a frame that begins with these bytes."""
        opcode, fin = first & _OPCODE, bool(first & _FIN)
        if first & ~(_FIN | _OPCODE) or not second & _MASKED:
            return False
        if opcode in (_PING, _PONG):
            return fin and second & _LENGTH <= _SHORT
        if opcode not in (_CONTINUATION, _TEXT, _BINARY) or (opcode == _CONTINUATION) != self._amid:
            return False
        self._amid = not fin
        return True

    def _text(self, start: int, end: int) -> str | bytes:
        data = self._data
        mask = data[start : start + _MASK_BYTES]
        payload = _unmasked(data[start + _MASK_BYTES : end], mask)
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            return self._give_up()
        self._data = data[end:]
        return text

    def _give_up(self) -> bytes:
        self._gave_up = True
        return self._pass(len(self._data))

    def _pass(self, count: int) -> bytes:
        passed, self._data = self._data[:count], self._data[count:]
        self._passing = max(0, self._passing - count)
        return passed


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """§5.3, for all bytes at once."""
    size = len(payload)
    key = (mask * (size // _MASK_BYTES + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)
