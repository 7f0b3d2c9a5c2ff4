"""What goes into the page: tables pasted and dropped, drafts that outlive a reload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from tests.face.page.browser import (
    NEEDS_CHROMIUM,
    PASTE,
    Demo,
    OpenPage,
    attach,
    wait_live,
    wait_until,
)

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [pytest.mark.requirement("R34"), NEEDS_CHROMIUM]

PASTED = {  # its rows, its columns, the words above it
    "a,b\n1,2\n": (1, 2, ""),
    "service, cost\nCompute, 100\nEmail, 5": (2, 2, ""),
    "cost\n100\n40\n50": (3, 1, ""),
    'name,note,cost\nA,"two\nlines, here",1\nB,x,2\n': (2, 3, ""),
    "a,b,c\n1,2,3\n4,5\n6,7,8\n9,1,2\n": (4, 3, ""),
    "a,b\r1,2\r3,4\r": (2, 2, ""),
    'pipe,n\n5" pipe,3\n6" pipe,4\n': (2, 2, ""),
    "from;to;class\nRome;Oslo;first\nBonn;Bern;second\n": (2, 3, ""),
    "Which costs most?\nservice,cost\nA,1\nB,2": (2, 2, "Which costs most?"),
    "Total cost, please\n\nservice,cost\nA,1\nB,2": (2, 2, "Total cost, please"),
    "name,cost\n<b>b</b>,1\nx,2\n": (2, 2, ""),
    "sep=;\na;b\n1;2\n": (1, 2, ""),
    "| service | cost |\n|---|---:|\n| A, or B | 1 |\n": (1, 2, ""),
}
NO_TABLES = [
    '{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}',
    '{"a": 1, "b": 2}\n{"a": 2, "b": 3}\n',
    "def f(a, b):\n    x, y = g(a, b)\n    return x, y\n",
    'rows = [\n    ("a", 1),\n    ("b", 2),\n    ("c", 3),\n]',
    "import os, sys\nfrom a import b, c\nprint(a, b)\n",
    "int a = 1;\nint b = 2;\nint c = 3;\n",
    "Hello, Bob\nthanks, Ann",
    "Dear all,\nplease look,\nregards,",
    "Compute\nStorage\nEmail",
    "<tr><td>a, b</td></tr>\n<tr><td>c, d</td></tr>",
    'costs = {\n  "a": 1,\n  "b": 2,\n}',
]
FOUND = """async (texts) => {
    const { findTable, shapeOf } = await import("/paste.js");
    return texts.map((text) => {
        const found = findTable(text);
        if (found === null) return null;
        const { rows, columns } = shapeOf(found.table);
        return [rows, columns, found.words];
    });
}"""
DROP = """(files) => {
    const data = new DataTransfer();
    for (const [name, text] of Object.entries(files)) data.items.add(new File([text], name));
    const how = {dataTransfer: data, bubbles: true, cancelable: true};
    document.querySelector("main").dispatchEvent(new DragEvent("drop", how));
}"""
READ_SLOWLY = """() => {
    const read = File.prototype.arrayBuffer;
    File.prototype.arrayBuffer = function () {
        return new Promise((done) => { window.readNow = () => done(read.call(this)); });
    };
}"""


def drop(page: api.Page, files: Mapping[str, str]) -> None:
    page.evaluate(DROP, files)


def test_what_people_paste_as_a_table_is_one_and_prose_json_and_code_are_not(
    demo: Demo, open_page: OpenPage
) -> None:
    found = open_page(demo).evaluate(FOUND, [*PASTED, *NO_TABLES])
    expected = [*map(list, PASTED.values()), *[None] * len(NO_TABLES)]
    assert dict(zip([*PASTED, *NO_TABLES], found, strict=True)) == dict(
        zip([*PASTED, *NO_TABLES], expected, strict=True)
    )


def test_a_line_for_the_spreadsheet_and_a_title_are_no_header(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    drop(page, {"costs.csv": "sep=;\nCosts, in EUR\nservice;team;cost\nA;N;1\nB;S;2\n"})
    page.wait_for_selector("[data-testid=chip] >> text=2 rows × 3 columns")


def test_a_question_pasted_with_its_table_is_asked_of_it(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(demo)
    page.evaluate(PASTE, "Total cost by service?\nservice,cost\nCompute,100\n")
    page.wait_for_selector("[data-testid=chip] >> text=1 row × 2 columns")
    assert page.input_value("[data-testid=question]") == "Total cost by service?"


def test_lines_that_may_be_a_table_become_one_when_the_user_says_so(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    names = "name\nAda\nGrace\n"
    page.evaluate(PASTE, names)  # a page's own event pastes nothing
    page.fill("[data-testid=question]", names)
    page.evaluate(PASTE, names)
    page.click("[data-testid=use-as-table]")
    page.wait_for_selector("[data-testid=chip] >> text=2 rows × 1 column")
    assert page.input_value("[data-testid=question]") == ""
    assert page.is_hidden("[data-testid=use-as-table]")


def test_of_dropped_files_the_first_is_attached_and_the_others_are_named(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    drop(page, {"one.csv": "a,b\r1,2\r3,4\r", "two.csv": "c,d\n1,2\n"})
    page.wait_for_selector("[data-testid=chip] >> text=one.csv")
    assert "2 rows × 2 columns" in page.inner_text("[data-testid=chip]")
    assert "two.csv not" in page.inner_text("[data-testid=problem]")


def test_a_file_that_cannot_be_read_leaves_no_other_in_its_place(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    attach(page)
    drop(page, {"picture.png": "\0" * 8})
    page.wait_for_selector("[data-testid=problem] >> text=picture.png is not a text file")
    assert page.locator(".chip").count() == 0


def test_a_question_waits_for_the_table_that_is_still_being_read(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    page.evaluate(READ_SLOWLY)
    drop(page, {"costs.csv": "service,cost\nCompute,100\n"})
    page.wait_for_selector("[data-testid=reading] >> text=Reading…")
    page.fill("[data-testid=question]", "total cost by service")
    page.press("[data-testid=question]", "Enter")
    assert page.locator("article.you").count() == 0
    page.evaluate("window.readNow()")
    page.wait_for_selector("article.you >> text=costs.csv")
    assert page.input_value("[data-testid=question]") == ""


def test_a_question_and_its_table_outlive_a_reload_until_they_are_sent(
    demo: Demo, open_page: OpenPage
) -> None:
    page = open_page(demo)
    attach(page)
    page.fill("[data-testid=question]", "total cost by")
    page.reload()
    page.wait_for_selector("[data-testid=chip]")
    assert page.input_value("[data-testid=question]") == "total cost by"
    page.click("[data-testid=send]")
    page.wait_for_selector("article.you")
    page.reload()
    page.wait_for_selector("article.you")
    assert page.input_value("[data-testid=question]") == ""
    assert page.locator("[data-testid=chip]").count() == 0


def test_a_page_that_may_store_nothing_works_all_the_same(demo: Demo, open_page: OpenPage) -> None:
    """A browser that blocks site data throws at the very name of the storage."""
    denied = [
        f"Object.defineProperty(window, {json.dumps(name)}, {{get() {{ throw new Error(); }}}});"
        for name in ("localStorage", "sessionStorage")
    ]
    page = open_page(demo, script="\n".join(denied))
    page.click("[data-testid=sample]")
    page.wait_for_selector("[data-testid=tool-call]")


def test_forced_colours_leave_the_composer_opaque(demo: Demo, open_page: OpenPage) -> None:
    page = open_page(demo)
    colour = "getComputedStyle(document.getElementById('composer')).backgroundColor"
    assert page.evaluate(colour) == "rgba(0, 0, 0, 0)"  # a gradient
    page.emulate_media(forced_colors="active")
    wait_until(page, lambda: "rgba" not in page.evaluate(colour))


def test_an_agent_that_wants_no_table_is_offered_none(guided: Demo, open_page: OpenPage) -> None:
    page = open_page(guided, url=guided.link("eve"))
    wait_live(page)
    assert not page.is_visible("[data-testid=attach]")
    assert "table" not in page.inner_text("body").lower()
    page.evaluate(PASTE, "a,b\n1,2\n")
    drop(page, {"one.csv": "a,b\n1,2\n"})
    page.wait_for_selector("[data-testid=problem] >> text=takes no files")
    assert page.locator(".chip").count() == 0
