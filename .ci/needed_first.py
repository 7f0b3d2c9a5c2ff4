"""Print the tests that a change needs most, for pytest to run before the rest of the suite.

Usage: python .ci/needed_first.py < PATHS, where PATHS are the changed files, one a line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

ROOMS = {
    "actors": "tests/actors",
    "supervisor": "tests/supervisor",
    "delivery": "tests/delivery",
    "transport": "tests/transport",
    "src/greenroom/testing": "tests/testing",
    "src/greenroom": "tests/face",
    "clients": "tests/clients",
    "examples": "tests/examples",
}
"""Where a room's tests stand, in folders of the same names."""


def needed(changed: Iterable[str]) -> Iterator[PurePosixPath]:
    """Test files that changed; then the tests of every folder in which something changed."""
    paths = [PurePosixPath(line.strip()) for line in changed if line.strip()]
    yield from (path for path in paths if path.name.startswith("test_") or path.suffix == ".md")
    for path in paths:
        yield from tests_of(path)


def tests_of(path: PurePosixPath) -> Iterator[PurePosixPath]:
    for room in sorted(ROOMS, key=len, reverse=True):
        if path.is_relative_to(room):
            yield nearest(PurePosixPath(ROOMS[room]) / path.relative_to(room).parent)
            return
    if path.is_relative_to("tests") and not path.name.startswith("test_"):
        yield path.parent  # a helper of the tests beside it


def nearest(folder: PurePosixPath) -> PurePosixPath:
    return folder if Path(folder).is_dir() else nearest(folder.parent)


def is_a_suite(path: PurePosixPath) -> bool:
    """Whether pytest takes it, and it is less than all."""
    is_test = len(path.parts) > 1 and path.parts[0] == "tests"
    is_documentation = path.name == "README.md" or path.parent == PurePosixPath("docs")
    return Path(path).exists() and (is_test or is_documentation)


if __name__ == "__main__":
    print(*dict.fromkeys(filter(is_a_suite, needed(sys.stdin))), sep="\n")
