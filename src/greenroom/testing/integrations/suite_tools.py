"""The tools that an agent of the suite has."""

from __future__ import annotations

import attrs


@attrs.define
class SuiteTools:
    """Give the framework these three functions as tools; it must ask before it calls `delete`."""

    deleted: list[str] = attrs.field(factory=list)

    async def add(self, a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    async def broken(self, path: str) -> str:
        """Read a file. It fails always."""
        raise OSError(f"no such file: {path}, password=hunter2")

    async def delete(self, path: str) -> str:
        """Delete a file."""
        self.deleted.append(path)
        return f"deleted {path}"
