"""The tools that an agent of the suite has."""

from __future__ import annotations

import asyncio

import attrs


@attrs.define
class SuiteTools:
    """Give the framework these three functions as tools; it must ask before it calls `delete`."""

    deleted: list[str] = attrs.field(factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def add(self, a: int, b: int) -> int:
        """Add two numbers."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return a + b

    async def broken(self, path: str) -> str:
        """Read a file. It fails always."""
        raise OSError(f"no such file: {path}, password=hunter2")

    async def delete(self, path: str) -> str:
        """Delete a file."""
        self.deleted.append(path)
        return f"deleted {path}"
