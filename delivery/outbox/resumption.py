"""Where a connection starts in its user's log, by what its `hello` says (pure)."""

from __future__ import annotations

import attrs


@attrs.frozen
class Resumption:
    """Where a connection starts: behind `offset`.

    `recovered` is False when a resume lost its place. `parted` says why: the client had another
    event there than the journal.
    """

    offset: int
    recovered: bool
    parted: bool = False


@attrs.frozen
class Log:
    """A user's log: its epoch, the first offset that is kept, and the last one."""

    epoch: str
    first: int
    last: int

    def claimed(self, epoch: str | None, offset: int | None, cursor: int | None) -> int | None:
        """The offset that a `hello` means: its own, else its session's cursor; None for an offset
        of another log."""
        if offset is None or epoch is None:
            offset = cursor if epoch in (None, self.epoch) else None
        elif epoch != self.epoch:
            offset = None
        return None if offset is None or offset > self.last else offset

    def behind(self, offset: int) -> Resumption:
        """Start there, or where the log begins by now."""
        return Resumption(max(offset, self.first - 1), recovered=offset >= self.first - 1)

    def parted(self, agreed: int, cursor: int | None) -> Resumption:
        """The client's log is this one through `agreed` only: the cursor is of what both had."""
        offset = min(agreed, self.last, agreed if cursor is None else cursor)
        return Resumption(max(offset, self.first - 1), recovered=False, parted=True)
