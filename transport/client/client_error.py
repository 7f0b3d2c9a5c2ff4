"""What the errors of the Python client have in common (pure)."""

from __future__ import annotations

from greenroom.actors.errors import GreenroomError


class ClientError(GreenroomError):
    """The Python client could not do what was asked."""
