"""Where a connection starts in its user's log, according to its `hello` (pure)."""

from __future__ import annotations

import attrs


@attrs.frozen
class Resumption:
    """A connection starts after `offset`.

    `recovered` is False if the client's place was lost. `parted` is True if it was lost because
    the client had a different event there than the journal.
    """

    offset: int
    recovered: bool
    parted: bool = False


@attrs.frozen
class Log:
    """A user's log: its epoch, the first offset still kept, and the last offset."""

    epoch: str
    first: int
    last: int

    def claimed(self, epoch: str | None, offset: int | None, cursor: int | None) -> int | None:
        """The offset that a `hello` refers to: its own, or else its session's cursor; None for an
        offset of another log."""
        if offset is None or epoch is None:
            offset = cursor if epoch in (None, self.epoch) else None
        elif epoch != self.epoch:
            offset = None
        return None if offset is None or offset > self.last else offset

    def behind(self, offset: int) -> Resumption:
        """Start after `offset`, or at the beginning of the log if it was trimmed further."""
        return Resumption(max(offset, self.first - 1), recovered=offset >= self.first - 1)

    def parted(self, agreed: int, cursor: int | None) -> Resumption:
        """The client's log equals this one through `agreed` only; the cursor is of that part."""
        offset = min(agreed, self.last, agreed if cursor is None else cursor)
        return Resumption(max(offset, self.first - 1), recovered=False, parted=True)
