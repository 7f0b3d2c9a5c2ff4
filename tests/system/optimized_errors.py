"""Run by `python -OO`: import all of the package, and make errors whose words could be lost."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from contextlib import suppress

import attrs
import trio

import greenroom
from greenroom.actors.errors import NotARequest
from greenroom.actors.mailbox import Mailbox
from greenroom.actors.ref import Ref
from greenroom.delivery.events.ids import AskId, IdSource, ToolCallId, UserId
from greenroom.delivery.journal.memory import MemoryJournal
from greenroom.delivery.run.grammar import OutOfOrder, RunStage, RunStep, Spoken
from greenroom.delivery.user.handle import UserHandle
from greenroom.integrations.errors import FrameworkMissing
from greenroom.runtime import NotOpen, Runtime
from greenroom.settings import Settings
from greenroom.supervisor.errors import SupervisorStopped

CALL, ASK = IdSource().new(ToolCallId), IdSource().new(AskId)


def import_all() -> None:
    for module in pkgutil.walk_packages(greenroom.__path__, "greenroom."):
        if not module.name.endswith("__main__") and ".demo" not in module.name:
            with suppress(FrameworkMissing):
                importlib.import_module(module.name)


def steps() -> list[RunStep]:
    made = []
    for kind in RunStep.__args__:
        fields = {"call": CALL, "tool_name": "search", "ask": ASK}
        wanted = [each.name for each in attrs.fields(kind) if each.default is attrs.NOTHING]
        made.append(kind(**{name: fields[name] for name in wanted}))
    return made


def words_of_the_grammar() -> None:
    for step in steps():
        try:
            Spoken(RunStage.ENDED).after(step)
        except OutOfOrder as error:
            print(error)


def refusals() -> None:
    settings = Settings(secret="s" * 40)
    runtime = Runtime(settings, MemoryJournal(epoch="epoch"), {}, ids=IdSource())
    ref: Ref[str] = Ref("it", Mailbox(clock=lambda: 0.0))
    for misuse, expected in (
        (lambda: ref.request("no request"), NotARequest),
        (lambda: runtime.root, NotOpen),
        (lambda: UserHandle(UserId("alice"), runtime.journal).actor, SupervisorStopped),
        (lambda: UserHandle(UserId("alice"), runtime.journal).leased(), SupervisorStopped),
    ):
        try:
            misuse()
        except expected as error:
            print(error)


async def main() -> None:
    import_all()
    words_of_the_grammar()
    refusals()


if sys.flags.optimize != 2:
    raise SystemExit("to be run with -OO")
trio.run(main)
