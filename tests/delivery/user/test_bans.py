"""Bans against a plain dict, whatever the clock does."""

from __future__ import annotations

import math

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from greenroom.delivery.events.ban import Ban
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.user.bans import Bans, TooManyBans

USERS = [UserId(f"user-{number}") for number in range(4)]
LIMIT = 2

pytestmark = pytest.mark.requirement("R47")


class BansMachine(RuleBasedStateMachine):
    """`model` has every ban that is kept, past or not; `journal` those that a restart finds."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0
        self.bans = Bans(lambda: self.now, LIMIT)
        self.model: dict[UserId, float] = {}
        self.journal: dict[UserId, Ban] = {}

    def in_force(self) -> dict[UserId, float]:
        return {user: until for user, until in self.model.items() if until > self.now}

    @rule(user=st.sampled_from(USERS), seconds=st.integers(1, 100))
    def ban(self, user: UserId, seconds: int) -> None:
        if user not in self.model and len(self.model) >= LIMIT:
            self.model = self.in_force()
        if user not in self.model and len(self.model) >= LIMIT:
            with pytest.raises(TooManyBans):
                self.bans.ban(user, self.now + seconds)
        else:
            self.bans.ban(user, self.now + seconds)
            self.model[user] = self.now + seconds
            self.journal[user] = self.bans.entry(user)

    @rule(user=st.sampled_from(USERS))
    def lift(self, user: UserId) -> None:
        assert self.bans.lift(user) is (user in self.in_force())
        self.model.pop(user, None)
        self.journal.pop(user, None)

    @rule()
    def restart(self) -> None:
        """The clock may be wrong meanwhile."""
        self.bans = Bans(lambda: self.now, LIMIT)
        self.bans.load(self.journal.values())
        self.model = {user: ban.until / 1000 for user, ban in self.journal.items()}

    @rule(seconds=st.integers(-50, 100))
    def pass_time(self, seconds: int) -> None:
        """A wall clock may be set back: what was seen to be over may be in force again."""
        self.now += seconds

    @invariant()
    def bans_are_those_of_the_model(self) -> None:
        found = {user: self.bans.until(user) for user in USERS}
        assert {user: until for user, until in found.items() if until} == self.in_force()
        assert len(self.bans) <= len(USERS)


TestBans = BansMachine.TestCase


@pytest.mark.parametrize("until", [999.0, 1_000.0, 1e12, math.inf, math.nan])
def test_a_ban_ends_at_a_time_to_come(until: float) -> None:
    with pytest.raises(ValueError, match="a time to come"):
        Bans(lambda: 1_000.0).ban(USERS[0], until)
