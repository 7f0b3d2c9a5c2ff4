"""The paths of front-end protocols, below `/live`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

import attrs

from greenroom.delivery.events.ids import UserId
from greenroom.delivery.journal.journal import Journal
from greenroom.transport.auth.tokens import Identity
from greenroom.transport.events.event_socket import Carrier
from greenroom.transport.front_ends.ag_ui import requests as ag_ui
from greenroom.transport.front_ends.ai_sdk import requests as ai_sdk
from greenroom.transport.front_ends.commands import Stream
from greenroom.transport.front_ends.durable_streams import LogStream, LogWanted, log_wanted
from greenroom.transport.front_ends.finding import Finder
from greenroom.transport.front_ends.front_socket import FrontSocket
from greenroom.transport.front_ends.run_stream import RunStream
from greenroom.transport.front_ends.wanted import Wanted
from greenroom.transport.http.body import BadBody, whole
from greenroom.transport.http.request_head import BadRequest, RequestHead
from greenroom.transport.http.responses import Response

MOST_BYTES: Final = 1024 * 1024
"""What one request may bring: front ends send all of a conversation each time."""

Request: TypeAlias = Wanted | LogWanted
Parse: TypeAlias = Callable[[RequestHead, UserId, bytes], Request]

_PATHS: Final[Mapping[str, Mapping[str, Parse]]] = {
    "/ag-ui": {"POST": ag_ui.wanted_by_post, "GET": ag_ui.wanted_by_get},
    "/ag-ui/stop": {"POST": ag_ui.wanted_by_stop},
    "/ai-sdk": {"POST": ai_sdk.wanted_by_post},
    "/ai-sdk/*/stream": {"GET": ai_sdk.wanted_by_get},
    "/ai-sdk/*/stop": {"POST": ai_sdk.wanted_by_stop},
    "/stream": {"GET": log_wanted, "HEAD": log_wanted},
}


@attrs.frozen
class FrontGranted:
    """A stream for a proven user. `headers`: those of every answer."""

    identity: Identity
    headers: Mapping[str, str] = attrs.field(repr=False)
    wanted: Request = attrs.field(repr=False)
    finder: Finder = attrs.field(repr=False)

    def socket(self, carrier: Carrier, allow: Callable[[], bool]) -> FrontSocket:
        return FrontSocket(carrier, self, allow)

    async def stream(self) -> Stream | Response:
        """What is wanted, if there is more of it than the client has. Raises `BadRequest`."""
        if isinstance(self.wanted, LogWanted):
            return LogStream(self.wanted, self.finder.journal.epoch)
        return await self._run(self.wanted)

    async def _run(self, wanted: Wanted) -> RunStream | Response:
        found = await self.finder.find(wanted)
        if found is None and wanted.said is None:
            return Response(204)
        stream = RunStream(wanted, found)
        if found is not None:
            async for event in self.finder.known(found):
                stream.know(event)
        return Response(204) if stream.is_over else stream

    async def began_at(self, say: str) -> int | None:
        return await self.finder.began_at(say)


@attrs.frozen
class FrontEnds:
    """The requests of front ends. `path`: below which they are."""

    path: str
    journal: Journal

    def paths(self) -> Iterable[str]:
        return [f"{self.path}{each}" for each in _PATHS]

    def has(self, path: str) -> bool:
        return self._route(path) in _PATHS

    async def grant(
        self, head: RequestHead, identity: Identity, headers: Mapping[str, str]
    ) -> FrontGranted:
        """Raises `BadRequest`."""
        parse = _PATHS[self._route(head.path)][head.method]
        try:
            body = await whole(head.body, MOST_BYTES) if head.method == "POST" else b""
        except BadBody as error:
            raise BadRequest(f"{error.message.capitalize()}.", status=error.status) from error
        wanted = parse(head, identity.user, body)
        return FrontGranted(identity, headers, wanted, Finder(self.journal, identity.user))

    def methods(self, path: str) -> Iterable[str]:
        return _PATHS[self._route(path)]

    def _route(self, path: str) -> str:
        """The path as the table has it: a star stands for its last part but one."""
        below = path.removeprefix(self.path)
        parts = below.split("/")
        starred = "/".join([*parts[:-2], "*", parts[-1]])
        return below if below in _PATHS or len(parts) < 3 else starred
