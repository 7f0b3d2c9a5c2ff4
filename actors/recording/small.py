"""Values that nobody needs to weigh (pure)."""

from __future__ import annotations


class Small:
    """A base of classes whose instances take a KiB at most, texts though they may be: ids.

    `greenroom.actors.recording.weight` passes them over.
    """

    __slots__ = ()
