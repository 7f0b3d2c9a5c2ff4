"""The tree and crash reports for people: rich renderables, harmless to a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs
import orjson
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from greenroom.actors.text.escaping import one_line
from greenroom.delivery.history.times import WIDTH, moment
from greenroom.delivery.journal.node import Node
from greenroom.supervisor.child_info import ChildState
from greenroom.supervisor.crash.crash_report import CrashReport
from greenroom.supervisor.crash.error_note import ErrorNote
from greenroom.supervisor.crash.message_codec import JSON
from greenroom.supervisor.inspection.as_json import CrashLine
from greenroom.supervisor.inspection.tree import TreeNode

STATE_STYLES = {
    ChildState.RUNNING: "green",
    ChildState.STARTING: "cyan",
    ChildState.RESTARTING: "bold yellow",
    ChildState.STOPPING: "yellow",
    ChildState.STOPPED: "dim",
}
LINKS = {"cause": "caused by", "context": "while handling"}


def tree_view(node: TreeNode) -> Tree:
    """The whole tree, a line for each node."""
    tree = Tree(node_line(node), guide_style="dim")
    _grow(tree, node)
    return tree


def _grow(tree: Tree, node: TreeNode) -> None:
    for child in node.children:
        _grow(tree.add(node_line(child)), child)
    if node.hidden:
        tree.add(Text(f"… and {node.hidden} more", style="dim"))


def node_line(node: TreeNode) -> Text:
    """Name, state in colour and in words, and whatever is not as it should be."""
    line = Text.assemble(
        (one_line(node.id), "bold" if node.kind == "supervisor" else ""),
        " ",
        (node.state.value, STATE_STYLES[node.state]),
    )
    if node.phase is not None:
        line.append(f" · {one_line(node.phase.lower())}", "cyan")
    for fact, style in _facts(node):
        line.append(f" · {fact}", style)
    return line


def _facts(node: TreeNode) -> Iterator[tuple[str, str]]:
    if node.strategy is not None:
        yield node.strategy, "dim"
    if node.mailbox is not None and node.waiting:
        yield f"{node.waiting} waiting for {duration(node.mailbox.age)}", "magenta"
    if node.mailbox is not None and node.mailbox.depth >= node.mailbox.capacity:
        yield "mailbox full", "bold red"
    if node.mailbox is not None and node.processed:
        yield f"{node.processed} processed, last {one_line(node.last_message or '?')}", "dim"
    if node.restarts:
        yield f"{node.restarts} restarts", "yellow"
    if node.budget is not None and node.budget == 0:
        yield "no restart left", "bold red"
    if node.cpu_share is not None and node.cpu_share >= 0.005:
        yield f"{node.cpu_share:.0%} cpu", "blue"
    if node.left_behind:
        yield f"left behind: {one_line(', '.join(node.left_behind))}", "bold red"
    if node.uptime:
        yield f"up {duration(node.uptime)}", "dim"


def crashes_table(lines: Iterable[CrashLine]) -> Table:
    """Newest first, with a note of those of another process."""
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    for name, width in (("id", 8), ("when", WIDTH), ("restarts", 8), ("replay", 7)):
        table.add_column(name, width=width)
    table.add_column("child", ratio=1, overflow="fold")
    table.add_column("reason", ratio=1, overflow="fold")
    for line in sorted(lines, key=lambda each: (-each.at, -each.number)):
        table.add_row(
            Text(line.id, "bold"),
            moment(line.at),
            str(line.restarts),
            _replay(line),
            Text.assemble(one_line(line.path), ("" if line.here else "  (earlier)", "dim")),
            Text(one_line(line.summary), "red"),
        )
    return table


def nodes_table(nodes: Iterable[Node]) -> Table:
    """Oldest first."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("node", "where", "version", "started", "lease", "address", "works for"):
        table.add_column(name, overflow="fold")
    for node in nodes:
        lease = Text("over", "red") if node.left < 0 else Text(f"{duration(node.left)} left")
        started = moment(node.started / 1000)
        where, agents = one_line(node.name), one_line(", ".join(node.agents))
        address = one_line((node.address or "").removeprefix("http://"))
        table.add_row(str(node.number), where, node.version, started, lease, address, agents)
    return table


def nodes_json(nodes: Iterable[Node]) -> bytes:
    """The same for programs: `started` in ms, `left` in seconds."""
    return orjson.dumps({"schema": "greenroom.nodes/1", "nodes": [attrs.asdict(n) for n in nodes]})


def _replay(line: CrashLine) -> str:
    """How `greenroom replay` can run it: as it is, with `--actor`, or not at all (empty)."""
    if not line.replayable:
        return ""
    return "--actor" if line.needs_actor else "yes"


def crash_view(report: CrashReport, line: CrashLine) -> Group:
    """A whole crash report, and where it crashed."""
    return Group(*_crash_parts(report, line))


def _crash_parts(report: CrashReport, line: CrashLine) -> Iterator[RenderableType]:
    yield Text.assemble(
        ("crash ", "dim"), (report.id, "bold"), "  ", (one_line(report.path), "bold")
    )
    yield Text(one_line(f"{report.reason.kind.value}: {report.summary}"), "bold red")
    yield Text(_circumstances(report), "dim")
    if not line.here and line.began is not None:
        where = f"in process {line.process}, started {moment(line.began)}, not in this server's"
        yield Text(one_line(where), "dim")
    if report.callers:
        yield Text(one_line(f"asked for by {', and that by '.join(report.callers)}"), "dim")
    if report.error is not None:
        yield from _section("what was raised", error_lines(report.error))
    actor = report.actor
    if actor is not None and actor.machine is not None:
        moves = (f"{move.old} -{move.event}-> {move.new}" for move in actor.moves)
        title = f"machine {actor.machine}, now {actor.phase}"
        yield from _section(title, map(_plain, moves))
    if actor is not None:
        before = f", {actor.forgotten} before them forgotten" if actor.forgotten else ""
        title = f"last messages of {actor.type}{before}"
        yield from _section(title, (_plain(message_text(each)) for each in actor.messages))
    if report.chain:
        chain = (f"{moment(e.at)}  {e.id}  {e.path}  {e.reason}" for e in report.chain)
        yield from _section("crashes that led here", map(_plain, chain))


WHEN = {
    "start": "while it was started, ",
    "restart": "while it was restarted, ",
    "shutdown": "while it was stopped, ",
    "crash": "",
}


def _circumstances(report: CrashReport) -> str:
    budget = f", {report.budget} restarts left" if report.budget is not None else ""
    return (
        f"{moment(report.at)}, {WHEN[report.context]}up {duration(report.uptime)}, "
        f"restarted {report.restarts} times before{budget}"
    )


def _section(title: str, lines: Iterable[RenderableType]) -> Iterator[RenderableType]:
    yield Text("")
    yield Rule(Text(one_line(title), "dim"), align="left", style="dim", characters="─")
    for line in lines:
        yield Padding(line, (0, 0, 0, 2))


def error_lines(error: ErrorNote) -> Iterator[Text]:
    """The error, where it came from innermost first, then what caused it."""
    yield Text(one_line(f"{error.name}: {error.message}"), "red")
    for frame in reversed(error.frames):
        yield Text(one_line(f"  {frame.source}"))
        yield Text(one_line(f"    {frame.function}, {frame.file}:{frame.line}"), "dim")
    for note in error.notes:
        yield Text(one_line(f"  note: {note}"), "yellow")
    for member in error.errors:
        yield from error_lines(member)
    if error.cause is not None and error.link is not None:
        yield Text(f"{LINKS[error.link]}", "dim italic")
        yield from error_lines(error.cause)


def message_text(form: JSON) -> str:
    """An encoded message as Python would show it: `Deposit(amount=10, token=[redacted])`."""
    if isinstance(form, dict) and form:
        return _tagged(form)
    if isinstance(form, list):
        return f"[{', '.join(map(message_text, form))}]"
    return orjson.dumps(form).decode()


def _tagged(form: dict[str, JSON]) -> str:
    tag, held = next(iter(form.items()))
    name = str(held).rpartition(":")[2]
    match tag:
        case "$object":
            fields = form.get("fields")
            items = fields.items() if isinstance(fields, dict) else ()  # the report is a file
            return f"{name}({', '.join(f'{k}={message_text(v)}' for k, v in items)})"
        case "$enum":
            return f"{name}.{form.get('name')}"
        case "$text":
            return message_text(form.get("value"))
        case "$ask":
            return f"{message_text(held)}, awaited"
        case "$redacted":
            return "[redacted]"
        case "$cut":
            return f"{message_text(held)}… ({form.get('length')} in all)"
        case "$opaque":
            over = form.get("over")
            return f"<{name}>" if over is None else f"<{name}, over {over} bytes>"
        case "$bytes" | "$int" | "$float" | "$tuple" | "$set" | "$frozenset" | "$dict":
            return f"{tag[1:]} {message_text(held)}"
    return f"{{{', '.join(f'{key}: {message_text(value)}' for key, value in form.items())}}}"


def duration(seconds: float) -> str:
    """`0.4s`, `12s`, `3m`, `5h`, `12d`: two figures are enough."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    for size, unit in ((60, "s"), (60, "m"), (24, "h")):
        if seconds < size:
            return f"{seconds:.0f}{unit}"
        seconds /= size
    return f"{seconds:.0f}d"


def _plain(text: str) -> Text:
    return Text(one_line(text))
