"""What the documentation shows of a program's output is made here: `python -m tests.docs_output`.

A page marks the place: `<!-- output: NAME -->`, a fenced block, `<!-- end -->`. Pictures are files.
`tests/test_docs_output.py` holds pages and pictures to what the programs say now.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import plan
from examples.machines import two_phase_commit, unguarded_connection, vending_machine
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from rich.console import Console, RenderableType

from greenroom.actors.machine.diagram import mermaid, table
from greenroom.commands.output import timeline as timeline_output
from greenroom.commands.output import usage as usage_output
from greenroom.commands.tree.browser import BROWSER
from greenroom.delivery.history.timeline import EventReports, timeline
from greenroom.delivery.history.usage import By, Usage
from greenroom.delivery.history.usage_reader import usage_events
from greenroom.delivery.journal.sqlite.reader import JournalReader
from greenroom.delivery.run.grammar import RUN_GRAMMAR
from greenroom.drawing.machine_svg import svg
from greenroom.testing import explore, machine_test
from greenroom.transport.connection.machine.machine import CONNECTION
from tests.delivery.history.run_story import Afternoon, write

COLUMNS = 110  # of the terminal that the pages show
DOCS = Path(__file__).parents[1] / "docs"
PLACE = re.compile(r"<!-- output: (?P<name>[\w-]+) -->\n.*?<!-- end -->", re.DOTALL)


def vending_story() -> str:
    """The note that a failing test of the vending machine ends with."""
    test = machine_test(
        vending_machine.VENDING,
        data=vending_machine.Till(),
        events=vending_machine.EVENTS,
        invariants=[vending_machine.no_cent_is_lost],
    )
    test.TestCase.settings = settings(
        max_examples=100,  # as many as a reader's, whatever the profile draws
        derandomize=False,
        print_blob=False,  # as Hypothesis does by itself in CI
        deadline=None,
        database=None,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    seed(8)(test)
    try:
        test.TestCase("runTest").debug()
    except AssertionError as error:
        story = "\n".join(error.__notes__).partition("\n\nThe same again")[0]
        return f"AssertionError: {error}\n{story}\n\nThe same again: pytest --hypothesis-seed=8"
    raise AssertionError("the planted bug was not found")


def vending_exploration() -> str:
    return str(
        explore(
            vending_machine.VENDING,
            vending_machine.Till(),
            events=vending_machine.EVENTS,
            depth=5,
            invariants=[vending_machine.no_cent_is_lost],
        )
    )


def commit_exploration() -> str:
    return str(
        explore(
            two_phase_commit.CARELESS,
            two_phase_commit.Ballot(),
            events=two_phase_commit.EVENTS,
            invariants=[two_phase_commit.nobody_commits_alone],
        )
    )


def connection_exploration() -> str:
    return str(
        explore(
            unguarded_connection.UNGUARDED,
            unguarded_connection.LINK,
            events=unguarded_connection.EVENTS,
            depth=3,
            checks=[unguarded_connection.events_only_when_ready],
        )
    )


def run_timeline() -> str:
    """What `greenroom timeline` says of the afternoon that the tests have in their journals."""
    told = Afternoon()
    reports = EventReports(told.cursors, told.marks, (), [told.letter])
    story = timeline(told.run, told.records, reports)
    return rendered(
        timeline_output.heading(story),
        timeline_output.table(story, story.moments, heads=True, room=COLUMNS),
    )


def usage_overview(by: By | None = None) -> str:
    """What `greenroom usage` says of it."""
    with TemporaryDirectory() as directory:
        path = Path(directory, "greenroom.db")
        write(path, *Afternoon().entries)
        usage = Usage(by)
        for event in usage_events(JournalReader(path)):
            usage.add(event)
    return rendered(usage_output.view(usage, usage_output.Period(None, 0), 50))


def rendered(*renderables: RenderableType) -> str:
    """As on a terminal of `COLUMNS` without colours."""
    console = Console(width=COLUMNS, file=StringIO(), force_terminal=False)
    with console.capture() as printed:
        console.print(*renderables)
    return "\n".join(line.rstrip() for line in printed.get().splitlines())


def scaling_plan() -> str:
    """What `python bench/plan.py` says of the figures of the page on performance."""
    try:
        return plan.table(json.loads(plan.DATA.read_text("utf-8")))
    except plan.NotMeasured as error:
        return str(error)


OUTPUTS: dict[str, Callable[[], str]] = {
    "timeline": lambda: fenced(run_timeline()),
    "usage": lambda: fenced(usage_overview()),
    "usage-by-agent": lambda: fenced(usage_overview(By.AGENT)),
    "vending-story": lambda: fenced(vending_story(), fence="~~~"),
    "vending-exploration": lambda: fenced(vending_exploration()),
    "commit-exploration": lambda: fenced(commit_exploration()),
    "connection-exploration": lambda: fenced(connection_exploration()),
    "browser-diagram": lambda: fenced(mermaid(BROWSER), "mermaid"),
    "run-diagram": lambda: fenced(mermaid(RUN_GRAMMAR), "mermaid"),
    "plan": scaling_plan,
    "run-table": lambda: table(RUN_GRAMMAR).rstrip("\n"),
}
PICTURES: dict[str, Callable[[], str]] = {
    "machines/connection.svg": lambda: svg(CONNECTION),
    "machines/run.svg": lambda: svg(RUN_GRAMMAR),
    "machines/vending.svg": lambda: svg(vending_machine.MENDED),
    "machines/two-phase-commit.svg": lambda: svg(two_phase_commit.CAREFUL),
}


def fenced(text: str, language: str = "text", fence: str = "```") -> str:
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def current(page: str) -> str:
    """The page with every marked place as it should be now."""

    def fresh(place: re.Match[str]) -> str:
        name = place["name"]
        return f"<!-- output: {name} -->\n{OUTPUTS[name]()}\n<!-- end -->"

    return PLACE.sub(fresh, page)


def pages() -> Iterator[Path]:
    """The pages that have marked places."""
    return (page for page in sorted(DOCS.glob("*.md")) if PLACE.search(page.read_text("utf-8")))


def main() -> None:
    for page in pages():
        page.write_text(current(page.read_text("utf-8")), "utf-8")
    for name, draw in PICTURES.items():
        (DOCS / name).write_text(draw(), "utf-8")


if __name__ == "__main__":
    main()
