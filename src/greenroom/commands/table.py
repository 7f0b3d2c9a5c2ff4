"""The commands by group, before any of them is imported, and the overview of `greenroom --help`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

ABOUT: Final = "What an AI agent does reaches the right user: in order, durably, and provably seen."
DEBUG_HELP: Final = "--debug, with any command, shows the traceback of an error."
OPTIONS: Final = {
    "--help, -h": "Display this message and exit.",
    "--version": "Display application version.",
}


class Subcommand(NamedTuple):
    """A command before it is imported. `place` is its module and function."""

    place: str
    summary: str  # the first line of its help
    usage: str | None = None  # in place of cyclopts' `[ARGS]`


GROUPS: Final[Mapping[str, Mapping[str, Subcommand]]] = {
    "Serve": {
        "demo": Subcommand(
            "greenroom.commands.demo:demo",
            "Serve the demo: an offline agent that answers questions about a CSV, and its page.",
        ),
        "serve": Subcommand(
            "greenroom.commands.serve:serve", "Serve an agent to users who have a token."
        ),
        "worker": Subcommand(
            "greenroom.commands.runs.worker:worker",
            "Run an agent for users of the servers that share a journal in Postgres or Redis.",
        ),
        "token": Subcommand(
            "greenroom.commands.token:token",
            "Print a token that `greenroom serve` accepts if it has the same secret.",
        ),
    },
    "Ask a journal": {
        "events": Subcommand(
            "greenroom.commands.events:events",
            "Show the events of a journal, oldest first. A server may be writing it meanwhile.",
        ),
        "timeline": Subcommand(
            "greenroom.commands.timeline:timeline",
            "Show one run: each event, how long its tools took, and what each session saw when.",
        ),
        "explain": Subcommand(
            "greenroom.commands.looking:explain",
            "Show what failed behind a reference that a user was shown: the error and its "
            "traceback.",
        ),
        "why": Subcommand(
            "greenroom.commands.looking:why",
            "Say in one sentence why a user did not see an event, and what shows it.",
        ),
        "usage": Subcommand(
            "greenroom.commands.usage:usage",
            "Count a journal's runs, users, events and tools. A server may be writing it "
            "meanwhile.",
        ),
        "threads": Subcommand(
            "greenroom.commands.users.threads:threads",
            "List, show, name, archive or erase a user's threads.",
        ),
        "dead-letters": Subcommand(
            "greenroom.commands.dead_letters:dead_letters",
            "List, show, requeue or drop events that no client received.",
        ),
    },
    "Look into a running server": {
        "tree": Subcommand(
            "greenroom.commands.looking:tree",
            "Show the supervision tree of a running server.",
            usage="Usage: greenroom tree [OPTIONS] [URL]",
        ),
        "crashes": Subcommand(
            "greenroom.commands.looking:crashes",
            "List the crashes that a running server and its journal remember, newest first.",
            usage="Usage: greenroom crashes [OPTIONS] [URL]",
        ),
        "nodes": Subcommand(
            "greenroom.commands.tree.nodes:nodes",
            "List the servers that share a journal in Postgres or Redis, with their leases.",
        ),
        "crash": Subcommand(
            "greenroom.commands.looking:crash",
            "Show one crash: the error, the last messages, and the crashes that led to it.",
            usage="Usage: greenroom crash [OPTIONS] [URL] ID",
        ),
    },
    "Maintain and develop": {
        "journal": Subcommand(
            "greenroom.commands.journal:journal",
            "Back up, check, migrate, compact, export, import or move a journal.",
        ),
        "users": Subcommand(
            "greenroom.commands.users.group:users",
            "Disconnect or readmit a user, and export or erase all that is kept of one.",
        ),
        "runs": Subcommand(
            "greenroom.commands.runs.group:runs",
            "List or show runs that have not ended, retry or cancel one of a running server.",
        ),
        "ids": Subcommand("greenroom.commands.ids:ids", "Explain ids."),
        "machine": Subcommand(
            "greenroom.commands.machine:machine", "Draw a state machine from its table alone."
        ),
        "replay": Subcommand(
            "greenroom.commands.replay:replay",
            "Feed a crash's recorded messages to a fresh actor; exit code 0 if it crashes the "
            "same way.",
        ),
    },
}
COMMANDS: Final = {name: each for group in GROUPS.values() for name, each in group.items()}


def overview() -> Iterator[str]:
    """The lines of `greenroom --help`."""
    yield from ("Usage: greenroom COMMAND", "", ABOUT, "")
    for title, commands in GROUPS.items():
        yield f"{title}:"
        yield from (f"  {name}: {commands[name].summary}" for name in sorted(commands))
        yield ""
    yield "Options:"
    yield from (f"  {name}: {about}" for name, about in OPTIONS.items())
    yield from ("", DEBUG_HELP)
