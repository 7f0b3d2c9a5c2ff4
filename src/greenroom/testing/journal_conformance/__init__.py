"""The suite that every journal passes: see `JournalConformance`."""

from greenroom.testing.journal_conformance.backend import (
    CutNextAppend,
    Feature,
    JournalBackend,
    When,
)
from greenroom.testing.journal_conformance.conformance import JournalConformance

__all__ = [
    "CutNextAppend",
    "Feature",
    "JournalBackend",
    "JournalConformance",
    "When",
]
