"""`greenroom replay`: does it crash again?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from greenroom.actors.errors import Fault, GreenroomError
from greenroom.actors.text.escaping import one_line
from greenroom.commands.options import Flag
from greenroom.delivery.journal.private_files import replace_private
from greenroom.loading.replay import Case, load_case
from greenroom.settings import BadSettings
from greenroom.supervisor.crash.error_note import ErrorNote
from greenroom.testing.replay.replay import Replayed, place_of


class NotReproduced(GreenroomError):
    """The replay did not crash as the report says."""

    fault = Fault.OPERATOR


def replay(
    report: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    actor: str | None = None,
    trust: Flag = False,
    write_test: Path | None = None,
    force: Flag = False,
) -> None:
    """Feed a crash's recorded messages to a fresh actor; exit code 0 if it crashes the same way.

    The actor runs alone, on a clock that jumps over every wait.

    Parameters
    ----------
    report
        A crash saved with `greenroom crash ID --json > CRASH.json`; `-` reads standard input.
    actor
        What makes a fresh actor, as MODULE_OR_FILE:FACTORY. Default: what the report names.
    trust
        Import any code that the report names. Use it only for reports of your own.
    write_test
        Write the replay to this pytest file, if it crashes the same way.
    force
        Overwrite the pytest file if it exists.
    """
    if write_test is not None and write_test.exists() and not force:
        raise BadSettings(
            [f"{write_test} exists already"],
            advice="name a file that does not exist, or overwrite it with --force",
        )
    _check_is_a_file(report)
    case = load_case(report, actor=actor, trust=trust)
    replayed = case.run()
    print("\n".join(_told(case, replayed)), flush=True)
    if not replayed.is_like(case.report):
        raise _not_reproduced(case, replayed)
    if write_test is not None:
        _write(write_test, case, replayed, actor)


def _check_is_a_file(report: Path) -> None:
    """A name that looks like a crash's id is taken for one that was not saved yet."""
    if report.name.isalnum() and report.parent == Path() and not report.exists():
        raise BadSettings(
            [f"there is no file {report}"],
            advice=f"save a crash first: greenroom crash {report} --json > {report}.json",
        )


def _told(case: Case, replayed: Replayed) -> list[str]:
    actor = case.report.actor
    assert actor is not None, "load_case refuses such a report"
    assert case.report.error is not None, "load_case refuses such a report"
    lines = [
        f"crash {case.report.id} of {case.report.path}",
        f"  recorded: {_raised(case.report.error)}",
        f"  replayed: {_raised(replayed.error)}",
        f"  {replayed.handled} of {replayed.messages} messages handled",
    ]
    forgotten = actor.forgotten + len(actor.messages) - replayed.messages
    if forgotten > 0:
        lines.append(f"  {forgotten} messages before them were not kept")
    if case.redacted:
        lines.append(f"  {case.redacted} secrets were left out; stand-ins took their place")
    return lines


def _raised(error: ErrorNote | None) -> str:
    if error is None:
        return "no crash"
    said, place = error.message.partition("\n")[0], place_of(error)
    return one_line(f"{error.name}: {said}" + (f" ({place})" if place not in said else ""))


def _not_reproduced(case: Case, replayed: Replayed) -> NotReproduced:
    actor = case.report.actor
    if replayed.crashed:
        difference = one_line(str(replayed.difference(case.report)))
        return NotReproduced(
            f"it crashes in a different way: {difference}",
            advice="fix that first, or make the actor as it was with --actor module:factory",
        )
    if actor is not None and actor.forgotten:
        return NotReproduced(
            "it does not crash: the state that earlier messages left is missing",
            advice="make an actor in that state with --actor module:factory, or record more",
        )
    return NotReproduced(
        "it does not crash: the fault is fixed, or depends on more than the messages",
        advice="make what else it depends on with --actor module:factory",
    )


def _write(path: Path, case: Case, replayed: Replayed, actor: str | None) -> None:
    with replace_private(path) as file:  # it holds the actor's messages
        file.write(case.test(replayed, actor).encode())
    print(f"written to {path}", flush=True)
