"""The observer's page: static files without secrets, which ask `/admin/` with a cookie."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import attrs

from greenroom.admin.guard import Guard
from greenroom.transport.door.paths import Handler
from greenroom.transport.door.static_pages import load_pages
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response

OBSERVER: Final = "/observer"


@attrs.frozen
class ObserverPage:
    """Shown to requests that `/admin/` would not refuse for the place they come from."""

    guard: Guard

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to a front door."""
        files = load_pages("greenroom.observer")
        pages: dict[str, Handler] = {f"{OBSERVER}{path}": page for path, page in files.items()}
        pages[OBSERVER] = _to_the_page
        return {path: partial(self._guarded, page) for path, page in pages.items()}

    async def _guarded(self, page: Handler, head: RequestHead) -> Response:
        self.guard.check_place(head)
        return await page(head)


async def _to_the_page(_: RequestHead) -> Response:
    """Relative, because the door does not know where it is mounted."""
    return Response(308, headers={"Location": "observer/"})
