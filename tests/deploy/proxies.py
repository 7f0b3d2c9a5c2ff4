"""nginx and Caddy as ordinary processes, with what docs/deploy.md prints, in front of a server."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response, text
from tests.deploy.printed import changed, printed
from tests.protocol.client import Client
from tests.protocol.server import Server
from tests.system.processes import free_port
from tests.transport.certificates import self_signed

PATIENCE = 30.0
NGINX = """
daemon off; worker_processes 1; error_log stderr warn; pid {folder}/nginx.pid;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {printed}
}}
"""
CADDY = """
{{
    admin off
    auto_https off
}}
{printed}
"""


@attrs.frozen
class Site:
    """A server behind a proxy that ends TLS."""

    server: Server
    port: int
    prefix: str
    trust: ssl.SSLContext

    def client(self, token: str, **options: Any) -> Client:
        uri = f"wss://127.0.0.1:{self.port}{self.prefix}/live"
        return Client(self.port, token, uri=uri, ssl=self.trust, **options)

    def dial(self, source: str = "127.0.0.1") -> http.client.HTTPConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=self.trust, source_address=(source, 0), timeout=PATIENCE
        )


def nginx_configuration(folder: Path, port: int, upstream: int, prefix: str) -> str:
    pem = str(folder / "server.pem")
    ours = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/ssl/chat.pem": pem,
        "/etc/ssl/private/chat.key": pem,
        "127.0.0.1:8700": f"127.0.0.1:{upstream}",
        "location /": f"location {prefix}/",
    }
    return NGINX.format(folder=folder, printed=changed(printed("nginx"), ours))


def caddy_configuration(folder: Path, port: int, upstream: int, prefix: str) -> str:
    pem = folder / "server.pem"
    route = f"reverse_proxy {prefix}/* " if prefix else "reverse_proxy "
    ours = {
        "chat.example.com {": f"https://127.0.0.1:{port} {{\n    tls {pem} {pem}",
        "reverse_proxy ": route,
        "127.0.0.1:8700": f"127.0.0.1:{upstream}",
    }
    return CADDY.format(folder=folder, printed=changed(printed("caddyfile"), ours))


PROXIES = {
    "nginx": (nginx_configuration, ("-p", ".", "-c")),
    "caddy": (caddy_configuration, ("run", "--adapter", "caddyfile", "--config")),
}


@contextmanager
def behind(proxy: str, server: Server, prefix: str, folder: Path) -> Iterator[Site]:
    program = shutil.which(proxy) or shutil.which(proxy, path="/usr/sbin")
    if program is None:
        pytest.skip(f"needs {proxy} (apt-get install {proxy})")
    configuration, options = PROXIES[proxy]
    _, trust = self_signed(folder)
    port = free_port()
    file = folder / "configuration"
    file.write_text(configuration(folder, port, server.port, prefix))
    log = folder / "log"
    with log.open("wb") as written:
        command = [program, *options, str(file)]
        home = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        process = subprocess.Popen(command, cwd=folder, env=home, stdout=written, stderr=written)
    try:
        _wait_until_open(port, process, log)
        yield Site(server, port, prefix, trust)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait_until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError(f"the proxy does not listen: {log.read_text()}")


async def peer(head: RequestHead) -> Response:
    """A route that says whose request this is, as the server sees it."""
    return text(200, str(head.peer))
