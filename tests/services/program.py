"""A program that speaks to users over HTTP, with httpx; and what its users read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import httpx
import orjson

from greenroom.delivery.events.ids import UserId
from greenroom.transport.auth.service_tokens import sign_service_token
from tests.protocol.server import SECRET, Server


@attrs.frozen
class Program:
    """Requests of one service, each of which answers with status and JSON."""

    http: httpx.Client

    def post(self, path: str, body: object = None, key: str | None = None) -> tuple[int, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.http.post(path, json=body if body is not None else {}, headers=headers)
        return answer.status_code, answer.json()

    def get(self, path: str, **query: object) -> tuple[int, Any]:
        answer = self.http.get(path, params={k: str(v) for k, v in query.items()})
        return answer.status_code, answer.json()

    def begin(self, user: str = "alice", key: str | None = None, **more: object) -> Any:
        status, begun = self.post("/api/runs", {"user": user, **more}, key)
        assert status == 201, begun
        return begun

    def say(self, run: str, kind: str, key: str | None = None, **data: object) -> tuple[int, Any]:
        return self.post(f"/api/runs/{run}/events", {"kind": kind, "data": data}, key)

    def stream(self, run: str, lines: Iterator[bytes], key: str | None = None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/x-ndjson"}
        headers |= {"Idempotency-Key": key} if key else {}
        answer = self.http.post(f"/api/runs/{run}/events", content=lines, headers=headers)
        return answer.status_code, answer.json()

    def history(self, run: str) -> list[dict[str, Any]]:
        status, page = self.get(f"/api/runs/{run}/history")
        assert status == 200, page
        return page["events"]


def service_token(
    service: str = "worker", users: tuple[str, ...] = ("*",), seconds: float = 60.0, **more: Any
) -> str:
    return sign_service_token(SECRET, service, seconds, users=users, **more)


@contextmanager
def program(server: Server | int, token: str | None = None, **options: Any) -> Iterator[Program]:
    port = server if isinstance(server, int) else server.port
    headers = {"Authorization": f"Bearer {token or service_token(**options)}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as http:
        yield Program(http)


def kept(server: Server, user: str = "alice") -> list[dict[str, Any]]:
    """All events of a user, from the server's own journal."""

    async def read() -> list[dict[str, Any]]:
        journal = server.runtime.journal
        records = await journal.read(UserId.parse(user), after=0, limit=100_000, max_bytes=2**30)
        return [orjson.loads(record.body) for record in records]

    return server.run(read)


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [each["kind"] for each in events]
