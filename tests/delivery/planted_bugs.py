"""Bugs planted one by one in a copy of the package: which of them does the delivery model see?

    python -m tests.delivery.planted_bugs [name…]

Each is a mistake that could be made: a piece of the delivery core, and what it becomes. The piece
must be in its file exactly once.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import attrs

import greenroom

PACKAGE = Path(greenroom.__file__).parent
MODEL = "tests/delivery/test_delivery_model.py"
EXAMPLES = 1_000
FAST = {"DELIVERY_MODEL_SHRINKS": "no", "DELIVERY_MODEL_EXAMPLES": str(EXAMPLES)}


@attrs.frozen
class Bug:
    name: str
    module: str
    code: str
    becomes: str


BUGS = [
    Bug(
        "a failed append keeps its offsets",
        "outbox",
        "        self._notes.not_kept()\n",
        "        self._notes.not_kept()\n        self.last += len(lost)\n",
    ),
    Bug(
        "marks of a failed append are lost",
        "outbox",
        "self._marks = {_key(mark): mark for mark in marks} | self._marks",
        "pass",
    ),
    Bug(
        "letters of a failed append are lost",
        "notes",
        "[*self._in_flight, *self.waiting]",
        "self.waiting",
    ),
    Bug(
        "acks of a failed append are lost",
        "outbox/sessions",
        "self._moved |= self._in_flight",
        "pass",
    ),
    Bug(
        "acks are not written after an actor's crash",
        "outbox/sessions",
        "frozenset(reach) if reach else NONE",
        "NONE",
    ),
    Bug(
        "an attached session is forgotten for room",
        "outbox/sessions",
        "return\n            self._make_room({*attached, session})",
        "return\n            self._make_room({session})",
    ),
    Bug(
        "a session whose cursor is not durable is forgotten for room",
        "outbox/sessions",
        "needed |= self._moved | self._sent_more | self._in_flight",
        "pass",
    ),
    Bug(
        "a resume says nothing of what it has",
        "outbox/sessions",
        "self.receive(session, offset)",
        "pass",
    ),
    Bug(
        "a lost place does not begin a new stretch",
        "outbox/sessions",
        "self._reach[session] = Reach(offset, offset, offset)",
        "self._reach[session] = Reach(0, offset, offset)",
    ),
    Bug(
        "a forged place is believed",
        "outbox",
        "min(claimed, self._believable(session, known))",
        "claimed",
    ),
    Bug("a forged ack is believed", "outbox", "0 <= offset <= feed.handed", "0 <= offset"),
    Bug(
        "a forged mark is believed", "outbox", "1 <= mark.offset <= feed.handed", "1 <= mark.offset"
    ),
    Bug(
        "another epoch's place is believed",
        "resumption",
        "elif epoch != self.epoch:",
        "elif False:",
    ),
    Bug(
        "a session of a lost place goes on",
        "admission",
        "if session is None or not position.recovered:",
        "if session is None:",
    ),
    Bug(
        "a page may be ahead of the outbox",
        "outbox",
        "[record for record in records if record.offset <= self.last]",
        "list(records)",
    ),
    Bug("a page begins one too late", "tail", "start = offset + 1 -", "start = offset + 2 -"),
    Bug(
        "what is at hand is thought to begin earlier",
        "tail",
        "offset + 1 < records[0].offset",
        "offset + 2 < records[0].offset",
    ),
    Bug("the window is never full", "feed", "self.unwritten_events <= limits.frame_events", "True"),
    Bug("what is written is not noted", "feed", "while self.unwritten and", "while False and"),
    Bug(
        "a taken session keeps its old connection",
        "outbox",
        "for command in superseded:\n            self.detach(command.connection)",
        "for _ in superseded:\n            pass",
    ),
    Bug(
        "a connection behind an open breaker is handed more",
        "pump",
        "and feed.redelivery.circuit is Circuit.CLOSED\n",
        "",
    ),
    Bug(
        "an ack does not start the clock anew",
        "redelivery",
        "        self.due = None\n        if waiting",
        "        if waiting",
    ),
    Bug(
        "the clock stops at an ack of a part",
        "retries",
        "waiting = offset < feed.handed",
        "waiting = False",
    ),
    Bug("an ack does not close the breaker", "redelivery", "if self.failures:", "if False:"),
    Bug(
        "what was acknowledged is sent again",
        "retries",
        "if acked < record.offset <= written",
        "if record.offset <= written + 1",
    ),
    Bug(
        "a connection is given up too early",
        "redelivery",
        ".most:\n        return stay(failures, Retry.GIVE_UP)\n    if",
        ".opens_at:\n        return stay(failures, Retry.GIVE_UP)\n    if",
    ),
    Bug(
        "sent counts as received",
        "standings",
        "if offset <= cursor.offset else",
        "if offset <= cursor.sent else",
    ),
    Bug(
        "what was sent is settled",
        "user_log",
        "(each.start, each.offset) for each in cursors)",
        "(each.start, each.sent) for each in cursors)",
    ),
    Bug(
        "the other class is settled, too",
        "settlement",
        "if event.event_class is self.event_class:",
        "if True:",
    ),
    Bug("time runs out too early", "policy", "now - at >= self", "2 * (now - at) >= self"),
    Bug(
        "what is known to have come is given up",
        "settling",
        ".stage >= done",
        ".stage > ReceiptStage.CONFIRMED",
    ),
    Bug(
        "the settler does not look again",
        "settling",
        "        self._looking = False\n        more_in",
        "        more_in",
    ),
    Bug(
        "a settler that failed does not try again",
        "settling",
        "            self._wind(AGAIN_SECONDS)\n            self._answer(found)",
        "            self._answer(found)",
    ),
    Bug(
        "new events are not settled",
        "settling",
        "        self._unseen = True\n",
        "        return\n",
    ),
    Bug(
        "a wait does not ask the journal",
        "receipts",
        "if kept.value.stage(sessions) >= request.stage and not reply.is_set:",
        "if False:",
    ),
    Bug(
        "folding skips an event",
        "folding",
        "superseded(gone[0], gone[-1].offset)",
        "superseded(gone[0], gone[-1].offset + 1)",
    ),
    Bug("a merged answer is backwards", "folding", "[*reversed(texts), ", "[*texts, "),
    Bug(
        "the newest events go out before those of the page that is read",
        "pump",
        "            feed.handed != before\n"
        "            or not feed.live\n"
        "            or feed.reading_until is not None\n            or",
        "            ",
    ),
    Bug(
        "critical events are folded",
        "folding",
        "record.kind in TEXTS",
        "record.kind in {Kind.FINAL_REPORT, Kind.PARTIAL_RESULT}",
    ),
    Bug("a wait ends a stage early", "receipts", ".stage >= stage:", ".stage >= stage - 1:"),
    Bug("what was erased stays at hand", "tail", "each.offset <= through else", "False else"),
    Bug("a mark outlives its event", "user_log", "if key[0] not in offsets", ""),
    Bug(
        "a dead letter outlives its event",
        "user_log",
        "            del self.dead_letters[event]\n",
        "            pass\n",
    ),
    Bug("an erased event is given up", "settlement", " or event.kind is Kind.SUPERSEDED:", ":"),
    Bug("an erasure ends after a step", "erasing", "outcome.Value) and more.value:", "int):"),
    Bug(
        "another thread's event is erased",
        "user_log",
        "if record.thread == thread and record",
        "if record",
    ),
    Bug(
        "critical events lose their content",
        "user_log",
        "record.event_class is EventClass.PROGRESS and ",
        "",
    ),
    Bug("a mark outlives forgotten progress", "user_log", "if key[0] not in gone}", "}"),
    Bug("progress goes without its outcome", "cutoffs", "offset > settled or ", ""),
    Bug("an erased user's session lives", "memory_store", "_users.pop(user, None)", "_users"),
    Bug(
        "a question of an earlier attempt outlives its run",
        "user_runs",
        "if draft.kind in RUN_ENDS:",
        "if False:",
    ),
    Bug(
        "a question of the broken attempt stays open",
        "broken_runs",
        "self._close_asks(broken.run.run)",
        "[]",
    ),
    Bug(
        "a tool of the broken attempt stays open",
        "broken_runs",
        "reversed(broken.tools)",
        "broken.tools[1:]",
    ),
    Bug("the text begins again", "broken_runs", "pieces=broken.pieces", "pieces=0"),
    Bug(
        "a stop is known to the journal alone",
        "broken_runs",
        " or run in self._parts.stopped:",
        ":",
    ),
    Bug(
        "stops are forgotten with the actor",
        "broken_runs",
        "stopped.intersection_update(self._runs)",
        "stopped.clear()",
    ),
    Bug("attempts are not bounded", "attempt", "< self.attempts.get(run.agent, 0)", "< 99"),
    Bug(
        "a run is taken up twice",
        "broken_runs",
        "        del self.waiting[run.run]\n",
        "",
    ),
    Bug(
        "a policy is not kept with its run",
        "says",
        "beside=run_policies(self._parts.say_policies),",
        "beside=None,",
    ),
    Bug(
        "a policy goes with the first events of its run that are erased",
        "user_log",
        "self.policies.erase(ended)",
        "self.policies.erase(runs)",
    ),
    Bug(
        "how far a session was sent events is not written",
        "outbox/sessions",
        "self._moved | self._sent_more, NONE",
        "self._moved, NONE",
    ),
    Bug(
        "a class settles events with a policy of their run",
        "settlement",
        "if (own := self.own.get(event.run)) is not None:",
        "if (own := None) is not None:",
    ),
    Bug(
        "a class passes by what its run's policy waits for",
        "settlement",
        "if event.offset > own.through and not",
        "if not",
    ),
    Bug(
        "a policy goes with its run's end",
        "settlement",
        "each.ended and now.due is None and through[now.event_class] >= now.through",
        "each.ended",
    ),
    Bug(
        "time runs out too early by a run's policy",
        "settlement",
        "if not policy.is_over(event.since, self.now)",
        "if not policy.is_over(event.since, 2 * self.now)",
    ),
    Bug(
        "what was received is skipped, whatever its run's policy",
        "settlement",
        "policies = [self.policy, *(each.policy for each in self.own.values())]",
        "policies = [self.policy]",
    ),
]


def place_of(bug: Bug, package: Path) -> tuple[Path, str]:
    """The file that the bug is planted in, and what it says without the bug."""
    [file] = (package / "delivery").rglob(f"{bug.module}.py")
    right = file.read_text(encoding="utf-8")
    if (times := right.count(bug.code)) != 1:
        raise ValueError(f"{bug.name}: {bug.code!r} must be in {file} once, not {times} times")
    return file, right


def planted(bug: Bug, right: str) -> str:
    """The file with the bug. Raises `SyntaxError`: every test would see such a bug."""
    wrong = right.replace(bug.code, bug.becomes)
    ast.parse(wrong)
    return wrong


def is_seen(bug: Bug, root: Path) -> bool:
    """The model fails with this bug planted in the copy of the package at `root`."""
    file, right = place_of(bug, root / "greenroom")
    file.write_text(planted(bug, right), encoding="utf-8")
    try:
        return runs_red(root)
    finally:
        file.write_text(right, encoding="utf-8")


def runs_red(root: Path) -> bool:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", MODEL]
    environ = {**os.environ, "PYTHONPATH": str(root), "CI": "true", **FAST}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stdout + done.stderr)
    return done.returncode == 1


def main(names: list[str]) -> None:
    bugs = [bug for bug in BUGS if not names or bug.name in names]
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        shutil.copytree(PACKAGE, root / "greenroom", ignore=shutil.ignore_patterns("__pycache__"))
        assert not runs_red(root), "the model fails without any bug"
        missed = []
        for bug in bugs:
            seen = is_seen(bug, root)
            print("seen  " if seen else "MISSED", f"{bug.module}: {bug.name}", flush=True)
            missed += [] if seen else [bug]
    seen_ones = len(bugs) - len(missed)
    print(f"{seen_ones} of {len(bugs)} planted bugs are seen in {EXAMPLES:,} examples at most")


if __name__ == "__main__":
    main(sys.argv[1:])
