"""The server's side of a page's socket, for what no real server does on demand."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from greenroom.delivery.events.ids import ThreadId
from greenroom.delivery.events.record import Record

if TYPE_CHECKING:
    from playwright import sync_api as api


class PlayedServer:
    """History from offset 1 to somewhere, then these events; it knows of no run to cancel."""

    def __init__(
        self,
        history: Sequence[Record],
        events: Sequence[Record] = (),
        *,
        page: int = 1_000,
        on_cancel: Sequence[Record] = (),
        announces: int | None = None,
        threads: Sequence[dict[str, Any]] = (),
    ) -> None:
        """`page`: how many events of history it gives at a time; `on_cancel`: what comes then;
        `announces`: the bytes of a frame that is on its way, after history; `threads`: the user's,
        with other times each."""
        self.history, self.events, self.page = _decoded(history), _decoded(events), page
        self.on_cancel = _decoded(on_cancel)
        self.announces, self.threads = announces, threads
        self.acked, self.displayed = 0, set[int]()

    def play(self, page: api.Page, thread: ThreadId) -> None:
        """Take the real server's place; the page begins anew, in this thread."""
        page.route_web_socket("**/live", self.serve)
        page.evaluate(f"""() => {{
            sessionStorage.clear();
            sessionStorage.setItem("greenroom.thread", '"{thread}"');
        }}""")
        page.reload()

    def serve(self, route: api.WebSocketRoute) -> None:
        def send(type_: str, **fields: object) -> None:
            route.send(json.dumps({"type": type_, **fields}))

        def answer(message: str | bytes) -> None:
            frame = json.loads(message)
            match frame["type"]:
                case "hello":
                    place = {"session": "s", "epoch": "e", "offset": 1, "from": 1}
                    features = ["threads"] if self.threads else []
                    here = {"recovered": False, "heartbeat": 60_000, "features": features}
                    send("ready", user="u", connection="c", **place, **here)
                case "history":
                    known = self.history[: frame.get("before", len(self.history) + 1) - 1]
                    found, more = known[-self.page :], len(known) > self.page
                    send("reply", id=frame["id"], ok=True, more=more, events=found)
                    if self.events and "before" not in frame:
                        send("events", epoch="e", events=self.events)
                    if self.announces is not None:
                        send("large", bytes=self.announces)
                case "threads":
                    end, limit = frame.get("before", math.inf), frame["limit"]
                    listed = [each for each in self.threads if each["updated"] < end]
                    page, more = listed[:limit], len(listed) > limit
                    send("reply", id=frame["id"], ok=True, threads=page, more=more)
                case "cancel":
                    error = {"code": 4502, "message": "no such run", "temporary": False}
                    send("reply", id=frame["id"], ok=False, error=error)
                    send("events", epoch="e", events=self.on_cancel)
                case "ack":
                    self.acked = frame["offset"]
                case "displayed":
                    self.displayed |= set(frame["offsets"])

        route.on_message(answer)


def _decoded(records: Sequence[Record]) -> list[object]:
    return [json.loads(each.body) for each in records]
