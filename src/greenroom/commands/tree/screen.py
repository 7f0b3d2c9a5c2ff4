"""The live tree on a full screen: one thread looks, one reads keys, this one draws."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from greenroom.actors.errors import GreenroomError
from greenroom.actors.machine.runner import MachineRunner
from greenroom.actors.text.escaping import one_line
from greenroom.admin.client import AdminClient
from greenroom.commands.output.looking import STATE_STYLES, duration, node_line
from greenroom.commands.tree.browser import BROWSER, Key, Looked, LookFailed, Mode, Order, Row, View
from greenroom.commands.tree.terminal_keys import one_by_one, read_keys
from greenroom.delivery.history.times import moment
from greenroom.supervisor.inspection.tree import TreeNode

HELP = {
    Mode.BROWSING: "↑↓ select · enter history · s sort · / search · q quit",
    Mode.SEARCHING: "type to search · enter keep · escape all",
    Mode.INSPECTING: "↑↓ next node · escape back · q quit",
    Mode.CLOSED: "",
}
CHROME = 5  # lines around the rows
COLUMNS = (  # how wide a screen has room for them, beside the node's name; name and width of each
    (44, (("state", 18),)),
    (60, (("waiting", 7), ("restarts", 8))),
    (80, (("age", 5), ("cpu", 5), ("up", 5))),
    (140, (("peak", 6), ("processed", 9), ("last message", 16))),
)


def watch_tree(client: AdminClient, *, every: float, children: int) -> None:
    """Show the tree until q is pressed."""
    browser = MachineRunner(BROWSER, View())
    events: queue.Queue[object] = queue.Queue()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            events.put(_look(client, children))
            over.wait(every)

    threading.Thread(target=look, daemon=True).start()
    console = Console()
    with one_by_one(), Live(console=console, screen=True, auto_refresh=False) as live:
        keys = threading.Thread(
            target=read_keys, args=(lambda name: events.put(Key(name)), over.is_set)
        )
        keys.start()
        try:
            while not browser.done:
                live.update(screen(browser, client.url, console), refresh=True)
                browser.handle(events.get())
        finally:
            over.set()
            keys.join()


def _look(client: AdminClient, children: int) -> Looked | LookFailed:
    try:
        return Looked(client.tree(children=children), client.crashes())
    except GreenroomError as error:
        return LookFailed(error.message)


def screen(browser: MachineRunner[Mode, View, None], url: str, console: Console) -> RenderableType:
    """Everything that is to be seen, no higher than the console."""
    view, width, height = browser.data, console.size.width, console.size.height
    if browser.state is Mode.INSPECTING and view.node is not None:
        body: RenderableType = _history(view, view.node, height - CHROME)
    else:
        body = _rows(view, width, height - CHROME)
    return Group(_heading(view, url), body, _footing(browser.state, view))


def _heading(view: View, url: str) -> Text:
    nodes = len(list(view.tree.walk())) if view.tree is not None else 0
    heading = Text.assemble(
        ("greenroom ", "bold"), (one_line(url), "dim"), f"  {nodes} nodes", no_wrap=True
    )
    heading.append(f"  sorted by {view.order.value}", "cyan")
    if view.crashes:
        heading.append(f"  {len(view.crashes)} crashes", "red")
    return heading


def _footing(mode: Mode, view: View) -> RenderableType:
    if view.problem is not None:
        return Group(Rule(style="dim"), Text(one_line(view.problem), "bold red", no_wrap=True))
    if mode is Mode.SEARCHING or view.query:
        cursor = "▏" if mode is Mode.SEARCHING else ""
        found = f"  {len(view.rows)} found"
        line = Text.assemble(("/", "bold"), one_line(view.query), cursor, (found, "dim"))
        return Group(Rule(style="dim"), line)
    return Group(Rule(style="dim"), Text(HELP[mode], "dim", no_wrap=True))


def _rows(view: View, width: int, height: int) -> RenderableType:
    if view.tree is None:
        return Text("looking …", "dim")
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("node", ratio=1, no_wrap=True, overflow="ellipsis")
    for name, size in _columns(width):
        table.add_column(
            name,
            width=size,
            no_wrap=True,
            overflow="ellipsis",
            justify="left" if name in ("state", "last message") else "right",
        )
    rows, shown = view.rows, max(1, height - 1)
    first = max(0, min(view.index - shown // 2, len(rows) - shown))
    for number, row in enumerate(rows[first : first + shown], first):
        style = "reverse" if number == view.index else ""
        cells = _cells(row.node)
        table.add_row(_name(view, row), *(cells[name] for name, _ in _columns(width)), style=style)
    return table


def _columns(width: int) -> list[tuple[str, int]]:
    """The columns beside the node that there is room for, with their widths."""
    return [column for least, columns in COLUMNS if width >= least for column in columns]


def _name(view: View, row: Row) -> Text:
    style = "bold" if row.node.kind == "supervisor" else ""
    if view.order is Order.TREE and not view.query:
        return Text("  " * row.depth + one_line(row.node.id), style)
    return Text(one_line(row.node.path), style)


def _cells(node: TreeNode) -> dict[str, Text]:
    mailbox = node.mailbox
    state = node.state.value if node.phase is None else f"{node.state.value} {node.phase.lower()}"
    budget = f"/{node.budget} left" if node.budget is not None and node.restarts else ""
    return {
        "state": Text(one_line(state), STATE_STYLES[node.state]),
        "waiting": Text(str(node.waiting) if mailbox else "", "magenta" if node.waiting else "dim"),
        "age": Text(duration(mailbox.age) if mailbox and node.waiting else ""),
        "restarts": Text(f"{node.restarts}{budget}", "yellow" if node.restarts else "dim"),
        "cpu": Text("–" if node.cpu_share is None else f"{node.cpu_share:.0%}"),
        "peak": Text(str(mailbox.peak) if mailbox else ""),
        "processed": Text(str(node.processed) if mailbox else ""),
        "last message": Text(one_line(node.last_message or "")),
        "up": Text(duration(node.uptime) if node.uptime else "", "dim"),
    }


def _history(view: View, node: TreeNode, height: int) -> RenderableType:
    lines = [Text(one_line(node.path), "bold"), node_line(node), *_mailbox_lines(node)]
    if node.budget is not None:
        lines.append(Text(f"{node.budget} restarts left before it gives up", "dim"))
    if node.moves:
        lines += [Text(""), Text(f"machine {one_line(node.machine or '')}, latest last", "dim")]
        lines += [Text(one_line(f"  {m.old} ─{m.event}→ {m.new}")) for m in node.moves]
    lines += [Text(""), *_crash_lines(view, node)]
    return Group(*lines[:height])


def _mailbox_lines(node: TreeNode) -> Iterator[Text]:
    mailbox = node.mailbox
    if mailbox is not None:
        yield Text(
            f"mailbox {mailbox.depth} of {mailbox.capacity}, {mailbox.in_hand} more in hand, "
            f"peak {mailbox.peak}, {node.processed} processed, {mailbox.dropped} dropped, "
            f"{mailbox.senders_waiting} senders waiting"
        )


def _crash_lines(view: View, node: TreeNode) -> list[Text]:
    """The crashes of the node and of everything below it, newest first."""
    own = [c for c in view.crashes if f"{c.path}/".startswith(f"{node.path}/")]
    if not own:
        return [Text("no crashes that are remembered", "dim")]
    return [
        Text("crashes, newest first (greenroom crash ID shows one)", "dim"),
        *(
            Text.assemble(
                f"  {moment(crash.at)} ",
                (crash.id, "bold"),
                (f" {one_line(crash.summary)}", "red"),
                "" if crash.path == node.path else f"  {one_line(crash.path)}",
            )
            for crash in reversed(own)
        ),
    ]
