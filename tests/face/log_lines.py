"""What is logged while a server of the tests runs."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from greenroom.logs import log_formatter
from greenroom.settings import Settings
from tests.protocol.server import SECRET


@contextmanager
def logged(**chosen: object) -> Iterator[io.StringIO]:
    """Everything that anybody logs, formatted as a server with these settings does."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(log_formatter(Settings(secret=SECRET, **chosen)))  # type: ignore[arg-type]
    handler.addFilter(lambda record: not record.name.startswith("websockets"))  # the tests' client
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
