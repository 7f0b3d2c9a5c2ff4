"""Graphs of LangGraph, and what is made of them (LangChain's agents, deepagents):
`await run_graph(run, graph, {"messages": [...]})` in an agent under asyncio.

A node that interrupts asks the user: `interrupt(approval("delete", {"path": path})) == "yes"`. With
a checkpointer, a run that goes on after its server was lost continues at its last checkpoint.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

import orjson

from greenroom.aio.run import AioRun
from greenroom.delivery.events.kinds import JSON
from greenroom.integrations.langchain_messages import MessageWriter, last_words_of
from greenroom.integrations.needed import needed
from greenroom.integrations.writing.approvals import (
    OPTIONS,
    REFUSED,
    is_approved,
    prompt_of,
    question,
)
from greenroom.integrations.writing.hosts import check_asyncio
from greenroom.integrations.writing.json_values import as_json
from greenroom.integrations.writing.run_writer import RunWriter
from greenroom.integrations.writing.streams import closing

with needed("langgraph", "1.2.24", extra="langgraph"):
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import RunnableConfig
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.types import Command, Interrupt
    from langgraph.typing import ContextT, InputT, OutputT, StateT

MODES: Final = ("messages", "updates", "values")
OWN_RUN: Final = "greenroom_run"
"""The metadata by which a run knows its own checkpoints."""

_Part: TypeAlias = tuple[tuple[str, ...], str, Any]
"""Which graph, which mode, and what its data is by the mode."""

Ask: TypeAlias = Callable[[AioRun, "Interrupt"], Awaitable[object]]
"""Asks the user what a graph wants to know; returns what the graph is resumed with."""


def approval(tool_name: str, arguments: Mapping[str, JSON]) -> JSON:
    """What a node passes to `interrupt` before it calls a tool; the answer is "yes" or "no"."""
    return {"question": question(tool_name, arguments), "options": OPTIONS}


async def ask_user(run: AioRun, interrupt: Interrupt) -> object:
    """Ask the user what an interrupt says: a text, an object with a `question`, its `options` and
    what else the user must know, or tool calls to be approved, as those of LangChain's
    HumanInTheLoopMiddleware."""
    value, key = interrupt.value, str(interrupt.id)
    known = dict(value) if isinstance(value, Mapping) else {"question": value}
    if "action_requests" in known:
        return {"decisions": await _decisions(run, known["action_requests"], key)}
    options = known.pop("options", None)
    if options and isinstance(options, Sequence) and not isinstance(options, str):
        return await run.ask(_prompt(known), options=[as_json(each) for each in options], key=key)
    return await run.ask(_prompt(known), schema=_schema_of(interrupt), key=key)


async def run_graph(
    run: AioRun,
    graph: CompiledStateGraph[StateT, ContextT, InputT, OutputT],
    graph_input: InputT | Command | None,
    config: RunnableConfig | None = None,
    *,
    context: ContextT | None = None,
    ask: Ask = ask_user,
) -> Mapping[str, object]:
    """Run a graph, and show its user what its models think and say, and its tools. Its
    `structured_response` becomes the final report, or its whole state if it has said nothing.

    The thread of the checkpointer is that of the run, unless `config` has another. Returns the last
    state. Raises what the graph raises, `NothingSaid`, and `WrongHost` on trio.
    """
    check_asyncio(run, "langgraph.run_graph")
    config = _config_of(run, config)
    begun, pending = await _before_restart(run, graph, config)
    following: InputT | Command | None = None if begun else graph_input
    state: Mapping[str, object] = {}
    async with RunWriter(run) as out:
        messages = MessageWriter(out)
        while True:
            if pending:
                answers = {each.id: await ask(run, each) for each in pending}
                following = Command(resume=answers)
            pending = []
            stream = graph.astream(
                following, config, context=context, stream_mode=list(MODES), subgraphs=True
            )
            async with closing(cast("AsyncIterator[_Part]", stream)) as parts:
                async for place, mode, data in parts:
                    if mode == "messages":
                        await messages.write(data[0])
                    elif mode == "updates":
                        pending += data.get("__interrupt__", ()) if not place else ()
                    elif not place:
                        state = data
            if not pending:
                break
        await _report(out, state, is_late=begun)
    return state


def _config_of(run: AioRun, config: RunnableConfig | None) -> RunnableConfig:
    found: RunnableConfig = {**(config or {})}
    found["configurable"] = {"thread_id": str(run.thread)} | found.get("configurable", {})
    found["metadata"] = found.get("metadata", {}) | {OWN_RUN: str(run.context.run)}
    return found


async def _before_restart(
    run: AioRun,
    graph: CompiledStateGraph[StateT, ContextT, InputT, OutputT],
    config: RunnableConfig,
) -> tuple[bool, list[Interrupt]]:
    """Whether an earlier attempt of this run has left a checkpoint, and what it asked last."""
    if run.attempt == 1 or not graph.checkpointer:
        return False, []
    last = await graph.aget_state(config)
    begun = (last.metadata or {}).get(OWN_RUN) == str(run.context.run)
    return begun, list(last.interrupts) if begun else []


def _prompt(known: dict[str, object]) -> str:
    """The question, and below it the rest of what the interrupt says."""
    asked = known.pop("question", "")
    parts = [asked, *([known] if known else [])]
    return prompt_of("\n\n".join(filter(None, map(_as_text, parts))))


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(as_json(value)).decode()


def _schema_of(interrupt: Interrupt) -> JSON:
    """What the answer must be like, which later versions of LangGraph know: a model or a schema."""
    found = getattr(interrupt, "response_schema", None)
    if isinstance(found, type):
        schema = getattr(found, "model_json_schema", None)
        return as_json(schema()) if schema else None
    return as_json(found)


async def _decisions(run: AioRun, requests: Sequence[Mapping[str, object]], key: str) -> list[JSON]:
    decisions: list[JSON] = []
    for place, request in enumerate(requests):
        approved = await is_approved(
            run, str(request["name"]), request.get("args"), key=f"{key}:{place}"
        )
        refusal = {"type": "reject", "message": REFUSED}
        decisions.append({"type": "approve"} if approved else refusal)
    return decisions


async def _report(out: RunWriter, state: Mapping[str, object], *, is_late: bool) -> None:
    """`is_late`: an earlier attempt may have written the answer."""
    if (found := state.get("structured_response")) is not None:
        await out.report(found)
    elif out.is_silent and is_late and (said := last_words_of(state.get("messages"))):
        await out.text(said)
    elif out.is_silent and (values := _values(state)):
        await out.report(values)
    out.check_said()


def _values(state: Mapping[str, object]) -> dict[str, object]:
    """What a state holds beside messages."""
    return {
        name: value
        for name, value in state.items()
        if not (isinstance(value, list) and any(isinstance(each, BaseMessage) for each in value))
    }
