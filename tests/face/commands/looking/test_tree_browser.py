"""Browsing the live tree: what keys do, what is drawn, and what bytes are which key."""

from __future__ import annotations

import attrs
import pytest
from rich.console import Console

from greenroom.actors.machine.runner import MachineRunner
from greenroom.actors.mailbox import MailboxStatistics
from greenroom.actors.text.escaping import one_line
from greenroom.commands.output.looking import duration, message_text
from greenroom.commands.tree.browser import BROWSER, Key, Looked, LookFailed, Mode, Order, View
from greenroom.commands.tree.screen import CHROME, screen
from greenroom.commands.tree.terminal_keys import key_names
from greenroom.supervisor.child_info import ChildState
from greenroom.supervisor.crash.actor_note import Move
from greenroom.supervisor.inspection.as_json import CrashLine
from greenroom.supervisor.inspection.tree import TreeNode


def worker(path: str, waiting: int = 0, restarts: int = 0, cpu: float = 0.0) -> TreeNode:
    return TreeNode(
        id=path.rpartition("/")[2],
        path=path,
        kind="worker",
        state=ChildState.RUNNING,
        restarts=restarts,
        mailbox=MailboxStatistics(
            depth=waiting,
            in_hand=0,
            capacity=64,
            peak=waiting,
            taken=3,
            dropped=0,
            age=12.0,
            senders_waiting=0,
        ),
        cpu_share=cpu,
        machine="lamp",
        phase="ON",
        moves=(Move("OFF", "Switch", "ON"),),
    )


NODES = (
    worker("root/idle"),
    worker("root/slow", waiting=9),
    worker("root/weak", restarts=4),
    worker("root/busy", cpu=0.5),
)
TREE = TreeNode("root", "root", "supervisor", ChildState.RUNNING, children=NODES)
CRASH = CrashLine("abcdefgh", 1, 0.0, "root/weak", "crashed", "ValueError: \x1b[2J", 4, 2, True)


class Browser:
    def __init__(self) -> None:
        self.runner = MachineRunner(BROWSER, View())
        self.runner.handle(Looked(TREE, (CRASH,)))

    def press(self, *names: str) -> None:
        for name in names:
            self.runner.handle(Key(name))

    @property
    def view(self) -> View:
        return self.runner.data

    def shown(self) -> list[str]:
        return [row.node.id for row in self.view.rows]

    def drawn(self, width: int = 120, height: int = 20) -> str:
        console = Console(width=width, height=height, record=True, force_terminal=True)
        with console.capture() as printed:
            console.print(screen(self.runner, "http://x", console))
        return printed.get()


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.mark.requirement("R42")
def test_s_sorts_by_what_waits_then_restarts_then_processor(browser: Browser) -> None:
    first = []
    for _ in Order:
        browser.press("s")
        first.append((browser.view.order, browser.shown()[0]))
    assert first == [
        (Order.WAITING, "slow"),
        (Order.RESTARTS, "weak"),
        (Order.CPU, "busy"),
        (Order.TREE, "root"),
    ]


def test_a_search_narrows_as_it_is_typed_and_escape_shows_all_again(browser: Browser) -> None:
    browser.press("/", *"Weakx", "backspace")
    assert browser.shown() == ["weak"]
    assert browser.runner.state is Mode.SEARCHING
    browser.press("enter")
    assert (browser.runner.state, browser.shown()) == (Mode.BROWSING, ["weak"])
    browser.press("escape")
    assert len(browser.shown()) == 5


def test_q_is_a_letter_while_searching_and_quits_otherwise(browser: Browser) -> None:
    browser.press("/", "q")
    assert browser.runner.state is Mode.SEARCHING
    browser.press("escape", "q")
    assert browser.runner.done


@pytest.mark.parametrize("keys", [(), ("/",), ("down", "enter")])
def test_ctrl_c_quits_from_everywhere(keys: tuple[str, ...], browser: Browser) -> None:
    browser.press(*keys, "ctrl-c")
    assert browser.runner.done


def test_the_selection_stays_on_its_node_when_rows_move_and_within_the_rows(
    browser: Browser,
) -> None:
    browser.press("end")
    assert browser.view.selected == "root/busy"
    browser.press("down", "j")
    assert browser.view.selected == "root/busy"
    moved = attrs.evolve(TREE, children=NODES[::-1])
    browser.runner.handle(Looked(moved, ()))
    assert browser.view.index == 1
    browser.runner.handle(Looked(attrs.evolve(TREE, children=()), ()))
    assert browser.view.index == 0
    browser.press("up", "page_up", "k")
    assert browser.view.selected == "root"


@pytest.mark.requirement("R42")
def test_enter_shows_a_nodes_machine_history_and_its_crashes(browser: Browser) -> None:
    browser.press("down", "down", "down", "enter")
    drawn = browser.drawn()
    assert "root/weak" in drawn
    assert "OFF ─Switch→ ON" in drawn
    assert "abcdefgh" in drawn
    assert "\x1b[2J" not in drawn, "a crash cannot write to the terminal"
    browser.press("up")
    assert "no crashes that are remembered" in browser.drawn()
    browser.press("escape")
    assert browser.runner.state is Mode.BROWSING


def test_a_server_that_does_not_answer_is_said_below_what_was_seen_last(browser: Browser) -> None:
    browser.runner.handle(LookFailed("no server answers"))
    drawn = browser.drawn()
    assert "no server answers" in drawn
    assert "slow" in drawn
    browser.runner.handle(Looked(TREE, ()))
    assert "no server answers" not in browser.drawn()


@pytest.mark.parametrize("height", [CHROME + 2, 12, 40])
@pytest.mark.parametrize("width", [24, 60, 99, 200])
def test_what_is_drawn_fits_and_shows_the_selected_node(width: int, height: int) -> None:
    browser = Browser()
    many = attrs.evolve(TREE, children=tuple(worker(f"root/w{n:03}") for n in range(300)))
    browser.runner.handle(Looked(many, ()))
    for _ in range(7):
        browser.press("page_down")
        drawn = browser.drawn(width, height)
        assert len(drawn.splitlines()) <= height
        assert browser.view.selected.rpartition("/")[2] in drawn


def test_a_name_is_whole_however_narrow_the_screen(browser: Browser) -> None:
    long = worker("root/seventeen_letters")
    browser.runner.handle(Looked(attrs.evolve(TREE, children=(long,)), ()))
    cut = [width for width in range(24, 160) if long.id not in browser.drawn(width)]
    assert cut == []


def test_states_are_told_in_words_too(browser: Browser) -> None:
    console = Console(width=120, height=20, no_color=True)
    with console.capture() as printed:
        console.print(screen(browser.runner, "http://x", console))
    assert "running on" in printed.get()


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (b"q", ["q"]),
        (b"\x1b", ["escape"]),
        (b"\x1b[A\x1bOB", ["up", "down"]),
        (b"\x1b[5~\x1b[6~x", ["page_up", "page_down", "x"]),
        (b"\r\n\x7f\x08\x03", ["enter", "enter", "backspace", "backspace", "ctrl-c"]),
        (b"\x1b[15;2~a", ["a"]),
        (b"\x1b[", []),
        ("é中😀".encode(), ["é", "中", "😀"]),
        (b"\x01\x00a\xff", ["a", "\N{REPLACEMENT CHARACTER}"]),
    ],
)
def test_bytes_are_keys(data: bytes, names: list[str]) -> None:
    assert key_names(data) == names


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0s"), (9.94, "9.9s"), (59, "59s"), (61, "1m"), (7200, "2h"), (200_000, "2d")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (
            {"$object": "shop:Sold", "fields": {"pence": 1, "card": {"$redacted": "str"}}},
            "Sold(pence=1, card=[redacted])",
        ),
        ({"$ask": {"$object": "a:B", "fields": {}}}, "B(), awaited"),
        ({"$enum": "a:Colour", "name": "RED"}, "Colour.RED"),
        ({"$text": "a:UserId", "value": "alice"}, '"alice"'),
        ({"$tuple": [1, None]}, "tuple [1, null]"),
        ({"$cut": "ab", "length": 9}, '"ab"… (9 in all)'),
        ({"$opaque": "a:Thing"}, "<Thing>"),
        ({"a": [1]}, "{a: [1]}"),
        ({}, "{}"),
    ],
)
def test_messages_read_like_python(form: object, text: str) -> None:
    assert message_text(form) == text  # type: ignore[arg-type]  # parametrised


def test_nothing_unprintable_reaches_the_terminal() -> None:
    assert one_line("a\x1b\u202eb") == r"a\x1b\u202eb"
