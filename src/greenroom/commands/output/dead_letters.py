"""Dead letters as `greenroom dead-letters` prints them."""

from __future__ import annotations

from greenroom.actors.text.escaping import one_line
from greenroom.delivery.events.record import DeadLetter, Record
from greenroom.delivery.history.times import moment


def shown_whole(letter: DeadLetter, record: Record | None) -> str:
    """A whole letter, for people. `record` is None if the event itself was trimmed."""
    lines = [heading(), line_of(letter)]
    for each in letter.attempts:
        lines.append(
            f"  attempt {each.number}  {moment(each.at / 1000)}  {each.session}  {each.connection}"
        )
    if not letter.attempts:
        lines.append("  no attempts are recorded: it was not sent again to any client")
    lines.append(one_line(record.body.decode()) if record else "  the event itself was trimmed")
    return "\n".join(lines)


def heading() -> str:
    return _columns("event", "kind", "outcome", "given up", "attempts", "user")


def line_of(letter: DeadLetter) -> str:
    attempts, user = len(letter.attempts), one_line(str(letter.user))
    return _columns(
        letter.event, letter.kind, letter.outcome, moment(letter.at / 1000), f"{attempts:>8}", user
    )


def _columns(event: str, kind: str, outcome: str, at: str, attempts: str, user: str) -> str:
    return f"{event:<30}  {kind:<15}  {outcome:<13}  {at:<20}  {attempts}  {user}"
