"""An answer as messages of ASGI (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from greenroom.transport.http.responses import Response


def as_messages(
    response: Response, *, kind: str = "http.response", with_body: bool = True
) -> Iterator[dict[str, object]]:
    """The messages that send it. The server adds the date, and keeps the connection or not."""
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in response.all_headers("").items()
        if name != "Date"
    ]
    yield {"type": f"{kind}.start", "status": response.status, "headers": headers}
    yield {"type": f"{kind}.body", "body": response.body if with_body else b""}
