"""One suite for every journal.

    class TestMine(JournalConformance):
        lacks = {"copies": "no engine is behind it"}

        def open_journal(self, place):
            ...  # an asynchronous context manager

What your journal cannot do stands in `lacks`; what else it needs of you is in `JournalBackend`.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from greenroom.testing.journal_conformance.claims.asks import AskClaims
from greenroom.testing.journal_conformance.claims.bans import BanClaims
from greenroom.testing.journal_conformance.claims.causes import CauseClaims
from greenroom.testing.journal_conformance.claims.crashes import CrashClaims
from greenroom.testing.journal_conformance.claims.files import FileClaims
from greenroom.testing.journal_conformance.claims.policies import PolicyClaims
from greenroom.testing.journal_conformance.claims.threads import ThreadClaims
from greenroom.testing.journal_conformance.claims.undelivered import UndeliveredClaims
from greenroom.testing.journal_conformance.forgetting import ForgettingClaims
from greenroom.testing.journal_conformance.keeping import KeepingClaims
from greenroom.testing.journal_conformance.model_machine import compare_with_model
from greenroom.testing.journal_conformance.outages import OutageClaims
from greenroom.testing.journal_conformance.receipts import ReceiptClaims
from greenroom.testing.journal_conformance.writers import LONG_LEASE, WriterClaims


class JournalConformance(
    KeepingClaims,
    ForgettingClaims,
    ReceiptClaims,
    WriterClaims,
    OutageClaims,
    ThreadClaims,
    AskClaims,
    FileClaims,
    PolicyClaims,
    UndeliveredClaims,
    CauseClaims,
    CrashClaims,
    BanClaims,
):
    """Subclass it under a name that begins with `Test`, and say how your journal is opened."""

    examples: ClassVar[int] = 60
    """How many orders of calls are drawn for the comparison with the model."""

    node_examples: ClassVar[int] = 10
    """As `examples`, for calls at two nodes."""

    def test_a_journal_answers_as_its_model(self) -> None:
        compare_with_model(
            self.open_journal, durable="durability" not in self.lacks, examples=self.examples
        )

    def test_two_nodes_answer_as_one_model(self) -> None:
        self.skip_without("nodes")
        open_journal = partial(self.open_node, lease_seconds=LONG_LEASE)
        compare_with_model(open_journal, durable=True, examples=self.node_examples, nodes=2)
