"""What a module needs beyond greenroom: `with needed("mcp", "2.3", extra="mcp"): import mcp`."""

from __future__ import annotations

import importlib.metadata
import re
from types import TracebackType

import attrs

from greenroom.integrations.errors import FrameworkMissing


@attrs.frozen
class needed:  # noqa: N801  # it reads as a statement
    """A block of imports from a distribution, of this version or newer. If it is missing, older, or
    has other names inside, the block raises `FrameworkMissing`."""

    distribution: str
    floor: str
    extra: str = attrs.field(kw_only=True)

    def __enter__(self) -> None:
        try:
            found = importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            raise self._missing("which is not installed") from None
        if _numbers(found) < _numbers(self.floor):
            raise self._missing(f"but {found} is installed")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, ImportError):
            found = importlib.metadata.version(self.distribution)
            raise self._missing(f"and cannot use {found}: {error.msg}") from error

    def _missing(self, why: str) -> FrameworkMissing:
        return FrameworkMissing(
            f"greenroom needs {self.distribution} {self.floor} or newer, {why}",
            advice=f"pip install 'greenroom[{self.extra}]'",
        )


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: (2, 68) of `2.68rc1`."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()
