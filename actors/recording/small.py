"""Values that need not be weighed: they are small, or know their weight (pure)."""

from __future__ import annotations


class Small:
    """A base of classes whose instances take 1 KiB at most, even if they are texts, such as ids.

    `greenroom.actors.recording.weight` skips them.
    """

    __slots__ = ()


class Weighed:
    """A base of classes whose instances know what they weigh, for messages that are many."""

    __slots__ = ()

    @property
    def weight(self) -> int:
        """About the bytes that it keeps in memory; found without a look at each part."""
        raise NotImplementedError(f"{type(self).__name__} has no weight")
