"""Text frames of RFC 6455 §5.2 as bytes (pure)."""

from __future__ import annotations

import struct

_WHOLE_TEXT = 0x81  # FIN, no reserved bit, opcode 1
_SHORT, _TWO_BYTES, _EIGHT_BYTES = 125, 126, 127
_MOST_IN_TWO_BYTES = 0xFFFF
_in_two_bytes = struct.Struct("!BBH").pack


def text_frame(text: bytes) -> bytes:
    """A whole text frame of a server: not masked. `text` must be UTF-8."""
    size = len(text)
    if size <= _SHORT:
        return bytes((_WHOLE_TEXT, size)) + text
    if size <= _MOST_IN_TWO_BYTES:
        return _in_two_bytes(_WHOLE_TEXT, _TWO_BYTES, size) + text
    return struct.pack("!BBQ", _WHOLE_TEXT, _EIGHT_BYTES, size) + text
