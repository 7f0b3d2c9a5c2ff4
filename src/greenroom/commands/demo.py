"""`greenroom demo`: the example agent and its page, for users of this machine only."""

from __future__ import annotations

import secrets
import socket
from functools import partial
from pathlib import Path

import attrs
import trio

import greenroom
from greenroom.actors.forks.respawn import can_respawn, respawn_when_killed
from greenroom.delivery.journal.private_files import create_private
from greenroom.delivery.journal.sqlite.place import check_kind
from greenroom.loading.agent import load_agent
from greenroom.logs import configure_logs
from greenroom.serving import run_server
from greenroom.settings import BadSettings, Settings
from greenroom.settings.settings import MEMORY
from greenroom.settings.values import SHORTEST_SECRET

LOOPBACK = "127.0.0.1"
EXAMPLE = Path(greenroom.__file__).parent / "demo" / "csv_analyst.py"


def demo(*, port: int = 8700, journal: Path = Path("greenroom-demo.db")) -> None:
    """Serve the demo: an offline agent that answers questions about a CSV, and its page.

    It takes connections from this machine only, and ignores GREENROOM_* and greenroom.toml. Its
    page can kill the server, which is then started again, unless the journal is in memory.

    Parameters
    ----------
    port
        Port to listen on; 0 takes a free one.
    journal
        File to keep the conversations in; the demo's secret is kept beside it.
    """
    asked = Settings(host=LOOPBACK, port=port, journal=journal, show_errors="type")
    # only now: what is refused above must leave no secret behind
    settings = attrs.evolve(asked, port=port or _free_port(), secret=_secret_of(journal))
    agent = load_agent(f"{EXAMPLE}:agent")
    killable = can_respawn() and str(journal) != MEMORY
    if killable:
        respawn_when_killed()
    configure_logs(settings)
    serve = partial(run_server, settings, agent, demo=True, killable=killable, announce=_announce)
    trio.run(serve)


def _free_port() -> int:
    """The same one again for a server that is started again."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _announce(url: str) -> None:
    print(f"The greenroom demo is at {url}\nOpen it in a browser. Ctrl-C ends it.", flush=True)


def _secret_of(journal: Path) -> str:
    """The demo's own secret; kept beside a journal on disk, so that tokens outlive a restart.

    None is written beside a file that is not a journal.
    """
    if str(journal) == MEMORY:
        return secrets.token_urlsafe(32)
    if journal.is_dir():
        raise BadSettings([f"--journal: {journal} is a directory"], advice="name a file in it")
    check_kind(journal)
    path = journal.with_name(f"{journal.name}.secret")
    try:
        return _read(path) if path.exists() else _make(path)
    except OSError as error:
        raise BadSettings([f"{path} cannot be read or written: {error.strerror}"]) from error


def _make(path: Path) -> str:
    """Write a new secret that only its owner can read, or read that of a demo that was faster."""
    secret = secrets.token_urlsafe(32)
    try:
        file = create_private(path)
    except FileExistsError:
        return _read(path)
    with file:
        file.write(secret.encode())
    return secret


def _read(path: Path) -> str:
    secret = path.read_text(encoding="ascii", errors="replace").strip()
    if len(secret) < SHORTEST_SECRET:
        raise BadSettings(
            [f"{path} must hold a secret of at least {SHORTEST_SECRET} characters"],
            advice="delete the file: the demo writes a new one",
        )
    return secret
