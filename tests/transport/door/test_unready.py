"""Bounding a user's sockets that are open and not ready."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from greenroom.delivery.errors import TooManyConnections
from greenroom.delivery.events.ids import UserId
from greenroom.transport.door.unready import UnreadySockets

USERS = [UserId("alice"), UserId("bob")]
LIMIT = 3

pytestmark = pytest.mark.fault("S12")


class Sockets(RuleBasedStateMachine):
    """Sockets that open, become ready, close and are gone in any order, told once or twice."""

    places = Bundle("places")

    def __init__(self):
        super().__init__()
        self.unready = UnreadySockets(LIMIT)
        self.held = []

    def count(self, user):
        return sum(whose == user for whose, _ in self.held)

    @rule(target=places, user=st.sampled_from(USERS))
    def opens(self, user):
        if self.count(user) >= LIMIT:
            with pytest.raises(TooManyConnections):
                self.unready.place(user)
            return user, None
        place = self.unready.place(user)
        self.held.append((user, place))
        return user, place

    @rule(place=places)
    def is_ready_or_gone(self, place):
        if place[1] is not None:
            place[1].release()
            self.held = [each for each in self.held if each != place]

    @rule(place=places)
    def closes(self, place):
        if place[1] is not None:
            place[1].take()
            self.held = [*(each for each in self.held if each != place), place]

    @rule(place=places)
    def fails_to_start(self, place):
        if place[1] is not None:
            with pytest.raises(ZeroDivisionError), place[1].kept():
                raise ZeroDivisionError
            self.held = [each for each in self.held if each != place]

    @invariant()
    def counts_are_right_and_users_without_sockets_are_forgotten(self):
        for user in USERS:
            assert self.unready.held(user) == self.count(user)
        assert self.unready._held.keys() == {user for user, _ in self.held}


TestSockets = Sockets.TestCase


def test_a_block_that_ends_well_keeps_its_place():
    unready = UnreadySockets(1)
    with unready.place(USERS[0]).kept():
        pass
    assert unready.held(USERS[0]) == 1


def test_a_limit_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        UnreadySockets(0)
