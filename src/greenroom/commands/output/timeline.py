"""A run's story for people, as a table that may grow line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import orjson
from rich.table import Table
from rich.text import Text

from greenroom.actors.text.escaping import one_line
from greenroom.commands.output.events import STYLES
from greenroom.delivery.events.kinds import JSON, Kind
from greenroom.delivery.events.stages import ReceiptStage
from greenroom.delivery.history.timeline import Moment, Sight, Timeline
from greenroom.delivery.history.timeline_json import why_given_up
from greenroom.delivery.history.times import moment as date

WIDE = 88  # columns that a line of the table needs
LONGEST = 400  # characters of an event's data, on a terminal
DATA_WIDTH = 48  # of a table in a pipe: what is longer sticks out
TAIL = 8  # characters that tell a session from its user's others
STAGE_STYLES = {
    ReceiptStage.ACCEPTED: "yellow",
    ReceiptStage.SENT: "yellow",
    ReceiptStage.RECEIVED: "",
    ReceiptStage.DISPLAYED: "green",
    ReceiptStage.CONFIRMED: "bold green",
}


def heading(story: Timeline) -> Text:
    """Whose run it was, when, and how it ended."""
    within = f", a sub-run of {story.parent}" if story.parent else ""
    agent = one_line(story.agent) if story.agent else "no agent"
    end = f"{story.ending} after {clock(story.ended - story.began)} s" if story.ended else "goes on"
    events = f"{len(story.moments)} events" if len(story.moments) > 1 else "1 event"
    return Text.assemble(
        (f"{story.run}", "bold"),
        f"{within}\n{agent} for ",
        (one_line(story.user), "bold"),
        f", in {story.thread}\n{date(story.began / 1000)}, {end}, {events}\n",
    )


def table(story: Timeline, moments: Iterable[Moment], *, heads: bool, room: int | None) -> Table:
    """Lines of the story; tables for the same room fit under each other.

    `room`: a terminal's columns, None where a line may be of any length. With less than `WIDE`, who
    saw an event stands below it.
    """
    wide = room is None or room >= WIDE
    lines = Table(box=None, show_header=heads, header_style="dim", pad_edge=False, expand=True)
    lines.add_column("seconds", width=9, justify="right")
    if wide:
        lines.add_column("kind", width=17, no_wrap=True)
        least = DATA_WIDTH if room is None else None
        lines.add_column("data", ratio=3, min_width=least, no_wrap=True, overflow="ellipsis")
        lines.add_column("seen (session, seconds)", ratio=2, overflow="fold")
    else:
        lines.add_column("event, who saw it", ratio=1, overflow="fold")
    for moment in moments:
        kind = Text(
            "  " * moment.depth + moment.event.kind, style=STYLES.get(moment.event.kind, "")
        )
        data = Text(one_line(account(moment)[: room and LONGEST]))
        seen = Text("\n").join(_seen(moment, story.began))
        rest = [kind, data, seen] if wide else [Text.assemble(kind, " ", data, "\n", seen)]
        lines.add_row(Text(clock(moment.since), style="dim"), *rest)
    return lines


def account(moment: Moment) -> str:
    """What an event says, in short: not fit for a terminal yet."""
    event, took = moment.event, moment.took
    data = event.data
    after = f" after {clock(took)} s" if took is not None else ""
    match event.kind:
        case Kind.USER_SAID:
            return _text(data.get("body"))
        case Kind.AGENT_STARTED:
            again = f" (attempt {_text(data['attempt'])})" if "attempt" in data else ""
            return _text(data.get("agent")) + again + _given(data, "input")
        case Kind.AGENT_THINKING | Kind.PARTIAL_RESULT:
            return _text(data.get("text"))
        case Kind.SUPERSEDED:
            return "(forgotten)"
        case Kind.TOOL_EXECUTING:
            return _text(data.get("tool_name")) + _given(data, "arguments")
        case Kind.TOOL_COMPLETED:
            return f"{_text(data.get('tool_name'))}{after}{_result(data)}"
        case Kind.INPUT_REQUESTED:
            return _text(data.get("prompt")) + _given(data, "options")
        case Kind.INPUT_ANSWERED:
            return _text(data.get("value"))
        case Kind.INPUT_CLOSED:
            return _text(data.get("reason"))
        case Kind.FINAL_REPORT:
            return _text(data.get("report"))
        case Kind.AGENT_COMPLETED:
            return f"{_text(data.get('outcome'))}{after}"
        case Kind.AGENT_FAILED:
            error = f"{_text(data.get('error'))}: {_text(data.get('message'))}"
            return f"{_text(data.get('reason'))}{after}: {error}"
    return _text(data)


def _given(data: Mapping[str, JSON], name: str) -> str:
    return f" {_text(data[name])}" if data.get(name) is not None else ""


def _result(data: Mapping[str, JSON]) -> str:
    if data.get("error") is not None:
        return f": error: {_text(data['error'])}"
    return f": {_text(data.get('result'))}"


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _seen(moment: Moment, began: int) -> Iterator[Text]:
    if moment.letter is not None:
        yield Text(
            f"{moment.outcome} {clock(moment.letter.at - began)}: {why_given_up(moment)}",
            "bold red",
        )
    for sight in moment.sights:
        yield _sight(sight, began)
    if not moment.sights and moment.letter is None:
        yield Text("accepted: not sent to any session yet", STAGE_STYLES[ReceiptStage.ACCEPTED])


def _sight(sight: Sight, began: int) -> Text:
    standing = sight.standing
    when = [
        f"{stage} {clock(at - began)}"
        for stage, at in (("displayed", sight.displayed_at), ("confirmed", sight.confirmed_at))
        if at is not None
    ]
    if not when and sight.received_by is not None:
        when = [f"received by {clock(sight.received_by - began)}"]
    said = [_text(each) for each in (standing.verdict, standing.note) if each is not None]
    text = ", ".join(when) or str(standing.stage)
    text = f"{standing.session[-TAIL:]} {text}{': ' if said else ''}{', '.join(said)}"
    return Text(one_line(text[:LONGEST]), STAGE_STYLES[standing.stage])


def clock(ms: float) -> str:
    """`0.000`, `59.999`, `1:00.000`, `1:00:00.000`: seconds, minutes, hours."""
    sign, whole = ("-", -round(ms)) if ms < 0 else ("", round(ms))
    seconds, rest = divmod(whole, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{sign}{hours}:{minutes:02}:{seconds:02}.{rest:03}"
    return f"{sign}{minutes}:{seconds:02}.{rest:03}" if minutes else f"{sign}{seconds}.{rest:03}"
