"""An agent that asks its user, and reports what `ask` gave it."""

from __future__ import annotations

from typing import Any

import attrs
import trio

from greenroom import JSON, AskExpired, AskWithdrawn, OutOfOrder, Run, TooManyAsks


@attrs.frozen
class Trip:
    """What the agent wants to know of a trip."""

    city: str
    nights: int
    breakfast: bool = True


async def curious(run: Run, said: JSON) -> None:
    """`said` has the arguments of `ask`, or `{"trip": …}` with those beside an attrs class."""
    assert isinstance(said, dict)
    match said:
        case {"many": int(count)}:
            await run.final_report(report=await ask_many(run, count))
        case {"at_once": int(count)}:
            await run.final_report(report=await ask_at_once(run, count))
        case {"trip": dict(options)}:
            trip: Any = await run.ask("Where to?", answer_type=Trip, **options)  # type: ignore[call-overload]  # drawn
            await run.final_report(report={"city": trip.city, "nights": trip.nights})
        case _:
            await run.final_report(report=await ask_once(run, said))


async def ask_once(run: Run, said: dict[str, Any]) -> JSON:
    try:
        return {"answer": await run.ask(said.pop("prompt", "Delete 14 files?"), **said)}
    except (AskExpired, AskWithdrawn) as error:
        return {"error": type(error).__name__}


async def ask_many(run: Run, count: int) -> JSON:
    """Ask until it is too much; what was asked is withdrawn."""
    refused = 0

    async def ask(number: int) -> None:
        nonlocal refused
        try:
            await run.ask(f"Question {number}?")
        except TooManyAsks:
            refused += 1

    with trio.move_on_after(1.0):
        async with trio.open_nursery() as nursery:
            for number in range(count):
                nursery.start_soon(ask, number)
    return {"refused": refused}


async def ask_at_once(run: Run, count: int) -> JSON:
    """Ask one question in several tasks."""
    answers: list[JSON] = []

    async def ask() -> None:
        try:
            answers.append(await run.ask("Delete 14 files?", key="delete"))
        except OutOfOrder as error:
            answers.append(error.message.rpartition(" is ")[2])

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(ask)
    return answers
