"""The picture of a machine: everything of the table is in it, and nothing lies on anything."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.drawing.layered_layout import Arrow, Layout, lay_out
from greenroom.drawing.machine_svg import svg
from tests.actors.machine.turnstile import TURNSTILE
from tests.testing.machines.machines import lamp

pytestmark = pytest.mark.requirement("R41")

SVG = "{http://www.w3.org/2000/svg}"


def texts(drawing: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


def test_every_state_stands_once_every_event_along_its_arrow_or_inside_its_state() -> None:
    drawing = svg(TURNSTILE)

    states, inside = ["LOCKED", "UNLOCKED", "BROKEN"], ["Push", "Coin"]
    along = ["Coin", "Kick", "Push", "TimeIsUp", "Kick"]
    assert sorted(texts(drawing)) == sorted(states + inside + along)
    assert drawing.count('class="arrow"') == 5, "four between states, one from the start"
    assert drawing.count('class="rim"') == 1, "the end has a double line"


def test_the_events_of_declared_timers_bear_a_clock() -> None:
    drawing = svg(lamp())

    assert drawing.count('class="clock"') == 1
    assert "Due" in texts(drawing)


def test_names_are_escaped() -> None:
    machine = lamp()
    machine.name = "a < b & c"

    assert ElementTree.fromstring(svg(machine)).attrib["aria-label"] == "State machine a < b & c"


NAMES = "abcdefgh"
SIZES = st.tuples(st.floats(10, 200), st.floats(10, 120))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, tuple[float, float]], list[Arrow]]:
    nodes = {name: draw(SIZES) for name in NAMES[: draw(st.integers(2, 8))]}
    ends = st.tuples(st.sampled_from(sorted(nodes)), st.sampled_from(sorted(nodes)))
    pairs = draw(st.lists(ends.filter(lambda two: two[0] != two[1]), unique=True, max_size=14))
    return nodes, [Arrow(one, other, draw(SIZES)) for one, other in pairs]


def boxes(
    layout: Layout, nodes: dict[str, tuple[float, float]], arrows: list[Arrow]
) -> list[tuple[float, float, float, float]]:
    middles = [*(layout.nodes[name] for name in nodes), *layout.labels]
    sizes = [*nodes.values(), *(arrow.label for arrow in arrows)]
    return [
        (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        for (x, y), (width, height) in zip(middles, sizes, strict=True)
    ]


@given(graphs())
def test_boxes_and_labels_never_overlap_and_stay_on_the_page(
    graph: tuple[dict[str, tuple[float, float]], list[Arrow]],
) -> None:
    nodes, arrows = graph
    layout = lay_out(nodes, arrows)
    found = boxes(layout, nodes, arrows)

    for one, other in combinations(found, 2):
        apart = one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
        assert apart
    slack = 1e-6
    for left, top, right, bottom in found:
        assert left >= -slack
        assert top >= -slack
        assert right <= layout.size[0] + slack
        assert bottom <= layout.size[1] + slack


@given(graphs())
def test_every_arrow_runs_from_the_side_of_one_box_to_the_facing_side_of_the_other(
    graph: tuple[dict[str, tuple[float, float]], list[Arrow]],
) -> None:
    nodes, arrows = graph
    layout = lay_out(nodes, arrows)

    for arrow, way in zip(arrows, layout.ways, strict=True):
        assert len(way) % 2 == 0
        for end, (x, y) in ((arrow.source, way[0]), (arrow.target, way[-1])):
            (middle_x, middle_y), (width, height) = layout.nodes[end], nodes[str(end)]
            assert abs(abs(y - middle_y) - height / 2) < 1e-6
            assert abs(x - middle_x) <= width / 2


def test_the_same_machine_is_drawn_the_same_way_each_time() -> None:
    assert svg(TURNSTILE) == svg(TURNSTILE)
    assert re.match(
        r'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \d+ \d+"', svg(TURNSTILE)
    )
