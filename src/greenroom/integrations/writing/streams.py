"""Streams of frameworks and clients, which have to be closed: that ends the call of the model."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


@asynccontextmanager
async def closing(stream: AsyncIterable[T]) -> AsyncIterator[AsyncIterable[T]]:
    """Close it at the end of the block: generators have `aclose`, the clients' streams `close`."""
    try:
        yield stream
    finally:
        close = getattr(stream, "aclose", None) or getattr(stream, "close", None)
        if close is not None and inspect.isawaitable(closed := close()):
            await closed
