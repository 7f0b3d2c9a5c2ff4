"""Finds, in the journal, the run that a front end asks for, and what is known of it there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

from greenroom.delivery.events.ids import AskId, RunId, ThreadId, UserId
from greenroom.delivery.events.kinds import JSON, Event, Kind
from greenroom.delivery.events.record import OpenRun, Page, Record
from greenroom.delivery.journal.journal import Journal
from greenroom.delivery.journal.paging import PAGE_BYTES
from greenroom.delivery.journal.reads import Question, ReadAskEnd, ReadOpenAsks, Reads
from greenroom.transport.front_ends.wanted import ResumePoint, Wanted
from greenroom.transport.http.request_head import BadRequest

PAGE, MOST_PAGES = 200, 50
"""How far back a question is looked for, or a run that its id does not lead to: 10,000 events."""

MOST_ANSWERS: Final = 100
REFUSAL: Final = "refuse:"
"""How the `id` of a request begins by which a question is refused."""

NOT_THERE: Final = "There is no such run of yours."

Frame: TypeAlias = Mapping[str, JSON]


@attrs.frozen
class ReadFirst(Question[Record | None]):
    """The first event of a run, whosever it is."""

    run: RunId

    def answer(self, reads: Reads) -> Record | None:
        return reads.runs.first(self.run)


@attrs.frozen(kw_only=True)
class FoundRun:
    """A run whose events are those after the offset `began`. The client has those through `after`.

    `requests`: what is to be said about it, each with an `id` of its own; `answered`: the questions
    that these answer.
    """

    run: RunId
    thread: ThreadId
    epoch: str
    began: int
    after: int
    requests: tuple[Frame, ...] = ()
    answered: tuple[AskId, ...] = ()


@attrs.frozen
class _Subject:
    run: RunId
    thread: ThreadId | None
    requests: tuple[Frame, ...] = ()
    asks: tuple[AskId, ...] = ()
    """Those that the client has answered, and has read up to."""


@attrs.frozen
class Finder:
    """Looks in the log of one user."""

    journal: Journal
    user: UserId

    async def find(self, wanted: Wanted) -> FoundRun | None:
        """None: the run is only to be begun, or none goes on and that is no error. Raises
        `BadRequest`."""
        subject = await self._subject(wanted)
        found = None if subject is None else await self._place(subject, wanted)
        if found is None and subject is not None:
            raise BadRequest(NOT_THERE, status=404)
        if found is None and wanted.said is None and wanted.must_exist:
            raise BadRequest(NOT_THERE, status=404)
        return found

    async def began_at(self, say: str) -> int | None:
        """The offset of what was said with this key."""
        said = await self.journal.said(self.user, say)
        return None if said is None else Event.decode(said.body).offset

    async def known(self, found: FoundRun) -> AsyncIterator[Event]:
        """What the client has of the run, and of others' beside it."""
        place = found.began
        while place < found.after:
            records = await self.journal.read(
                self.user, after=place, limit=PAGE, max_bytes=PAGE_BYTES
            )
            for record in records:
                if record.offset <= found.after:
                    yield Event.decode(record.body)
            place = records[-1].offset if records else found.after

    async def _subject(self, wanted: Wanted) -> _Subject | None:
        if wanted.said is not None:
            return await self._said(wanted.said.id)
        if wanted.answers and (asking := await self._asking(wanted)) is not None:
            return asking
        if wanted.run is not None:
            return _Subject(wanted.run, None)
        if wanted.key is not None:
            return await self._said(wanted.key)
        if wanted.thread is None:
            return None
        going_on = await self._going_on(wanted.thread)
        return going_on or (await self._stopped(wanted.thread) if wanted.or_stopped else None)

    async def _said(self, say: str | None) -> _Subject | None:
        said = None if say is None else await self.journal.said(self.user, say)
        return None if said is None else _Subject(said.run, said.thread)

    async def _going_on(self, thread: ThreadId) -> _Subject | None:
        """The newest run of the thread that has not ended; of sub-runs the outermost."""
        runs = await self.journal.open_runs(self.user)
        ours = [each.run for each in runs if each.thread == thread and each.parent is None]
        return _Subject(ours[-1], thread) if ours else None

    async def _stopped(self, thread: ThreadId) -> _Subject | None:
        """The run whose stop is the last that the thread has."""
        page = await self.journal.history(self.user, thread=thread, before=None, limit=1)
        last = next(map(_decoded, page.records), None)
        was_stopped = last is not None and last.data.get("outcome") == "cancelled"
        return _Subject(last.run, thread) if last is not None and was_stopped else None

    async def _asking(self, wanted: Wanted) -> _Subject | None:
        """The run that asked what is answered, with the answers to what is still open."""
        question = ReadOpenAsks(self.user)
        opened = await self.journal.ask(question, whose=self.user).wait()
        asked = {str(event.data["ask"]): event for event in map(_decoded, opened)}
        answers = [each for each in wanted.answers if each.ask in asked]
        if len(answers) > MOST_ANSWERS:
            raise BadRequest(f"At most {MOST_ANSWERS} questions may be answered at once.")
        if not answers:
            return await self._has_asked([each.ask for each in wanted.answers])
        first = asked[answers[0].ask]
        run = await self._root_of(first.run, first.parent)
        requests = [
            answer_frame(each.ask, each.value(asked[each.ask].data.get("options")), run)
            for each in answers
        ]
        asks = tuple(each.ask for each in wanted.answers)
        return _Subject(run, first.thread, tuple(requests), asks)

    async def _has_asked(self, asks: Sequence[AskId]) -> _Subject | None:
        """The run whose question was answered before: the first answer counts."""
        for ask in asks:
            end = await self.journal.ask(ReadAskEnd(self.user, ask), whose=self.user).wait()
            if end is not None:
                run = await self._root_of(end.run, end.parent)
                return _Subject(run, end.thread, asks=tuple(asks))
        return None

    async def _root_of(self, run: RunId, parent: RunId | None) -> RunId:
        runs = {each.run: each for each in await self.journal.open_runs(self.user)}
        return _outermost(run, parent, runs)

    async def _place(self, subject: _Subject, wanted: Wanted) -> FoundRun | None:
        look = await self._look(subject)
        if look.thread is None:
            return None
        bounds = await self.journal.bounds(self.user)
        after = [look.first - 1]
        if not wanted.whole:
            after += [*look.asks, *self._of_this_journal(wanted.position, bounds.last)]
        return FoundRun(
            run=subject.run,
            thread=look.thread,
            epoch=self.journal.epoch,
            began=look.first - 1,
            after=max(after),
            requests=subject.requests,
            answered=subject.asks,
        )

    def _of_this_journal(self, position: ResumePoint | None, last: int) -> Sequence[int]:
        """The offset of a position, unless another journal had it, or this one before a restore."""
        if position is None or position.epoch != self.journal.epoch or position.offset > last:
            return ()
        return (position.offset,)

    async def _look(self, subject: _Subject) -> _Look:
        """Where the run begins: by its id, or else through the thread, backwards, as for asks."""
        look, before = _Look(subject.run, set(subject.asks)), None
        first = await self.journal.ask(ReadFirst(subject.run), whose=self.user).wait()
        if first is not None and (first.user != self.user or not subject.asks):
            return look if first.user != self.user else look.beginning(first)
        for _ in range(MOST_PAGES):
            page = await self.journal.history(
                self.user, thread=subject.thread, before=before, limit=PAGE
            )
            if look.has_beginning(page) or not page.more:
                return look
            before = page.records[0].offset
        return _Look(subject.run, set())  # too long ago


@attrs.define
class _Look:
    """Where a run begins, and where it asked, as far as pages were looked at, the last first."""

    run: RunId
    wanted: set[AskId]
    first: int = 0
    thread: ThreadId | None = None
    asks: list[int] = attrs.field(factory=list)

    def beginning(self, first: Record) -> _Look:
        """Where this, its first event, is."""
        self.first, self.thread = first.offset, first.thread
        return self

    def has_beginning(self, page: Page) -> bool:
        """Events of other runs may stand between those of this one."""
        for record in page.records:
            if record.kind is Kind.INPUT_REQUESTED and _decoded(record).data["ask"] in self.wanted:
                self.asks.append(record.offset)
        ours = [record for record in page.records if record.run == self.run]
        if ours:
            self.first, self.thread = ours[0].offset, ours[0].thread
        return any(map(_begins, ours))


def _begins(record: Record) -> bool:
    """Whether it is the first event of its run, or the second one, after what the user said."""
    if record.kind is Kind.AGENT_STARTED:
        return _decoded(record).data.get("attempt", 1) == 1
    return record.kind is Kind.USER_SAID


def answer_frame(ask: AskId, value: JSON, run: RunId) -> Frame:
    """What answers a question; where there is no answer, its run is stopped."""
    if value is None:
        return {"type": "cancel", "id": f"{REFUSAL}{ask}", "run": run}
    return {"type": "answer", "id": f"answer:{ask}", "ask": ask, "value": value}


def _outermost(run: RunId, parent: RunId | None, runs: Mapping[RunId, OpenRun]) -> RunId:
    while parent is not None:
        run, parent = parent, runs[parent].parent if parent in runs else None
    return run


def _decoded(record: Record) -> Event:
    return Event.decode(record.body)
