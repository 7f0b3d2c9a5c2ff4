"""The console page and its files: read from the package once, served from memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from html import escape
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

import attrs

from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
CONTENT_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


@attrs.frozen
class StaticPage:
    """One file and what a browser needs to know about it."""

    body: bytes = attrs.field(repr=False)
    content_type: str
    etag: str

    async def __call__(self, request: RequestHead) -> Response:
        """The file, or 304 to whoever has it already (RFC 9110 §13.1.2)."""
        headers = {
            "Cache-Control": "no-cache",
            "ETag": self.etag,
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        }
        if self._is_had(request):
            return Response(304, headers=headers)
        return Response(200, self.body, self.content_type, headers)

    def _is_had(self, request: RequestHead) -> bool:
        offered = [tag.removeprefix("W/") for tag in request.listed("if-none-match")]
        return self.etag in offered or "*" in offered


def load_pages(package: str = "greenroom.transport", folder: str = "page") -> dict[str, StaticPage]:
    """Every file of a package's folder by its path; `index.html` is `/` too.

    A file of a kind not in `CONTENT_TYPES` is left out: what has no type is not for browsers.
    """
    root = resources.files(package) / folder
    pages = {
        f"/{path}": _page(file.read_bytes(), _type_of(path))
        for path, file in _files(root, PurePosixPath())
        if _type_of(path)
    }
    if "/index.html" in pages:
        pages["/"] = pages["/index.html"]
    return pages


def with_body_data(page: StaticPage, known: Mapping[str, str]) -> StaticPage:
    """An HTML page whose `<body>` has `data-` attributes."""
    data = "".join(f' data-{name}="{escape(value)}"' for name, value in known.items())
    tag = f"<body{data}>"
    return _page(page.body.replace(b"<body>", tag.encode(), 1), page.content_type)


def _page(body: bytes, content_type: str) -> StaticPage:
    return StaticPage(body, content_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _type_of(path: PurePosixPath) -> str:
    return CONTENT_TYPES.get(path.suffix, "")


def _files(
    folder: Traversable, under: PurePosixPath
) -> Iterator[tuple[PurePosixPath, Traversable]]:
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        path = under / entry.name
        if entry.is_dir():
            yield from _files(entry, path)
        else:
            yield path, entry
