"""A frame as the text that a client would send (pure)."""

from __future__ import annotations

import json


def frame_text(frame: object) -> str:
    """Half a surrogate pair, which UTF-8 has no bytes for, becomes the escape that it was, and
    integers keep their digits: whoever reads the frame judges both."""
    text = json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace").decode()
