"""HTTP answers as values, and their bytes (pure)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final, Protocol, TypeAlias

import attrs

TEXT = "text/plain; charset=utf-8"
UNFRAMED: Final = {"Content-Security-Policy": "frame-ancestors 'none'"}


@attrs.frozen
class Response:
    """A whole answer: small and known in advance."""

    status: int
    body: bytes = b""
    content_type: str = TEXT
    headers: Mapping[str, str] = attrs.field(factory=dict)

    def encode(self, *, date: str, with_body: bool = True) -> bytes:
        """The bytes to send. `date` as in RFC 9110 §6.6.1; without the body for HEAD."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        headers = {**self.all_headers(date), "Connection": "close"}
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head + self.body if with_body else head

    def own_headers(self) -> dict[str, str]:
        """What `all_headers` has beside the date; of an answer without content none of it."""
        if self.status == HTTPStatus.NO_CONTENT:  # RFC 9110 §8.6: no length
            return dict(self.headers)
        own = {"Content-Type": self.content_type, "Content-Length": str(len(self.body))}
        return {**own, **self.headers}

    def all_headers(self, date: str) -> dict[str, str]:
        """Those of every answer, and its own. What becomes of the connection is not among them."""
        own = {
            "Date": date,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        if self.status != HTTPStatus.NOT_MODIFIED:  # RFC 9110 §15.4.5: no representation headers
            own |= {"Content-Type": self.content_type, "Content-Length": str(len(self.body))}
        return {"Cache-Control": "no-store", **own, **self.headers}


class Outlet(Protocol):
    """Where an answer that goes on is written."""

    async def send(self, data: bytes) -> None:
        """Send these bytes, and wait until they have left. Raises `trio.BrokenResourceError` if the
        client has left, or takes too long to read."""


Write: TypeAlias = Callable[[Outlet], Awaitable[None]]


@attrs.frozen
class StreamedResponse(Response):
    """An answer that goes on: `write` sends its body, and returns at its end."""

    write: Write = attrs.field(kw_only=True, repr=False)

    def own_headers(self) -> dict[str, str]:
        return _without_length(super().own_headers())

    def all_headers(self, date: str) -> dict[str, str]:
        return _without_length(super().all_headers(date))


def _without_length(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "Content-Length"}


def json_answer(body: bytes, status: int = 200) -> Response:
    """An answer for programs; `body` is JSON already. No page may show it in a frame."""
    return Response(status, body, "application/json", UNFRAMED)


def text(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """A short answer for people."""
    return Response(status, f"{sentence}\n".encode(), headers=headers or {})
