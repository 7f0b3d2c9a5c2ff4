"""The admin endpoints about crashes, those of earlier processes among them.

| request | answers |
|---|---|
| `GET /admin/crashes` | a line for each crash report that is kept, oldest first |
| `GET /admin/crashes/ID` | a whole crash report, for who may read texts |
| `GET /admin/crashes/ID/test` | a pytest file that replays the crash; 409 says why there is none |
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

import attrs
import orjson

from greenroom.actors.errors import GreenroomError
from greenroom.admin.crashes.reports import CrashReports
from greenroom.admin.guard import Guard
from greenroom.loading.replay import case_of
from greenroom.supervisor.inspection.as_json import dump_crashes, load_crash
from greenroom.transport.door.paths import Handler
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response, json_answer

CRASHES = "/admin/crashes"
PYTHON = "text/x-python; charset=utf-8"


@attrs.frozen
class CrashesDoor:
    """Answers visitors that were checked."""

    reports: CrashReports
    guard: Guard

    def routes(self) -> Mapping[str, Handler]:
        """The routes to add to an admin door."""
        return {
            CRASHES: self._list,
            f"{CRASHES}/*": self._show,
            f"{CRASHES}/*/test": self._test,
        }

    async def _list(self, _: RequestHead) -> Response:
        return json_answer(dump_crashes(await self.reports.lines()))

    async def _show(self, head: RequestHead) -> Response:
        self.guard.check_reader(head)
        id_ = _id_in(head)
        report = await self.reports.whole(id_)
        return _not_kept(id_) if report is None else json_answer(report)

    async def _test(self, head: RequestHead) -> Response:
        self.guard.check_reader(head)
        id_ = _id_in(head)
        report = await self.reports.whole(id_)
        if report is None:
            return _not_kept(id_)
        try:
            case = case_of(load_crash(report))
            source = case.test(case.recorded())
        except GreenroomError as error:
            said = {"error": error.message, "advice": error.advice}
            return json_answer(orjson.dumps(said), 409)
        headers = {"Content-Disposition": f'attachment; filename="test_crash_{id_}.py"'}
        return Response(200, source.encode(), PYTHON, headers)


def _id_in(head: RequestHead) -> str:
    return unquote(head.path.split("/")[3])


def _not_kept(id_: str) -> Response:
    return json_answer(orjson.dumps({"error": f"no crash {id_[:20]!r} is kept"}), 404)
