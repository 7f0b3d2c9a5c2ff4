"""Files that a message holds itself (pure)."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode
from typing import Final
from urllib.parse import unquote_to_bytes

import attrs

from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.files.taken import File
from greenroom.transport.http.request_head import BadRequest

DATA_URL: Final = "data:"
UNKNOWN_TYPE: Final = "application/octet-stream"


@attrs.frozen
class HeldFile:
    """A file whose bytes came with the message that it is a part of."""

    name: str = attrs.field(metadata=SECRET)
    media: str
    data: bytes = attrs.field(metadata=SECRET)

    def sent(self, conversation: str, place: int) -> File:
        """As a file of the message. Sent again there, it is the same file, and not kept twice."""
        head = f"front-end file\0{conversation}\0{place}\0".encode()
        key = hashlib.sha256(head + self.data).hexdigest()[:32]
        return File(key, self.name, self.media, len(self.data))


def from_data_url(url: str, name: JSON, media: JSON) -> HeldFile:
    """RFC 2397. Raises `BadRequest`."""
    head, comma, encoded = url.removeprefix(DATA_URL).partition(",")
    if not comma:
        raise BadRequest("A `data:` URL must have a comma before its data.")
    kind, is_base64 = head.partition(";")[0], head.lower().endswith(";base64")
    data = unquote_to_bytes(encoded)
    return _held(name, media or kind, _decoded(data) if is_base64 else data)


def from_base64(encoded: str, name: JSON, media: JSON) -> HeldFile:
    """Raises `BadRequest`."""
    return _held(name, media, _decoded(encoded.encode(errors="replace")))


def _held(name: JSON, media: JSON, data: bytes) -> HeldFile:
    named = name if isinstance(name, str) and name else "file"
    typed = media if isinstance(media, str) and "/" in media else UNKNOWN_TYPE
    return HeldFile(named, typed, data)


def _decoded(data: bytes) -> bytes:
    try:
        return b64decode(data, validate=True)
    except binascii.Error:
        raise BadRequest("The data of a file must be base64 (RFC 4648 §4), with padding.") from None
