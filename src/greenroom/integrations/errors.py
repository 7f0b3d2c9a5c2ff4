"""Errors of the modules for frameworks."""

from __future__ import annotations

from greenroom.actors.errors import Fault, GreenroomError


class IntegrationError(GreenroomError):
    """A framework and a run do not go together."""


class FrameworkMissing(IntegrationError, ImportError):
    """The framework is not installed, or its version is one that the module does not know."""

    fault = Fault.OPERATOR


class NothingSaid(IntegrationError):
    """The framework ended without an error, a text or a result: its user would see nothing."""


class ToolFailed(IntegrationError):
    """A framework caught the error of a tool, and this is its text. Operators find it, users read
    the usual sentence."""
