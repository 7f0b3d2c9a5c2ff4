"""The files of `journal export` and `import`: `-` for the standard streams, gzip by suffix."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from greenroom.delivery.journal.private_files import replace_private
from greenroom.delivery.upkeep.journal_lines import BadExport
from greenroom.delivery.upkeep.journal_upkeep import sync_directory
from greenroom.settings import BadSettings

STREAM: Final = Path("-")
LONGEST_LINE: Final = 16 * 1024 * 1024  # an event has 1 MiB at most


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """The stream to write to. A file is `<path>.part` until it is whole and synced; only its owner
    may read it.

    Raises `BadSettings` if the file exists, or its directory does not.
    """
    if path == STREAM:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.exists():
        raise BadSettings([f"{path} exists already"], advice="name a file that does not exist")
    if not path.absolute().parent.is_dir():
        raise BadSettings(
            [f"there is no directory {path.parent}"], advice="make it first: it may be a typo"
        )
    part = path.with_name(path.name + ".part")
    with ExitStack() as undo:
        undo.callback(part.unlink, missing_ok=True)
        with replace_private(part) as file:
            if path.suffix == ".gz":
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6) as packed:
                    yield cast(BinaryIO, packed)
            else:
                yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    sync_directory(path.absolute().parent)


@contextmanager
def lines_of(path: Path) -> Iterator[Iterator[bytes]]:
    """A file's lines. Reading them raises `BadExport` if the file is damaged."""
    if path == STREAM:
        yield _lines(sys.stdin.buffer)
    elif path.suffix == ".gz":
        with gzip.open(path) as file:
            yield _lines(cast(BinaryIO, file))
    else:
        with path.open("rb") as file:
            yield _lines(file)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    try:
        while line := file.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise BadExport(f"a line is longer than {LONGEST_LINE:,} bytes")
            yield line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadExport(f"it cannot be unpacked: {error}") from error
