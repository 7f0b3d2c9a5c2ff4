"""What the URL of a journal in Redis may say, TLS, and servers that are not taken."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenroom.delivery.errors import JournalFailed
from greenroom.testing.journal_conformance.entries import read_offsets, record
from tests.delivery.journal.redis_server import (
    NEEDS_REDIS,
    RedisServer,
    free_port,
    needs,
    opened,
    server_of_its_own,
)
from tests.system.processes import eventually

pytestmark = [NEEDS_REDIS, pytest.mark.requirement("R43")]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's, `own.pem`, which is its own authority, and that of somebody else."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    directory = tmp_path_factory.mktemp("certificates")
    for name in ("own", "other"):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
        command += ["ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key"]
        subprocess.run(
            [*command, "-out", f"{name}.pem"], cwd=directory, check=True, capture_output=True
        )
    return directory


@contextmanager
def with_tls(certificates: Path, *more: str) -> Iterator[tuple[RedisServer, int]]:
    """A server, and its port for TLS."""
    own = certificates / "own.pem"
    settings = [*more, "--tls-cert-file", str(own), "--tls-key-file", str(own.with_suffix(".key"))]
    settings += ["--tls-ca-cert-file", str(own), "--tls-auth-clients", "no"]
    port = free_port()
    with server_of_its_own(*settings, "--tls-port", str(port)) as server:
        yield server, port


async def test_with_tls_a_journal_is_kept(certificates: Path) -> None:
    with with_tls(certificates) as (_, port):
        url = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificates / 'own.pem'}"
        async with opened(url) as journal:
            await journal.append([record(1)])
        async with opened(url) as journal:
            assert await read_offsets(journal) == [1]


async def test_with_tls_the_servers_of_a_cluster_are_found_at_their_ports_for_tls(
    certificates: Path,
) -> None:
    alone = ("--cluster-enabled", "yes", "--tls-cluster", "yes")
    alone += ("--cluster-port", str(free_port()))
    with with_tls(certificates, *alone) as (server, port):
        server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        await eventually(lambda: b"cluster_state:ok" in server.command("CLUSTER", "INFO"))
        url = f"rediss+cluster://127.0.0.1:{port}/chat?ssl_ca_certs={certificates / 'own.pem'}"
        async with opened(url) as journal:
            await journal.append([record(1)])
            assert await read_offsets(journal) == [1]


@pytest.mark.parametrize(
    ("host", "authority", "said"),
    [
        ("127.0.0.1", "other.pem", "certificate verify failed: self-signed certificate"),
        ("localhost", "own.pem", "certificate is not valid for 'localhost'"),
        ("127.0.0.1", "none.pem", "none.pem: no such file"),
        ("127.0.0.1", "own.key", "own.key: no certificate"),
    ],
)
async def test_a_server_that_does_not_prove_who_it_is_is_refused_in_one_line(
    host: str, authority: str, said: str, certificates: Path
) -> None:
    with with_tls(certificates) as (_, port):
        url = f"rediss://{host}:{port}/0?ssl_ca_certs={certificates / authority}"
        with pytest.raises(JournalFailed) as refused:
            async with opened(url):
                pass
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@needs("redis-server-6")
async def test_an_old_server_is_refused_in_one_line() -> None:
    with (
        server_of_its_own(program="redis-server-6") as server,
        pytest.raises(JournalFailed, match=r"is version 6\.\d+\.\d+, but the journal needs 7"),
    ):
        async with opened(server.url(0)):
            pass


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://h/chat", "the database must be a number up to 1000000, not 'chat'"),
        ("redis://h:x/0", "'h:x' must be a host, or a host and a port"),
        ("redis://h:99999/0", "'h:99999' must be a host, or a host and a port"),
        ("redis://h/0?replica=1", "unknown option 'replica'"),
        ("redis://h/0?replicas=-1", "`replicas` must be a number up to 100, not '-1'"),
        ("redis://h,i/0", r"only redis\+sentinel:// and redis\+cluster:// take more than one host"),
        ("redis+cluster://h,i/a{b", r"the journal's name may have A-Z a-z 0-9 _ \. - in it"),
        ("redis+cluster://h/0?service=chat", r"redis\+sentinel:// and \?service= need each other"),
        ("redis+sentinel://h,i/0", r"redis\+sentinel:// and \?service= need each other"),
        ("redis://h/0?service=chat", r"redis\+sentinel:// and \?service= need each other"),
    ],
)
def test_a_url_that_cannot_be_read_is_refused_with_what_is_wrong(url: str, said: str) -> None:
    from greenroom.delivery.journal.redis.connections.address import RedisAddress

    with pytest.raises(JournalFailed, match=said) as refused:
        RedisAddress.of(url.replace("://", "://ann:secret-word@"))
    assert "secret-word" not in str(refused.value)


async def test_a_password_may_have_any_characters() -> None:
    with server_of_its_own() as server:
        server.command("ACL", "SETUSER", "ann", "on", ">a/b@c:d", "~*", "&*", "+@all")
        async with opened(server.url(0).replace("://", "://ann:a%2Fb%40c%3Ad@")) as journal:
            await journal.append([record(1)])
