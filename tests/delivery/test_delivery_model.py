"""The whole pure delivery core against a simple model: users, tabs, a journal, and bad luck.

Frames wait on a wire and are lost with it; acknowledgements and marks come late, twice, or forged;
appends and questions to the journal fail; actors and processes die; tabs are duplicated and lie
about where they are; both clocks move, and the wall clock jumps; old events are trimmed, progress
is folded for tabs that fall behind; threads and users are erased; runs are lost, stopped and taken
up again, each with policies of its own, perhaps. The truth is in `delivery_model.py` and
`attempts_model.py`; `python -m tests.delivery.planted_bugs` shows what the model sees.
`HYPOTHESIS_PROFILE=deep pytest tests/delivery/test_delivery_model.py -s` runs 20,000 examples of
up to 100 steps, and says what they were made of.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import count
from typing import Any, ClassVar

import attrs
import outcome
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from greenroom.actors.reply import Reply
from greenroom.delivery.asks.questions import AnswerRefused
from greenroom.delivery.errors import EventNotKept
from greenroom.delivery.events.asks import ask_of
from greenroom.delivery.events.context import UserContext
from greenroom.delivery.events.draft import draft
from greenroom.delivery.events.exported import ExportPiece
from greenroom.delivery.events.ids import (
    AskId,
    ConnectionId,
    EventId,
    IdSource,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
)
from greenroom.delivery.events.kinds import ASK_ENDS, JSON, Event, EventClass, Kind
from greenroom.delivery.events.policy import Policies, Policy
from greenroom.delivery.events.record import DeadLetter, Entry, Record
from greenroom.delivery.events.stages import Outcome, ReceiptStage, furthest
from greenroom.delivery.events.standings import outcome_of, standings
from greenroom.delivery.events.threads import ERASED_THREAD
from greenroom.delivery.journal.retention.cutoffs import BEGINNING, Cutoffs, SweptTo
from greenroom.delivery.outbox.feed import (
    GivenUp,
    HandRecords,
    OutboxCommand,
    OutboxLimits,
    ReadAgain,
    ReadPage,
    SocketGauge,
    Superseded,
    TooSlow,
)
from greenroom.delivery.outbox.outbox import Outbox
from greenroom.delivery.outbox.redelivery import Circuit, Patience
from greenroom.delivery.run.attempts.attempt import RunAttempt
from greenroom.delivery.user.admission import Admission
from greenroom.delivery.user.asks import AlreadyAnswered, AskClosed, Asks
from greenroom.delivery.user.erasing import Erasing
from greenroom.delivery.user.messages import (
    Acked,
    AnswerAsk,
    AskDue,
    AskUser,
    Attach,
    Attached,
    AwaitStage,
    ConfirmedThere,
    DisplayedThere,
    WithdrawAsk,
)
from greenroom.delivery.user.outcomes.letter_log import LetterLog
from greenroom.delivery.user.outcomes.receipts import Receipts
from greenroom.delivery.user.outcomes.settling import Settler
from greenroom.delivery.user.parts import ReadUser
from greenroom.delivery.user.runs.run_queue import RunTurns
from greenroom.delivery.user_data import ReadUserRows
from greenroom.supervisor.restarts import Backoff
from tests.delivery.attempts_model import WHEN_LOST, Runs
from tests.delivery.delivery_model import (
    Person,
    StillJournal,
    StillParts,
    Tab,
    Truth,
    Wait,
    now,
    ref,
)

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
SHRINKS = "DELIVERY_MODEL_SHRINKS" not in os.environ
EXAMPLES = int(os.environ.get("DELIVERY_MODEL_EXAMPLES", 20_000 if DEEP else 200))
STEPS = 100 if DEEP else 50
_numbers = count(1)
IDS = IdSource(now_ms=lambda: 0, random_bits=lambda _: next(_numbers))
RUN, OTHER_RUN, REQUEST = IDS.new(RunId), IDS.new(RunId), IDS.new(RequestId)
THREAD, OTHER_THREAD = IDS.new(ThreadId), IDS.new(ThreadId)
PLACES = [(THREAD, RUN), (OTHER_THREAD, OTHER_RUN)]
EPOCH, TABS = "epoch", 3
LIMITS = OutboxLimits(
    backlog_events=8,
    lag_events=1,
    backlog_bytes=100_000,
    frame_events=3,
    frame_bytes=5_000,
    memory_frames=1,
    sessions=2,
    patience=Patience(Backoff(2.0, 10.0, jitter=0.0)),
)
GIVEN_UP_AFTER = 2.0 + 4.0 + 8.0 + 8.0
SLOWEST = 9.0  # a tick of so much is past any deadline of a redelivery
KINDS = [Kind.TOOL_EXECUTING, Kind.FINAL_REPORT, Kind.AGENT_THINKING, Kind.PARTIAL_RESULT]
DONE = [ReceiptStage.RECEIVED, ReceiptStage.DISPLAYED, ReceiptStage.CONFIRMED]
HELLOS = ["place", "place", "session", "lie", "fresh", "duplicate"]
SMALL = st.integers(0, 5)
WHO = st.sampled_from([0, 0, 0, 1])
TAB = st.sampled_from([0, 0, 1, 2])
ACKS = st.sampled_from(["acks", "acks", "keeps silent", "nothing arrives"])
FATE = st.sampled_from(["kept", "kept", "told late", "refused", "left"])
WHERE = st.sampled_from([0, 0, 1])
ACTS = ["speaks", "takes a tool", "asks", "asks with a key", "ends", "is lost", "is stopped"]
ACTS += ["is stopped in vain"]  # the journal does not keep that
OWN = st.dictionaries(
    st.sampled_from(EventClass),
    st.builds(Policy, st.sampled_from(DONE), st.sampled_from([5, 45, 120]), st.booleans()),
)
LIFE = st.lists(st.sampled_from(ACTS), min_size=1, max_size=4)
BATCH = st.lists(st.sampled_from(KINDS), min_size=1, max_size=5)


class WatchedOutbox(Outbox[Reply[Record]]):
    """Nothing is given up before its time, nor what is known to have been received."""

    def __init__(self, truth: Truth, policies: Policies, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.truth, self.policies = truth, policies

    def note(self, entries: Iterable[Entry]) -> None:
        entries = list(entries)
        for letter in entries:
            if isinstance(letter, DeadLetter):
                record = self.truth.accepted[letter.offset - 1]
                policy = self.truth.policy_of(record, self.policies)
                assert self.truth.stage(letter.offset) < policy.done, "somebody came for it"
                assert letter.offset not in self.truth.touched, "it was erased"
                assert letter.at - record.at >= policy.expires_after * 1000, "it had time"
        super().note(entries)


class DeliveryMachine(RuleBasedStateMachine):
    counts: ClassVar[Counter[str]] = Counter()

    @initialize(
        critical=st.sampled_from(DONE), progress=st.sampled_from(DONE), patient=st.booleans()
    )
    def begin(self, critical: ReceiptStage, progress: ReceiptStage, patient: bool) -> None:
        self.policies = {
            EventClass.CRITICAL: Policy(critical, expires_after=60),
            EventClass.PROGRESS: Policy(progress, 90 if patient else 20, dead_letter=False),
        }
        self.journal = StillJournal(epoch=EPOCH)
        self.mono, self.wall = 1.0, 1_000_000
        self.pending: list[OutboxCommand] = []
        self.lost: set[ConnectionId] = set()  # closed with 4106
        self.people = [self.person(UserId(name)) for name in ("alice", "bob")]
        self.counts["examples"] += 1

    def person(self, user: UserId) -> Person:
        truth = Truth(touched=self.journal.erased[user])
        person = Person(user, truth, [Tab() for _ in range(TABS)], self.parts(truth))
        person.parts = attrs.evolve(
            person.parts,
            launch=partial(self.launch, person),
            when_lost=WHEN_LOST,
            say_policies=truth.say_policies,
            cancel=partial(self.stop, person),
        )
        self.load(person)
        return person

    def parts(self, truth: Truth) -> StillParts:
        return StillParts(
            epoch=EPOCH,
            live_runs={},
            launch=lambda context, said, attempt: None,
            limits=LIMITS,
            policies=self.policies,
            on_undelivered=lambda letter: truth.told.update([letter.event]),
            ids=IDS,
            now_ms=lambda: self.wall,
            letter_log=LetterLog(clock=lambda: self.mono),
            journal=self.journal,
        )

    def load(self, person: Person) -> None:
        """What the user actor does when it starts."""
        user, parts, actor = person.user, person.parts, ref(f"outbox:{person.user}")
        found: list[Any] = []
        self.journal.ask(ReadUser(user)).then(found.append)
        known, bounds = found[0].unwrap(), now(self.journal.bounds(user))
        box = WatchedOutbox(
            person.truth,
            self.policies,
            user,
            EPOCH,
            bounds,
            LIMITS,
            parts.reach,
            clock=lambda: self.mono,
        )
        person.outbox = box
        person.settler = Settler(user, parts, box, actor)
        person.receipts = Receipts(user, parts, box, actor)
        person.reports = person.reports_on(box)
        wind = partial(self.wind_asks, person)
        person.asks = Asks(user, parts, box, actor, wind, clock=lambda: self.mono)
        person.runs = Runs(
            *(user, parts, box, actor, person.asks, known, person.truth.runs),
            clock=lambda: self.mono,
        )
        runs, tell_all = person.runs.core.open, partial(self.tabs_are_told, person)
        later = partial(setattr, person, "erases_on", True)
        person.erasing = Erasing(user, parts, box, runs, actor, tell_all, later)
        person.erases_on = False
        person.truth.gone.update(person.truth.touched)  # nothing else is in memory
        person.runs.begin()
        person.asks.load(known.asked, [RUN, *runs])
        person.runs.flush()
        admitted = partial(self.admitted, person)
        person.admission = Admission(user, parts, box, actor, person.asks, admitted)
        person.settle_at, person.truth.born = None, bounds.last
        if bounds.last:
            person.settler.look()

    def admitted(
        self, person: Person, request: Attach, before: int | None, commands: Iterable[OutboxCommand]
    ) -> None:
        person.reports.resumed(request.connection, before)
        person.receipts.resolve()
        self.pending = list(commands)

    # Questions

    def wind_asks(self, person: Person, seconds: float, _: AskDue) -> None:
        person.ask_at = self.mono + seconds

    @rule(who=WHO, seconds=st.sampled_from([None, 3, 30]), fate=FATE)
    def a_run_asks(self, who: int, seconds: int | None, fate: str) -> None:
        person, ask = self.whose(who), IDS.new(AskId)
        data: dict[str, Any] = {"ask": ask, "prompt": "?", "options": [0, 1]}
        data |= {} if seconds is None else {"expires": self.wall + seconds * 1000}
        event = draft(
            event=IDS.new(EventId),
            kind=Kind.INPUT_REQUESTED,
            thread=THREAD,
            run=RUN,
            parent=None,
            request=REQUEST,
            data=data,
        )
        self.land(who)
        person.asks.take(AskUser(event, ask), Reply())
        person.asked.append(ask)
        self.flush_all(who, fate)
        self.counts["questions"] += 1

    @rule(who=WHO, back=SMALL, value=st.sampled_from([0, 0, 1, 2]), fate=FATE)
    def its_user_answers(self, who: int, back: int, value: int, fate: str) -> None:
        """An answer of 2 is no option."""
        person = self.whose(who)
        if person.asked:
            ask, reply = person.asked[-1 - back % len(person.asked)], Reply[int]()
            person.answers.append((ask, value, reply))
            person.asks.take(AnswerAsk(ask, None, value), reply)
            self.flush_all(who, fate)

    @rule(who=WHO, back=SMALL)
    def a_run_withdraws(self, who: int, back: int) -> None:
        person = self.whose(who)
        if person.asked:
            ask = person.asked[-1 - back % len(person.asked)]
            person.asks.take(WithdrawAsk(ask), Reply())

    @invariant()
    def a_question_has_one_end(self) -> None:
        for person in getattr(self, "people", ()):
            ends = [each for each in person.truth.accepted if each.kind in ASK_ENDS]
            assert len({ask_of(each) for each in ends}) == len(ends)
            for ask, value, reply in person.answers:
                reply.then(partial(self.check_answer, ends, ask, value)) if reply.is_set else None

    def check_answer(self, ends: list[Record], ask: AskId, value: int, result: Any) -> None:
        """What a client is told is so, now and later."""
        end = next((each for each in ends if ask_of(each) == ask), None)
        given = None if end is None else Event.decode(end.body).data.get("value")
        if isinstance(result, outcome.Value):
            assert end is not None
            assert (result.value, value) == (end.offset, given)
        elif isinstance(result.error, AlreadyAnswered):
            assert given not in (None, value)
        elif isinstance(result.error, AskClosed):
            assert end is not None
            assert end.kind is Kind.INPUT_CLOSED
        else:
            assert not isinstance(result.error, AnswerRefused) or value == 2

    # Runs that go on

    def launch(self, person: Person, context: UserContext, said: JSON, attempt: RunAttempt) -> None:
        person.runs.launch(context, attempt)
        self.counts["attempts"] += 1
        self.counts["attempts after the first"] += attempt.number > 1

    @rule(who=WHO, acts=LIFE, fate=FATE, own=OWN)
    def a_run_lives(
        self, who: int, acts: list[str], fate: str, own: dict[EventClass, Policy]
    ) -> None:
        """Perhaps with policies of its own."""
        self.begin_run(who, own)
        self.live(who, acts, fate)

    @rule(
        who=WHO,
        acts=LIFE,
        how=st.sampled_from(["its code leaves", "crash", "kill", "kill"]),
        kept=st.booleans(),
        again=LIFE,
        own=OWN,
    )
    def a_run_is_broken(
        self,
        who: int,
        acts: list[str],
        how: str,
        kept: bool,
        again: list[str],
        own: dict[EventClass, Policy],
    ) -> None:
        """Perhaps amid an append, and perhaps it goes on."""
        self.begin_run(who, own)
        self.live(who, acts, "left")
        if how == "its code leaves":
            self.live(who, ["is lost"], "kept")
        else:
            self.restart(who, how == "kill", kept, False)
        self.tick(5.0)
        self.live(who, ["speaks", *again], "kept")

    def begin_run(self, who: int, own: dict[EventClass, Policy]) -> None:
        person = self.whose(who)
        if all(each.is_over for each in person.truth.runs.values()):
            self.land(who)
            person.truth.say_policies.clear()
            person.truth.say_policies.update(own)
            self.counts["runs with a policy"] += bool(own)
            person.runs.say(f"say-{next(_numbers)}")
            self.flush_all(who, "kept")
            self.live(who, ["speaks"], "kept")

    def live(self, who: int, acts: list[str], fate: str) -> None:
        """The user's runs do this one after the other; `fate`: of what the last one does."""
        person = self.whose(who)
        for number, act in enumerate(acts):
            self.land(who)
            self.answers(who)
            self.flush_all(who, "kept")
            for run, story in list(person.truth.runs.items()):
                self.act(person, run, act) if not story.is_over else None
            self.flush_all(who, fate if number == len(acts) - 1 else "kept")

    def act(self, person: Person, run: RunId, what: str) -> None:
        if what in ("is stopped", "is stopped in vain"):
            self.stop(person, run, kept=what == "is stopped")
        else:
            person.runs.act(run, what)
            living = person.runs.alive.get(run)
            person.asked += [] if living is None else living.asks[-1:]
        self.flush(person)

    def stop(self, person: Person, run: RunId, *, kept: bool = True) -> None:
        stopped = person.runs.stop(run)
        self.counts["stops"] += stopped is not None
        if stopped is not None and kept:
            now(self.journal.append([stopped]))
            person.truth.runs[run].stop_kept = True

    def runs_end(self, who: int, person: Person) -> None:
        """Left alone, every run has its end."""
        for _ in range(40):
            if all(each.is_over for each in person.truth.runs.values()):
                return
            self.tick(5.0)
            self.answers(who)
            for run in list(person.truth.runs):
                self.act(person, run, "ends")
            self.leave(who, True)
            self.land(who)
        raise AssertionError("a run has no end")

    @invariant()
    def attempts_follow_one_another(self) -> None:
        for person in getattr(self, "people", ()):
            assert person.runs.wrong == []

    # Events in

    def emit(self, who: int, kinds: list[Kind], where: int) -> None:
        thread, run = PLACES[where]
        for kind in kinds:
            event = draft(
                event=IDS.new(EventId),
                kind=kind,
                thread=thread,
                run=run,
                parent=None,
                request=REQUEST,
                data={"text": f"piece {next(_numbers)}, "},
            )
            self.whose(who).outbox.offer(event, Reply())
        self.counts["emits"] += len(kinds)

    def leave(self, who: int, lazily: bool) -> None:
        """A batch leaves for the journal."""
        person = self.whose(who)
        entries = person.outbox.next_append(self.wall, lazily=lazily)
        if entries is not None:
            assert person.flight is None, "two batches in flight"
            person.flight = person.runs.core.says.on_condition(entries)
            person.truth.leaves(lazily=lazily)

    def keep(self, who: int) -> None:
        """It is durable, and the outbox does not know yet."""
        person = self.whose(who)
        if person.flight is None or person.untold:
            return
        now(self.journal.append(person.flight))
        self.check_sent(person)
        person.truth.kept(person.flight)
        person.untold = True
        self.check_outcomes(person)
        self.counts["appends"] += 1

    def told(self, who: int) -> None:
        person = self.whose(who)
        if person.untold:
            person.flight, person.untold = None, False
            records, replies, commands = person.outbox.appended()
            for record, reply in zip(records, replies, strict=True):
                person.runs.core.kept(record)
                reply.succeed(record)
            person.settler.tell(person.outbox.notes_kept)
            if records:
                person.settler.kept()
            self.obey(person, commands)
            self.flush(person)

    def refuse(self, who: int) -> None:
        """The journal cannot."""
        person = self.whose(who)
        if person.flight is not None and not person.untold:
            person.flight = None
            person.truth.not_kept()
            for reply in person.outbox.append_failed():
                reply.fail(EventNotKept("the disk has hiccups"))
            person.runs.core.append_failed()
            self.flush(person)
            self.counts["refused appends"] += 1

    def land(self, who: int) -> None:
        self.keep(who)
        self.told(who)

    # Connections

    def connect(self, who: int, tab: int, how: str) -> None:
        person, client = self.which(who, tab)
        if client.connection is not None:
            return
        session = None if how == "fresh" else client.session
        place = client.place if how in ("place", "lie", "claim") and session is not None else None
        epoch = None if place is None else "another" if how == "lie" else EPOCH
        client.connection, client.connecting = IDS.new(ConnectionId), Reply()
        client.gauge, client.hello = SocketGauge(), (session, how != "lie", place)
        said = self.claimed(person, client) if how == "claim" else place
        client.claims = said != place
        event = client.foreign if said else None
        request = Attach(client.connection, ref("tab"), session, epoch, said, client.gauge, event)
        self.pending = []
        person.admission.attach(request, client.connecting)
        self.ready(person)
        self.counts["connects"] += 1

    def claimed(self, person: Person, client: Tab) -> int | None:
        """The end, by a tab that has all it was handed and no more: it is served from its place."""
        if client.place is None or client.session is None or client.foreign:
            return client.place
        if client.place < max(person.truth.born, person.truth.handed.get(client.session, 0)):
            return client.place
        self.counts["false claims"] += client.place < person.outbox.last
        return person.outbox.last

    def ready(self, person: Person) -> None:
        """Those whose hello was answered know their session and place."""
        for client in person.tabs:
            if client.connecting is not None and client.connecting.is_set:
                reply, client.connecting = client.connecting, None
                reply.then(lambda result, client=client: self.welcome(person, client, result))  # type: ignore[misc]
        commands, self.pending = self.pending, []
        self.obey(person, commands)
        self.flush(person)

    def welcome(self, person: Person, client: Tab, result: object) -> None:
        try:
            attached = result.unwrap()  # type: ignore[attr-defined]
        except Exception:  # noqa: BLE001
            client.lose_socket()
            return
        truth, (session, honest, place) = person.truth, client.hello
        known = session in truth.starts
        if honest and place is None and session is not None and known:
            place = truth.cursor(session)
        start = max(place, truth.trimmed) if honest and place is not None else person.outbox.last
        recovered = honest and place is not None and place >= truth.trimmed
        if client.foreign and honest and place is not None and place > truth.trimmed:
            start, recovered = truth.trimmed, False  # of the new log it has nothing
        client.foreign = None
        start = self.believed(person, client, attached, start)
        assert attached.recovered == recovered
        assert attached.after == start
        assert attached.offset == person.outbox.last
        again = known and attached.recovered
        assert again == (attached.session == session), "a session goes on where it was, or not"
        client.session, client.handed = attached.session, start
        client.place = start
        if again:
            truth.acked(attached.session, start)
        else:
            truth.starts[attached.session] = start
        assert person.outbox.cursor(attached.session) == truth.cursor(attached.session)
        client.heard(self.mono)

    def believed(self, person: Person, client: Tab, attached: Attached, start: int) -> int:
        """Where it is served from: after a false claim at most from what its session was handed,
        perhaps by another tab while this one was waiting for its answer."""
        if not client.claims or attached.after <= start:
            return start
        session, truth = attached.session, person.truth
        assert attached.after <= max(truth.born, truth.handed.get(session, 0)), "it believes lies"
        truth.seen.setdefault(session, set()).update(range(start + 1, attached.after + 1))
        return attached.after

    def duplicate(self, who: int, tab: int, other: int) -> None:
        """The browser copies a tab, with its session and place."""
        (_, old), (_, new) = self.which(who, tab), self.which(who, other)
        if old is not new and new.connection is None and old.connecting is None:
            new.session, new.place, new.foreign = old.session, old.place, old.foreign
            self.connect(who, other, "place")

    def cut(self, who: int, tab: int) -> None:
        person, client = self.which(who, tab)
        if client.connection is not None and client.connecting is None:
            person.outbox.detach(client.connection)
            client.lose_socket()
            self.counts["cuts"] += 1

    def write(self, who: int, tab: int, frames: int) -> None:
        person, client = self.which(who, tab)
        for _ in range(min(frames, len(client.buffered))):
            records = client.buffered.popleft()
            client.wire.append(records)
            through = client.gauge.written = max(client.gauge.written, records[-1].offset)
            person.truth.writes(session_of(client), through)
            self.obey(person, person.outbox.written(connection_of(client), through))

    def arrive(self, who: int, tab: int, frames: int, acks: bool) -> None:
        person, client = self.which(who, tab)
        for _ in range(min(frames, len(client.wire))):
            person.truth.sees(client, client.wire.popleft())
            assert client.place is not None
            client.late_acks.append(client.place)
        if acks and client.connecting is None and client.connection and client.place is not None:
            self.ack_there(person, client, client.place)

    @rule(who=WHO, fails=st.sampled_from([False] * 5 + [True]))
    def answer(self, who: int, fails: bool) -> None:
        """The journal answers the oldest question."""
        person = self.whose(who)
        if person.parts.asked:
            if fails:
                for wait in person.waits:
                    wait.blind = True
                self.counts["questions refused"] += 1
            self.pending = []
            person.parts.asked.popleft()(fails)
            self.ready(person)

    def answers(self, who: int) -> None:
        while self.whose(who).parts.asked:
            self.answer(who, False)

    # Reports, honest and not

    def ack_late(self, who: int, tab: int, which: int) -> None:
        """Out of order, and any number of times."""
        person, client = self.which(who, tab)
        if client.late_acks:
            self.ack_there(person, client, client.late_acks[which % len(client.late_acks)])

    def ack_there(self, person: Person, client: Tab, offset: int) -> None:
        connection, session = connection_of(client), session_of(client)
        before = person.truth.cursor(session)
        assert person.reports.take(Acked(connection, offset)) is None
        person.truth.acked(session, offset)
        if offset > before:
            client.heard(self.mono)
            assert person.outbox.circuit(connection) is Circuit.CLOSED
        person.receipts.resolve()
        self.obey(person, person.outbox.wake(connection))
        self.counts["acks"] += 1

    def mark(self, who: int, tab: int, back: int, confirms: bool) -> None:
        """A client says that it showed what it was sent, or that it was of use."""
        person, client = self.which(who, tab)
        if client.connecting is not None or not client.connection or not client.place:
            return
        if (offset := max(1, client.place - back)) <= person.truth.trimmed:
            return
        connection = client.connection
        if confirms:
            refused = person.reports.take(ConfirmedThere(connection, offset, None, None))
        else:
            refused = person.reports.take(DisplayedThere(connection, [offset]))
        assert refused is None
        stage = ReceiptStage.CONFIRMED if confirms else ReceiptStage.DISPLAYED
        person.truth.marked(session_of(client), offset, stage)
        person.receipts.resolve()
        self.counts["marks"] += 1

    def forge(self, who: int, tab: int, beyond: int, negative: bool) -> None:
        person, client = self.which(who, tab)
        if client.connection is not None and client.connecting is None:
            connection, offset = client.connection, -1 if negative else client.handed + beyond
            assert person.reports.take(Acked(connection, offset)) is not None
            assert person.reports.take(DisplayedThere(connection, [offset])) is not None
            assert person.reports.take(ConfirmedThere(connection, offset, None, None)) is not None
            self.counts["forgeries"] += 1

    def report_for_another(self, who: int, tab: int) -> None:
        """A connection means nothing to another user's outbox, nor does a session."""
        _, client = self.which(who, tab)
        if client.connection is not None and client.connecting is None:
            other = self.whose(who + 1)
            assert other.reports.take(Acked(client.connection, 0)) is not None
            assert other.outbox.cursor(session_of(client)) is None
            assert now(self.journal.cursor(other.user, session_of(client))) is None

    @rule(who=WHO, back=SMALL, stage=st.sampled_from(DONE), asks=st.booleans())
    def wait_for(self, who: int, back: int, stage: ReceiptStage, asks: bool) -> None:
        """Somebody waits until an event gets somewhere."""
        person = self.whose(who)
        offset = person.outbox.last - back
        if offset > person.truth.trimmed and len(person.waits) < 4:
            wait = Wait(offset, stage, Reply())
            person.waits.append(wait)
            person.receipts.wait(AwaitStage(offset, stage), wait.reply)
            if asks:
                self.answers(who)
            self.counts["waits"] += 1

    # Time and death

    def tick(self, seconds: float) -> None:
        self.mono += seconds
        self.wall += round(seconds * 1000)
        for person in self.people:
            if person.ask_at is not None and person.ask_at <= self.mono:
                person.ask_at = None
                person.asks.expire()
            self.redeliver(person, seconds)
            person.runs.flush()
            if person.erases_on:
                person.erases_on = False
                person.erasing.go_on()
            if person.settle_at is not None and person.settle_at <= self.mono:
                person.settle_at = None
                person.settler.look()

    def redeliver(self, person: Person, seconds: float) -> None:
        due = person.outbox.next_due
        if due is not None and due <= self.mono:
            self.obey(person, person.outbox.redeliver(self.wall))
        for client in person.tabs:
            if client.connection is not None and client.connecting is None:
                cursor = person.outbox.cursor(session_of(client))
                if cursor is not None and client.gauge.written > cursor and seconds >= SLOWEST:
                    client.silent_ticks += 1
                    assert client.silent_ticks <= 5, "it is never given up"

    def flush(self, person: Person) -> None:
        """What the user actor does after every batch of messages."""
        person.runs.flush()
        due_in = person.settler.take_due()
        if due_in is not None:
            person.settle_at = self.mono + due_in

    @precondition(lambda self: self.people[0].truth.accepted or self.people[1].truth.accepted)
    @rule(who=WHO, process_too=st.booleans(), kept=st.booleans(), trims=st.booleans())
    def restart(self, who: int, process_too: bool, kept: bool, trims: bool) -> None:
        """The actor dies, or its process: then memory is gone. What was in flight may be kept."""
        person = self.whose(who)
        if kept:
            self.keep(who)
        self.counts["batches in flight at a death"] += person.flight is not None
        person.flight, person.untold = None, False
        for client in person.tabs:
            client.lose_socket()
        person.parts.asked.clear()
        person.waits.clear()
        person.runs.die(process_too=process_too)
        person.answers, person.ask_at = [], None
        person.truth.forgets(reports_too=process_too)
        if process_too:
            fresh: dict[str, Any] = {"reach": {}, "live_runs": {}, "stopped": set()}
            person.parts = attrs.evolve(person.parts, **fresh, turns=RunTurns())
            if trims:
                self.trim(person)
        self.load(person)
        self.counts["process deaths" if process_too else "crashes"] += 1

    def trim(self, person: Person) -> None:
        """An operator forgets what is settled."""
        settled = now(self.journal.settled(person.user))
        through = min(settled.values())
        if through > person.truth.trimmed:
            now(self.journal.trim(person.user, through=through))
            person.truth.trim(through)
            self.counts["trims"] += 1

    @rule(keep=st.integers(1, 5))
    def retention_makes_a_pass(self, keep: int) -> None:
        """Under live users; it forgets nothing without its outcome."""
        people = {person.user: person for person in self.people}
        place: SweptTo | None = BEGINNING
        while place is not None:
            swept = now(self.journal.sweep(Cutoffs(keep_events=keep), place))
            for user, through in swept.trimmed.items():
                truth = people[user].truth
                assert through <= len(truth.accepted) - keep
                gone = set(range(truth.trimmed + 1, through + 1))
                assert gone - truth.touched <= truth.outcomes.keys()
                assert all(each.is_over for each in truth.runs.values() if each.began <= through)
                truth.trim(through)
                people[user].outbox.trimmed(through)
                self.counts["trims of live users"] += 1
            place = swept.next

    @rule(keep=st.integers(1, 5))
    def retention_forgets_progress(self, keep: int) -> None:
        """Under live users; what has no outcome stays whole, and so does all that is critical."""
        place: SweptTo | None = BEGINNING
        while place is not None:
            place = now(self.journal.sweep(Cutoffs(keep_progress=keep), place)).next
        for person in self.people:
            truth = person.truth
            places = (r for r in self.journal.everything(person.user) if r.kind is Kind.SUPERSEDED)
            new = {each.offset for each in places} - truth.touched - truth.forgotten
            assert new <= truth.outcomes.keys()
            assert new <= set(range(1, len(truth.accepted) - keep + 1))
            assert {truth.accepted[each - 1].event_class for each in new} <= {EventClass.PROGRESS}
            truth.forgotten |= new
            self.counts["progress events forgotten"] += len(new)
        self.check_logs()

    # Erasure

    @rule(
        who=WHO,
        where=st.sampled_from([0, 0, 1, 2, 2]),
        fate=st.sampled_from(["done", "done", "left", "refused"]),
    )
    def a_thread_is_erased(self, who: int, where: int, fate: str) -> None:
        """An erasure that was left goes on with the journal's next answers, or never. One of a
        thread in which a run speaks stops it first."""
        person = self.whose(who)
        if where < len(PLACES):
            thread, run = PLACES[where]
            self.end_asks(who, run)
        elif (speaking := next(iter(person.runs.core.open), None)) is not None:
            thread = person.runs.core.open[speaking].thread
            self.counts["erasures while a run speaks"] += 1
        else:
            return
        reply = Reply[None]()
        person.erasing.erase(thread, reply)
        reply.then(partial(self.erased, person, thread))
        if fate == "refused" and person.parts.asked:
            self.answer(who, True)
        elif fate == "done":
            self.runs_end(who, person)
            person.erasing.go_on()
            self.answers(who)
            assert reply.is_set
        self.check_logs()
        self.counts["erasures"] += 1

    def end_asks(self, who: int, run: RunId) -> None:
        """As runs do at their end."""
        for _ in range(2):
            self.land(who)
            self.leave(who, True)
        self.land(who)
        self.whose(who).asks.close_run(run)
        self.leave(who, True)
        self.land(who)

    def erased(self, person: Person, thread: ThreadId, result: Any) -> None:
        if isinstance(result, outcome.Value):
            person.truth.erase(thread)
            assert all(each.thread != thread for each in person.outbox.tail.records)

    def tabs_are_told(self, person: Person, _: object) -> None:
        self.counts["threads erased"] += 1

    def check_logs(self) -> None:
        """Nothing is lost but what was erased, and its place stays."""
        for person in self.people:
            kept = self.journal.everything(person.user)
            offsets = range(person.truth.trimmed + 1, len(person.truth.accepted) + 1)
            assert kept == [person.truth.kept_as(each) for each in offsets]

    @precondition(lambda self: self.people[0].truth.accepted or self.people[1].truth.accepted)
    @rule(who=st.sampled_from([1, 1, 0]), often=st.sampled_from([False, False, False, True]))
    def a_user_is_erased(self, who: int, often: bool) -> None:
        """Their tabs keep what they had, and come back with it."""
        old = self.whose(who)
        if not often:
            return
        for client in old.tabs:
            client.lose_socket()
            if client.place and not client.foreign:
                client.foreign = old.truth.accepted[client.place - 1].id
        self.journal.erase_user_soon(old.user)
        del self.journal.erased[old.user]
        assert not now(self.journal.marks(old.user, after=0, limit=1))
        piece = self.journal.ask(ReadUserRows(old.user, None))
        piece.then(lambda found: self.nothing_is_left(found.unwrap()))
        self.people[who] = new = self.person(old.user)
        new.tabs = old.tabs
        self.check_logs()
        self.counts["users erased"] += 1

    def nothing_is_left(self, piece: ExportPiece) -> None:
        assert not piece.rows

    # What happens: rules weighted so that deep states are reached in few steps

    @rule(who=WHO, kinds=BATCH, fate=FATE, where=WHERE)
    def something_is_said(self, who: int, kinds: list[Kind], fate: str, where: int = 0) -> None:
        self.land(who)
        self.emit(who, kinds, where)
        self.flush_all(who, fate)

    def flush_all(self, who: int, fate: str) -> None:
        """All that waits leaves for the journal."""
        self.leave(who, True)
        if fate == "refused":
            self.refuse(who)
        elif fate != "left":
            self.keep(who)
            if fate == "told late":
                self.answers(who)
            self.told(who)

    @rule(who=WHO, what=st.sampled_from(["leave", "leave lazily", "keep", "told", "refuse", "all"]))
    def the_journal_works(self, who: int, what: str) -> None:
        if what in ("leave", "leave lazily", "all"):
            self.leave(who, what != "leave")
        if what in ("keep", "all"):
            self.keep(who)
        if what in ("told", "all"):
            self.told(who)
        if what == "refuse":
            self.refuse(who)

    @rule(
        who=WHO,
        tab=TAB,
        news=BATCH,
        frames=st.lists(st.integers(1, 2), min_size=1, max_size=3),
        acks=ACKS,
        shows=SMALL,
        fate=FATE,
    )
    def a_tab_reads(
        self,
        who: int,
        tab: int,
        news: list[Kind],
        frames: list[int],
        acks: str,
        shows: int,
        fate: str,
    ) -> None:
        """It connects if it must, and reads for a while; its reports leave for the journal."""
        self.connect(who, tab, "place")
        self.answers(who)
        self.something_is_said(who, news, "kept")
        for written in frames:
            self.answers(who)
            self.write(who, tab, written)
            if acks != "nothing arrives":
                self.arrive(who, tab, 1, acks == "acks")
        for back in range(shows - 2):
            self.mark(who, tab, back, shows > 4)
        self.flush_all(who, fate)

    @rule(
        who=WHO, tab=TAB, frames=st.integers(1, 3), what=st.sampled_from(["write", "arrive", "cut"])
    )
    def a_socket_moves(self, who: int, tab: int, frames: int, what: str) -> None:
        if what == "write":
            self.write(who, tab, frames)
        elif what == "arrive":
            self.arrive(who, tab, frames, False)
        else:
            self.cut(who, tab)

    @rule(who=WHO, tab=TAB, how=st.sampled_from(HELLOS))
    def a_tab_comes_back(self, who: int, tab: int, how: str) -> None:
        self.cut(who, tab)
        if how == "duplicate":
            self.duplicate(who, tab + 1, tab)
        else:
            self.connect(who, tab, how)

    @rule(who=WHO, tab=TAB, news=BATCH)
    def a_tab_claims_what_it_was_not_sent(self, who: int, tab: int, news: list[Kind]) -> None:
        self.a_tab_reads(who, tab, news, [4, 4], "acks", 0, "kept")
        self.cut(who, tab)
        self.something_is_said(who, news, "kept")
        self.connect(who, tab, "claim")

    @rule(who=WHO, tab=TAB, which=SMALL, what=st.sampled_from(["ack", "ack", "show", "confirm"]))
    def a_report_comes_late(self, who: int, tab: int, which: int, what: str) -> None:
        if what == "ack":
            self.ack_late(who, tab, which)
        else:
            self.mark(who, tab, which, what == "confirm")

    @rule(who=WHO, tab=TAB, beyond=st.sampled_from([-1, 1, 7, 2**53]))
    def a_client_lies(self, who: int, tab: int, beyond: int) -> None:
        self.forge(who, tab, beyond, beyond < 0)
        self.report_for_another(who, tab)

    @rule(
        times=st.integers(1, 8),
        seconds=st.sampled_from([0.5, 2.0, 9.0, 9.0, 30.0]),
        jump=st.sampled_from([0, 0, 5, -5, 40]),
        fate=st.one_of(st.none(), FATE),
    )
    def time_passes(self, times: int, seconds: float, jump: int, fate: str | None) -> None:
        """With a `fate`, the journal answers all the while, and what became due leaves for it."""
        self.wall += jump * 1000
        for _ in range(times):
            self.tick(seconds)
            for who in range(0 if fate is None else len(self.people)):
                self.answers(who)
        for who in range(0 if fate is None else len(self.people)):
            self.flush_all(who, fate or "")

    # What always holds

    def check_outcomes(self, person: Person) -> None:
        """By the journal alone, every event has the outcome it should have, for ever."""
        truth, user = person.truth, person.user
        assert now(self.journal.bounds(user)).last == len(truth.accepted), "lost, or made up"
        settled = now(self.journal.settled(user))
        for record in truth.accepted[truth.trimmed :]:
            policy = truth.policy_of(record, self.policies)
            letter = truth.letters.get(record.id)
            stage = truth.durable_stage(record.offset)
            if letter is not None:
                expected: Outcome | None = Outcome(policy.given_up)
            else:
                expected = policy.delivered if stage >= policy.done else None
            marks = now(self.journal.marks(user, after=record.offset - 1, limit=1))
            if record.offset in truth.touched | truth.forgotten:
                assert all(each.offset > record.offset for each in marks), "a mark is left"
                assert now(self.journal.dead_letter(record.id)) is None, "a letter is left"
                continue
            cursors = now(self.journal.sent_to(user, record.offset))
            told = furthest(standings(record.offset, cursors, marks))
            kept = now(self.journal.dead_letter(record.id))
            assert outcome_of(told, policy, kept) is expected
            if expected is not None:
                assert truth.outcomes.setdefault(record.offset, expected) is expected
            else:
                assert settled[record.event_class] < record.offset, "settled without an outcome"

    def check_sent(self, person: Person) -> None:
        """A lazy batch says how far each session was sent events; none says more than is so."""
        truth = person.truth
        for session, start in truth.starts.items():
            cursor = now(self.journal.cursor(person.user, session))
            written = truth.flying_written.get(session, 0)
            assert written <= (cursor.sent if cursor else 0), "it was sent more"
            most = max(start, truth.handed.get(session, 0))
            assert cursor is None or cursor.sent <= max(cursor.offset, most), "it was sent less"

    @invariant()
    def steps_are_counted(self) -> None:
        self.counts["steps"] += 1

    @invariant()
    def waits_end_with_what_they_wait_for(self) -> None:
        for person in getattr(self, "people", ()):
            for wait in person.waits:
                if wait.offset in person.truth.touched:
                    continue  # whoever waits for it knows what it knew
                there = person.truth.stage(wait.offset) >= wait.stage
                if wait.reply.is_set:
                    assert there, "nobody said so"
                elif wait.offset <= person.truth.trimmed or wait.offset in person.truth.forgotten:
                    wait.blind = True  # what was known of it is forgotten
                elif not (wait.blind or person.parts.asked):
                    assert not there, "it waits in vain"
            person.waits = [each for each in person.waits if not each.reply.is_set]

    def teardown(self) -> None:
        """Left alone, every tab shows everything, and every event has its outcome."""
        for who, person in enumerate(getattr(self, "people", ())):
            for _ in range(2):  # what flies, then what waits
                self.land(who)
                self.leave(who, True)
            self.land(who)
            for tab in range(TABS):
                self.cut(who, tab)
            self.runs_end(who, person)
            for tab in range(TABS):
                self.answers(who)
                self.watch(who, tab)
            self.attempts_follow_one_another()
            self.waits_end_with_what_they_wait_for()
            self.end(who, person)

    def watch(self, who: int, tab: int) -> None:
        person, client = self.which(who, tab)
        self.cut(who, tab)
        self.connect(who, tab, "place")
        self.answers(who)
        while client.place is not None and client.place < person.outbox.last:
            place = client.place
            for _ in range(3):
                self.answers(who)  # some were asked for connections that are gone
                self.write(who, tab, 4)
                self.arrive(who, tab, 4, True)
            assert client.place > place, "it waits for nothing"
        self.cut(who, tab)

    def end(self, who: int, person: Person) -> None:
        for _ in range(12):
            self.tick(100_000.0)
            self.answers(who)
            self.leave(who, True)
            self.land(who)
        truth = person.truth
        every = set(range(truth.trimmed + 1, len(truth.accepted) + 1))
        assert truth.outcomes.keys() >= every - truth.touched
        assert not every or min(now(self.journal.settled(person.user)).values()) >= max(every)
        self.counts["given up events"] += len(truth.letters)
        assert all(times == 1 for times in truth.told.values()), "told twice"
        self.check_outcomes(person)

    # Helpers

    def whose(self, who: int) -> Person:
        return self.people[who % len(self.people)]

    def which(self, who: int, tab: int) -> tuple[Person, Tab]:
        person = self.whose(who)
        return person, person.tabs[tab % len(person.tabs)]

    def obey(self, person: Person, commands: Iterable[OutboxCommand]) -> None:
        for command in commands:
            if command.connection in self.lost:
                continue
            client = person.tab_of(command.connection)
            match command:
                case HandRecords(_, records, _):
                    self.deliver(person, client, records)
                case ReadPage() | ReadAgain():
                    self.read(person, command)
                case GivenUp():
                    assert client.gauge.written > person.truth.cursor(session_of(client))
                    assert self.mono - client.quiet_since >= GIVEN_UP_AFTER
                    assert client.resent == LIMITS.patience.attempts - 1
                    self.counts["connections given up"] += 1
                    client.lose_socket()
                case TooSlow():
                    assert person.outbox.last - client.handed > LIMITS.backlog_events
                    self.counts["connections too slow"] += 1
                    client.lose_socket()
                case Superseded():
                    sessions = [each.session for each in person.tabs if each.connection]
                    assert sessions.count(client.session) > 1
                    self.counts["sessions taken"] += 1
                    client.lose_socket()

    def deliver(self, person: Person, client: Tab, records: Iterable[Record]) -> None:
        batch = list(records)
        first, last = batch[0].offset, batch[-1].offset
        if client.handed + 1 < first and client.handed < person.truth.trimmed:
            self.lose_position(person, client)
            return
        person.truth.check(batch)
        erased = sum(each.thread == ERASED_THREAD for each in batch)
        self.counts["erased events sent"] += erased
        self.counts["events folded"] += sum(each.kind is Kind.SUPERSEDED for each in batch) - erased
        assert last <= person.outbox.last <= len(person.truth.accepted), "it is not durable"
        if first > client.handed:
            assert first == client.handed + 1, "a gap"
            assert person.outbox.circuit(connection_of(client)) is Circuit.CLOSED
            client.handed = last
            person.truth.hands(session_of(client), last)
            self.counts["events handed"] += len(batch)
        else:
            cursor = person.truth.cursor(session_of(client))
            assert cursor < first <= last <= client.gauge.written, "not what is waited for"
            if not self.answering:
                self.sent_again(client)
            self.counts["events sent again"] += len(batch)
        client.buffered.append(batch)
        unwritten = [each for each in client.buffered if each[-1].offset > client.gauge.written]
        assert sum(map(len, unwritten)) <= 2 * LIMITS.frame_events, "more than two frames"

    def lose_position(self, person: Person, client: Tab) -> None:
        """What comes next for it was forgotten: its connection closes with 4106."""
        self.lost.add(connection_of(client))
        person.outbox.detach(connection_of(client))
        client.lose_socket()
        self.counts["positions lost"] += 1

    answering = False

    def sent_again(self, client: Tab) -> None:
        client.resent += 1
        assert self.mono - client.quiet_since >= 2.0, "it had time to acknowledge"

    def read(self, person: Person, command: ReadPage | ReadAgain) -> None:
        again = isinstance(command, ReadAgain)
        limit = command.limit if isinstance(command, ReadAgain) else LIMITS.frame_events
        box, connection = person.outbox, command.connection
        if again:
            self.sent_again(person.tab_of(connection))

        def answer(fails: bool) -> None:
            if fails:
                box.detach(connection)
                for client in person.tabs:
                    if client.connection == connection:
                        client.lose_socket()
                return
            records = now(
                self.journal.read(person.user, after=command.after, limit=limit, max_bytes=9_999)
            )
            self.answering = again
            self.obey(person, (box.again if again else box.page)(connection, records))
            self.answering = False

        person.parts.asked.append(answer)


def connection_of(client: Tab) -> ConnectionId:
    assert client.connection is not None
    return client.connection


def session_of(client: Tab) -> SessionId:
    assert client.session is not None
    return client.session


@pytest.fixture(autouse=True, scope="module")
def _figures() -> Iterator[None]:
    """Logs of a million dead letters are not kept; what the examples were made of is told."""
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    yield
    logging.disable(logging.NOTSET)
    words = ", ".join(f"{number:,} {what}" for what, number in DeliveryMachine.counts.items())
    print(f"\ndelivery model: {words}; {time.monotonic() - began:.0f} s")


TestDelivery = DeliveryMachine.TestCase
TestDelivery.settings = settings(
    max_examples=EXAMPLES,
    deadline=None,
    stateful_step_count=STEPS,
    phases=tuple(Phase) if SHRINKS else (Phase.explicit, Phase.generate),
)
TestDelivery.pytestmark = [
    pytest.mark.requirement("R02", "R03", "R04", "R08", "R12", "R16", "R34", "R44", "R48", "R56")
]
