"""Asking to a server, repeated until they are answered."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

import anyio
import attrs
import httpx
import orjson

from greenroom.delivery.events.kinds import JSON
from greenroom.remote.errors import NotAnswered, error_of

FIRST_WAIT, LONGEST_WAIT = 0.1, 2.0
"""Seconds before the first repetition of a request, doubled after each."""

PATIENCE: Final = 20.0
"""Seconds for which a request is repeated until the server answers it."""


def new_key() -> str:
    """An idempotency key."""
    return uuid.uuid4().hex


@attrs.frozen
class Asking:
    """Asks one server. `draw`: a number from 0 to 1."""

    http: httpx.AsyncClient = attrs.field(repr=False)
    patience: float = PATIENCE
    draw: Callable[[], float] = attrs.field(default=random.random, repr=False)

    async def post(self, path: str, body: JSON, key: str | None = None) -> Any:
        """The answer to a POST, repeated with the same key until there is one. Raises the error
        that the server's problem stands for, or `NotAnswered`."""
        headers = {"Idempotency-Key": key or new_key(), "Content-Type": "application/json"}
        return await self._ask("POST", path, content=orjson.dumps(body), headers=headers)

    async def get(self, path: str, *, wait: float = 0.0, **query: str | float | None) -> Any:
        """The answer to a GET, which may take `wait` seconds. Raises as `post`."""
        given = {name: value for name, value in query.items() if value is not None}
        params = given | ({"wait": wait} if wait else {})
        return await self._ask("GET", path, params=params, timeout=wait + self.patience)

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        gives_up_at, wait = anyio.current_time() + self.patience, FIRST_WAIT
        while True:
            error: Exception
            try:
                answer = await self.http.request(method, path, **options)
            except httpx.TransportError as failed:
                error = _unreachable(failed)
            else:
                if answer.is_success:
                    return orjson.loads(answer.content)
                said = _problem(answer)
                error = error_of(said)
                if not said.get("retry"):
                    raise error
                wait = max(wait, _retry_after(answer))
            if anyio.current_time() + wait > gives_up_at:
                raise error
            await anyio.sleep(wait * (0.5 + self.draw() / 2))
            wait = min(wait * 2, LONGEST_WAIT)


def _unreachable(error: Exception) -> Exception:
    words = f"the server cannot be reached: {type(error).__name__}"
    reached = NotAnswered(words, advice="check the URL, and that the server is running")
    reached.__cause__ = error
    return reached


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        said = orjson.loads(answer.content)
    except ValueError:
        said = None
    if isinstance(said, dict) and "error" in said:
        return said
    words = f"the server answered {answer.status_code}, which is no answer of greenroom's `/api/`"
    advice = "the URL of a mounted app ends with its prefix, as in https://example.com/chat"
    retry = answer.status_code in (502, 503, 504)
    return {"error": "", "detail": words, "advice": "" if retry else advice, "retry": retry}


def _retry_after(answer: httpx.Response) -> float:
    given = answer.headers.get("retry-after", "0")
    return float(given) if given.isdigit() and len(given) < 4 else 0.0
