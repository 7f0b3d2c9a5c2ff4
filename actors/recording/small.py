"""Values that are too small to weigh (pure)."""

from __future__ import annotations


class Small:
    """A base of classes whose instances take 1 KiB at most, even if they are texts, such as ids.

    `greenroom.actors.recording.weight` skips them.
    """

    __slots__ = ()
