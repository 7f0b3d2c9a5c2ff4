"""Files go with a question: chosen, dropped, pasted, shown, removed, refused in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING

import apsw
import pytest

from tests.face.page.browser import (
    NEEDS_CHROMIUM,
    Demo,
    OpenPage,
    duplicate,
    wait_live,
    wait_run,
    wait_until,
)
from tests.face.page.files.files_agent import TAKES, digest

if TYPE_CHECKING:
    from playwright import sync_api as api

pytestmark = [pytest.mark.requirement("R34"), NEEDS_CHROMIUM]

CHIPS, SENT = "[data-testid=file-chip], [data-testid=sending]", "[data-testid=file-chip]"
PICTURE = bytes(range(256)) * 600  # 153,600 bytes: four parts
GIVE = """([how, files]) => {
    const data = new DataTransfer();
    for (const [name, type, text] of files) data.items.add(new File([text], name, {type}));
    const [kind, field, place] = how === "paste"
        ? [ClipboardEvent, "clipboardData", document.querySelector("#question")]
        : [DragEvent, "dataTransfer", document.querySelector("main")];
    place.dispatchEvent(new kind(how, {[field]: data, bubbles: true, cancelable: true}));
}"""


def choose(page: api.Page, files: Mapping[str, tuple[str, bytes]]) -> None:
    page.set_input_files(
        "[data-testid=file]",
        [{"name": name, "mimeType": of[0], "buffer": of[1]} for name, of in files.items()],
    )


def first_parts_only(socket: api.WebSocketRoute) -> None:
    """Of each file, as if the link were slow."""
    server = socket.connect_to_server()
    rest = re.compile(r'"type":"file".*"start":[1-9]')
    socket.on_message(lambda text: None if rest.search(str(text)) else server.send(text))


def uploads_of(user: str, server: Demo) -> list[int]:
    """The bytes of each file of the user that no message has."""
    with closing(apsw.Connection(str(server.journal), flags=apsw.SQLITE_OPEN_READONLY)) as journal:
        sql = "SELECT received FROM file WHERE user = ? AND run IS NULL ORDER BY received"
        return [int(str(received)) for (received,) in journal.execute(sql, (user,))]


def names(page: api.Page) -> list[str]:
    return page.locator(".chip-name").all_inner_texts()


def problem(page: api.Page) -> str:
    page.wait_for_selector("[data-testid=problem]:not([hidden])")
    return page.inner_text("[data-testid=problem]")


def send(page: api.Page, text: str) -> None:
    page.fill("[data-testid=question]", text)
    page.keyboard.press("Enter")


def test_files_go_with_a_question_and_the_agent_reads_them(
    reading: Demo, open_page: OpenPage
) -> None:
    page = open_page(reading, url=reading.link("ada"))
    assert page.inner_text("#attach") == "Attach files"
    choose(page, {"sky.png": ("image/png", PICTURE), "notes.md": ("", b"# hi")})
    send(page, "What is this?")  # it waits for them
    wait_run(page, "done")
    shown = page.inner_text("[data-testid=answer]")
    assert f"sky.png image/png 153600 {digest(PICTURE)}" in shown
    assert f"notes.md text/markdown 4 {digest(b'# hi')}" in shown
    assert "You said: 'What is this?'" in shown
    bubble = [" ".join(each.split()) for each in page.locator(".you p").all_inner_texts()]
    assert bubble == ["sky.png · 154 KB", "notes.md · 4 bytes", "What is this?"]
    assert page.locator(CHIPS).count() == 0


def test_dropped_and_pasted_files_are_attached_and_removed_by_the_keyboard(
    reading: Demo, open_page: OpenPage
) -> None:
    page = open_page(reading, url=reading.link("bea"))
    page.evaluate(GIVE, ["drop", [["a.txt", "text/plain", "one"]]])
    page.evaluate(GIVE, ["paste", [["b.png", "image/png", "two"]]])
    wait_until(page, lambda: page.locator(SENT).count() == 2)
    assert page.inner_text("#announcer") == "b.png attached, 3 bytes."
    page.focus("[aria-label='Remove a.txt']")
    page.keyboard.press("Enter")
    assert names(page) == ["b.png"]
    assert page.inner_text("#announcer") == "a.txt removed."
    assert page.evaluate("document.activeElement.id") == "question"
    page.reload()
    wait_until(page, lambda: names(page) == ["b.png"])
    send(page, "And this?")
    wait_run(page, "done")
    assert "b.png image/png 3" in page.inner_text("[data-testid=answer]")


def test_a_reload_amid_an_upload_says_so_and_the_server_forgets_what_came(
    reading: Demo, open_page: OpenPage
) -> None:
    page = open_page(reading, url=reading.link("eve"))
    page.route_web_socket("**/live*", first_parts_only)
    page.reload()
    wait_live(page)
    choose(page, {"\u202egnp.exe": ("image/png", PICTURE), "whole.txt": ("text/plain", b"hi")})
    page.wait_for_selector(SENT)
    wait_until(page, lambda: len(uploads_of("eve", reading)) == 2)
    assert max(uploads_of("eve", reading)) < len(PICTURE)
    page.reload()
    assert problem(page).endswith("was reloaded before all of it was sent. Attach it again.")
    assert names(page) == ["whole.txt"]
    wait_until(page, lambda: uploads_of("eve", reading) == [2])
    page.click("[aria-label='Remove whole.txt']")
    wait_until(page, lambda: uploads_of("eve", reading) == [])
    choose(page, {"other.txt": ("text/plain", b"hello")})
    page.wait_for_selector(SENT)
    page.dispatch_event("#new-thread", "click")  # it shows once there is a conversation
    wait_until(page, lambda: uploads_of("eve", reading) == [])
    page.reload()
    wait_live(page)
    assert not page.is_visible("[data-testid=problem]")


def test_a_copy_of_the_tab_may_send_its_files_too_and_is_told_which_are_gone(
    reading: Demo, open_page: OpenPage
) -> None:
    first = open_page(reading, url=reading.link("fay"))
    choose(first, {"a.txt": ("text/plain", b"one"), "b.txt": ("text/plain", b"two")})
    first.wait_for_selector(f"{SENT} >> nth=1")
    second, third = duplicate(first), duplicate(first)
    first.click("[aria-label='Remove b.txt']")
    wait_until(first, lambda: uploads_of("fay", reading) == [3])
    second.click("[aria-label='Remove b.txt']")
    for page in (first, second):
        send(page, "What is this?")
        wait_run(page, "done")
        assert "a.txt text/plain 3" in page.inner_text("[data-testid=answer]")
    send(third, "And these?")
    third.wait_for_selector(".you.refused")
    words = "Not sent: the server has 0 of 3 bytes of 'b.txt': send the file again"
    assert third.inner_text(".you.refused .fate") == words


def test_what_the_agent_does_not_take_is_refused_in_words_before_it_is_sent(
    reading: Demo, open_page: OpenPage
) -> None:
    page = open_page(reading, url=reading.link("cat"))
    choose(page, {"big.png": ("image/png", bytes(TAKES.max_bytes + 1))})
    assert problem(page) == "big.png is too large: the agent takes at most 300 KB."
    choose(page, {"run.exe": ("application/x-msdownload", b"MZ")})
    assert problem(page) == "run.exe is not what the agent takes: images, text."
    assert names(page) == []
    choose(page, {f"{n}.txt": ("text/plain", b"x") for n in range(3)})
    assert problem(page) == "2.txt was left out: at most 2 files go with a question."
    assert names(page) == ["0.txt", "1.txt"]


def test_an_agent_that_takes_no_files_is_offered_none(guided: Demo, open_page: OpenPage) -> None:
    page = open_page(guided, url=guided.link("dan"))
    assert not page.is_visible("#attach")
    page.evaluate(GIVE, ["drop", [["a.txt", "text/plain", "one"]]])
    assert problem(page) == "This agent takes no files: ask in words."
