"""What a runtime's face says without waiting for long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from greenroom.portal.briefly import briefly
from greenroom.portal.faces.face import Face
from greenroom.runtime import Runtime
from greenroom.settings import Settings


class RuntimeFacts(Face[Runtime]):
    """The part of a runtime's face that is the same in every host."""

    __slots__ = ()

    @property
    def settings(self) -> Settings:
        """The settings it was opened with."""
        return self._far.settings

    @property
    def draining(self) -> bool:
        """True once the runtime accepts no new connections and is about to stop."""
        return self._far.draining

    @property
    def restarts(self) -> int:
        """The number of restarted children in the whole tree."""
        return self._far.restarts

    tree: Final = briefly(Runtime.tree)
    crashes: Final = briefly(Runtime.crashes)
    crash: Final = briefly(Runtime.crash)


async def next_line(lines: AsyncIterator[bytes]) -> bytes | None:
    """In the trio thread: the next line of an export; None after the last."""
    return await anext(lines, None)
