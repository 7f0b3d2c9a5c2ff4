"""What programs look at: the history of a run's thread, and how far an event got."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import orjson

from greenroom.delivery.errors import NotConfirmed, NotDisplayed, NotReceived, UnknownEvent
from greenroom.delivery.events.ids import EventId
from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.events.stages import Standing
from greenroom.delivery.journal.paging import check_page
from greenroom.delivery.journal.reads import ReadHistory
from greenroom.delivery.ledger import Ledger
from greenroom.delivery.run.receipt import Receipt
from greenroom.services.desk import RemoteRuns
from greenroom.services.entries import receipt_json
from greenroom.services.problems import BadEntry
from greenroom.services.requests import number_in, run_in, text_in, whole_in
from greenroom.transport.auth.service_tokens import Service
from greenroom.transport.http.request_head import RequestHead
from greenroom.transport.http.responses import Response, json_answer

LONGEST_WAIT: Final = 60.0
USUAL_PAGE: Final = 200

_WAITS: Final = {
    "received": Receipt.wait_received,
    "displayed": Receipt.wait_displayed,
    "confirmed": Receipt.wait_confirmed,
}


@attrs.frozen
class Looking:
    """Answers what programs look up."""

    runs: RemoteRuns
    ledger: Ledger

    async def history(self, service: Service, head: RequestHead) -> Response:
        """The last events of the run's thread, oldest first."""
        remote = self.runs.find(service, run_in(head))
        remote.renew()
        before, limit = whole_in(head, "before"), whole_in(head, "limit") or USUAL_PAGE
        check_page(before, limit)
        context = remote.run.context
        question = ReadHistory(context.user, context.thread, before, limit)
        page = await self.ledger.journal.ask(question, whose=context.user).wait()
        bodies = b",".join(record.body for record in page.records)
        return json_answer(b'{"events":[' + bodies + b"]}")

    async def standing(self, service: Service, head: RequestHead) -> Response:
        """How far an event got, once it has reached a stage or the wait is over."""
        event = EventId.parse(head.path.rpartition("/")[2])
        record = await self.ledger.record(event)
        if not service.may_speak_to(record.user):  # the same words: ids must not be tried out
            raise UnknownEvent(f"there is no event {event}", advice="it may have been trimmed")
        receipt = await self.ledger.receipt(event)
        reached = await self._reached(receipt, text_in(head, "stage"), number_in(head, "wait"))
        standing = await receipt.standing()
        said = {**receipt_json(receipt), **standing_json(standing), "reached": reached}
        return json_answer(orjson.dumps(said))

    async def _reached(self, receipt: Receipt, stage: str | None, wait: float | None) -> bool:
        if stage is None:
            return True
        if stage not in _WAITS:
            raise BadEntry(f"`stage` must be {', '.join(_WAITS)}, not {stage!r:.40}")
        try:
            await _WAITS[stage](receipt, min(wait or 0.0, LONGEST_WAIT))
        except (NotReceived, NotDisplayed, NotConfirmed):
            return False
        return True


def standing_json(standing: Standing) -> Mapping[str, JSON]:
    """A standing, as programs read it."""
    return {
        "stage": str(standing.stage),
        "outcome": standing.outcome,
        "sessions": [
            {
                "session": each.session,
                "stage": str(each.stage),
                "verdict": each.verdict,
                "note": each.note,
            }
            for each in standing.sessions
        ],
    }
