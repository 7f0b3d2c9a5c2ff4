"""Reactors and actors side by side: whatever is done to them, both do what one model says."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.reactors.world import AsReactor, AsTask, Steps, World, modelled, play, scripts

pytestmark = pytest.mark.requirement("R39")


@given(scripts, st.random_module())
def test_a_reactor_does_what_an_actor_does(script: Steps, seed: object) -> None:
    """Also where they speak to each other."""
    script, lives = modelled(script)
    for kinds in [[AsTask], [AsReactor], [AsTask, AsReactor]]:
        assert trio.run(play, World(kinds), script) == lives
