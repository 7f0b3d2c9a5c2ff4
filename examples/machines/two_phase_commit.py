"""The coordinator of a two-phase commit, careless twice, and how that is found.

The bugs are planted: it counts votes instead of voters, though votes may be sent again; and it
waits for everyone to undo what only those did who voted yes.
Run it: `python examples/machines/two_phase_commit.py`.
"""

from __future__ import annotations

import enum

import attrs

from greenroom.actors import Machine, On, StartTimer, StateTimeout, Step, go, stay
from greenroom.testing import explore

PARTICIPANTS = ("a", "b")


class Phase(enum.Enum):
    """How far the transaction is."""

    INIT = "init"
    VOTING = "voting"
    COMMITTING = "committing"
    ABORTING = "aborting"
    COMMITTED = "committed"
    ABORTED = "aborted"


@attrs.frozen
class Ballot:
    """Who voted yes, in the order heard; who has since done what was decided."""

    yes: tuple[str, ...] = ()
    done: tuple[str, ...] = ()


@attrs.frozen
class Begin:
    """Ask everyone."""


@attrs.frozen
class Yes:
    """This participant can commit, and will on request."""

    who: str


@attrs.frozen
class No:
    """This one cannot, and has undone its part already."""

    who: str


@attrs.frozen
class Done:
    """This one has committed, or undone."""

    who: str


@attrs.frozen
class VotesLate:
    """Not everyone voted in time."""


@attrs.frozen
class AskAgain:
    """A message may have been lost."""


@attrs.frozen
class Tell:
    """The message to every participant: prepare, commit or abort."""

    what: str


BallotStep = Step[Phase, Ballot, Tell]

AGAIN = StartTimer("again", 5, AskAgain())


def begin(ballot: Ballot, _: Begin) -> BallotStep:
    return go(Phase.VOTING, ballot, Tell("prepare"), StateTimeout(30, VotesLate()), AGAIN)


def yes(ballot: Ballot, vote: Yes) -> BallotStep:
    return _counted(attrs.evolve(ballot, yes=(*ballot.yes, vote.who)))  # a planted bug


def yes_once(ballot: Ballot, vote: Yes) -> BallotStep:
    return _counted(attrs.evolve(ballot, yes=_once(ballot.yes, vote.who)))


def _counted(ballot: Ballot) -> BallotStep:
    if len(ballot.yes) == len(PARTICIPANTS):
        return go(Phase.COMMITTING, ballot, Tell("commit"))
    return stay(ballot)


def abort_all(ballot: Ballot, _: No | VotesLate) -> BallotStep:
    return go(Phase.ABORTING, ballot, Tell("abort"))  # a planted bug


def abort(ballot: Ballot, _: No | VotesLate) -> BallotStep:
    return go(Phase.ABORTING if ballot.yes else Phase.ABORTED, ballot, Tell("abort"))


def ask_again(ballot: Ballot, _: AskAgain) -> BallotStep:
    return stay(ballot, Tell("prepare"), AGAIN)


def tell_commit(ballot: Ballot, _: AskAgain) -> BallotStep:
    return stay(ballot, Tell("commit"), AGAIN)


def tell_abort(ballot: Ballot, _: AskAgain) -> BallotStep:
    return stay(ballot, Tell("abort"), AGAIN)


def committed(ballot: Ballot, event: Done) -> BallotStep:
    ballot = attrs.evolve(ballot, done=_once(ballot.done, event.who))
    return go(Phase.COMMITTED, ballot) if set(ballot.done) == {*PARTICIPANTS} else stay(ballot)


def undone_by_all(ballot: Ballot, event: Done) -> BallotStep:
    """Only who voted yes has something to undo: an answer of others is stray."""
    if event.who not in ballot.yes:
        return stay(ballot)
    ballot = attrs.evolve(ballot, done=_once(ballot.done, event.who))
    return go(Phase.ABORTED, ballot) if set(ballot.done) == {*PARTICIPANTS} else stay(ballot)


def undone(ballot: Ballot, event: Done) -> BallotStep:
    if event.who not in ballot.yes:
        return stay(ballot)
    ballot = attrs.evolve(ballot, done=_once(ballot.done, event.who))
    return go(Phase.ABORTED, ballot) if set(ballot.done) == {*ballot.yes} else stay(ballot)


def ignore(ballot: Ballot, _: object) -> BallotStep:
    return stay(ballot)


def _once(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(sorted({*names, name}))


def coordinator(*, careless: bool) -> Machine[Phase, Ballot, Tell]:
    aborts = abort_all if careless else abort
    aborted = {Phase.ABORTING} if careless else {Phase.ABORTING, Phase.ABORTED}
    decided = {Phase.COMMITTING, Phase.ABORTING}
    return Machine(
        name="two-phase commit",
        states=Phase,
        initial=Phase.INIT,
        final={Phase.COMMITTED, Phase.ABORTED},
        transitions=[
            On(Phase.INIT, Begin, begin, to={Phase.VOTING}),
            On(Phase.VOTING, Yes, yes if careless else yes_once, to={Phase.COMMITTING}),
            On(Phase.VOTING, No, aborts, to=aborted),
            On(Phase.VOTING, VotesLate, aborts, to=aborted),
            On(Phase.VOTING, AskAgain, ask_again),
            On(decided, Yes, ignore),
            On(decided, No, ignore),
            On(Phase.COMMITTING, AskAgain, tell_commit),
            On(Phase.COMMITTING, Done, committed, to={Phase.COMMITTED}),
            On(Phase.ABORTING, AskAgain, tell_abort),
            On(
                Phase.ABORTING,
                Done,
                undone_by_all if careless else undone,
                to={Phase.ABORTED},
            ),
        ],
        timers={VotesLate: Phase.VOTING, AskAgain: {Phase.VOTING, *decided}},
    )


CARELESS = coordinator(careless=True)
CAREFUL = coordinator(careless=False)
EVENTS = [event(who) for event in (Yes, No, Done) for who in PARTICIPANTS]


def nobody_commits_alone(phase: Phase, ballot: Ballot) -> None:
    """Atomicity: a commit needs everyone's yes."""
    if phase in (Phase.COMMITTING, Phase.COMMITTED):
        assert {*ballot.yes} == {*PARTICIPANTS}, f"committing, but only {ballot.yes} said yes"


if __name__ == "__main__":
    found = explore(CARELESS, Ballot(), events=EVENTS, depth=6, invariants=[nobody_commits_alone])
    print(found)
