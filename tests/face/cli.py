"""Running the command line as its users do: its words, its output, its exit code."""

from __future__ import annotations

import logging
import os
import pty
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import attrs

from greenroom.command_line import run

SECRET = "a-secret-of-the-tests-that-is-long-enough"
PATIENCE = 60.0  # seconds until a silent process counts as hung, on a busy machine


@attrs.frozen
class Result:
    code: int
    out: str
    err: str


def greenroom(*arguments: str, cwd: Path, secret: str | None = None) -> Result:
    """Run a command to its end, in this process: a second sooner than in one of its own.

    Signals, terminals and pipes need a process: `greenroom_process`, `running`, `on_a_terminal`.
    """
    with ExitStack() as stack:
        out, err = (stack.enter_context(open_text()) for _ in range(2))
        with streams(out, err), settled(cwd, secret), forgotten_modules(cwd), logs_as_they_were():
            code = run(arguments)
        return Result(code, text_of(out), text_of(err))


def greenroom_process(
    *arguments: str, cwd: Path, secret: str | None = None, timeout: float = PATIENCE
) -> Result:
    """Run a command to its end, in a process of its own."""
    done = subprocess.run(
        command(arguments),
        cwd=cwd,
        env=environment(secret),
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def open_text() -> TextIOWrapper:
    """A stream as a process has it, with a file descriptor."""
    return TextIOWrapper(tempfile.TemporaryFile(), encoding="utf-8", write_through=True)


def text_of(stream: TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()


@contextmanager
def streams(out: TextIO, err: TextIO) -> Iterator[None]:
    before = sys.stdin
    with open(os.devnull, encoding="utf-8") as nothing, redirect_stdout(out), redirect_stderr(err):
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = before


@contextmanager
def settled(cwd: Path, secret: str | None) -> Iterator[None]:
    """In that directory, with that environment."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment(secret))
    try:
        with chdir(cwd):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def forgotten_modules(cwd: Path) -> Iterator[None]:
    """Forget the user's modules that a command imports, and where it looked for them."""
    path, modules = sys.path[:], set(sys.modules)
    try:
        yield
    finally:
        places = [cwd, *(Path(each) for each in sys.path if each not in path)]
        sys.path[:] = path
        for name in sys.modules.keys() - modules:
            file = Path(getattr(sys.modules[name], "__file__", None) or "/")
            if any(file.is_relative_to(place) for place in places):
                del sys.modules[name]


@contextmanager
def logs_as_they_were() -> Iterator[None]:
    """Undo `configure_logs`, which `serve` and `demo` call."""
    logger = logging.getLogger("greenroom")
    handlers, level, propagate = logger.handlers, logger.level, logger.propagate
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


class Running:
    """A command that runs on; its lines are read as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def line(self) -> str:
        """The next line of its standard output."""
        return self._lines.get(timeout=PATIENCE)

    def interrupt(self, with_signal: signal.Signals = signal.SIGINT) -> Result:
        """Ctrl-C; then its end."""
        self.process.send_signal(with_signal)
        code = self.process.wait(PATIENCE)
        assert self.process.stderr is not None
        return Result(code, "", self.process.stderr.read())

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))


@contextmanager
def running(*arguments: str, cwd: Path, secret: str | None = None) -> Iterator[Running]:
    """Start a command of ours; it is killed at the end if it still runs."""
    with started(command(arguments), cwd, secret) as process:
        yield process


@contextmanager
def started(words: Sequence[str], cwd: Path, secret: str | None = None) -> Iterator[Running]:
    """The same for any program."""
    with subprocess.Popen(
        words,
        cwd=cwd,
        env=environment(secret),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


def on_a_terminal(words: Sequence[str], *, cwd: Path, **environ: str) -> bytes:
    """What a program shows on a terminal, which by itself is an xterm of 120 columns."""
    master, slave = pty.openpty()
    seen: list[bytes] = []

    def read() -> None:
        try:
            while chunk := os.read(master, 4096):
                seen.append(chunk)
        except OSError:  # EIO: the other end is closed (pty(7))
            return

    reader = threading.Thread(target=read)
    reader.start()
    env = environment(None) | {"TERM": "xterm", "COLUMNS": "120"} | environ
    done = subprocess.run(
        words, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave, timeout=PATIENCE
    )
    os.close(slave)
    reader.join(PATIENCE)
    os.close(master)
    assert done.returncode == 0, b"".join(seen)
    return b"".join(seen)


def command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "greenroom", *arguments]


def environment(secret: str | None) -> dict[str, str]:
    """Ours without any setting of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GREENROOM_")}
    return kept | ({"GREENROOM_SECRET": secret} if secret else {}) | {"PYTHONWARNINGS": "error"}
