"""What the claims of a suite are compared with."""

from __future__ import annotations


def same(actual: object, expected: object, what: str = "found") -> None:
    """Raises `AssertionError` unless they are equal."""
    if actual != expected:
        raise AssertionError(f"{what}: {actual!r}, and not {expected!r}")
