"""A graph of LangGraph that asks its user, and goes on after its server was killed.

    pip install 'greenroom[langgraph]' langgraph-checkpoint-sqlite
    python examples/frameworks/langgraph_approval.py

Open the link it prints, which signs you in, and say which file is to be deleted. Kill the
process before you answer (`kill -9`), start it again, and answer: the graph continues where it was.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

import greenroom
from greenroom import aio
from greenroom.integrations.langgraph import approval, run_graph
from greenroom.transport.auth.tokens import sign_token

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
SETTINGS = greenroom.Settings(
    port=0,
    journal=FOLDER / "greenroom.db",
    secret="of this example, and known to everyone",  # keep your own in a vault
)


class Files(TypedDict, total=False):
    path: str
    found: int
    deleted: bool


async def look(state: Files) -> Files:
    """A step whose result is in the checkpoint: it is not done again."""
    with (FOLDER / "looked.txt").open("a") as file:
        file.write(f"{state['path']}\n")
    return {"found": 14}


async def delete(state: Files) -> Files:
    """Asks first."""
    asked = approval("delete", {"path": state["path"], "files": state["found"]})
    return {"deleted": interrupt(asked) == "yes"}


def graph_of(saver: AsyncSqliteSaver):  # LangGraph's own type
    graph = StateGraph(Files)
    graph.add_node("look", look)
    graph.add_node("delete", delete)
    graph.add_edge(START, "look")
    graph.add_edge("look", "delete")
    return graph.compile(checkpointer=saver)


async def main() -> None:
    """Serve until Ctrl-C."""
    async with AsyncSqliteSaver.from_conn_string(str(FOLDER / "checkpoints.db")) as saver:
        graph = graph_of(saver)

        @aio.agent(when_lost="again")
        async def files(run: aio.Run, said: greenroom.JSON) -> None:
            await run_graph(run, graph, {"path": str(said)})

        async with aio.open_runtime(SETTINGS, files) as runtime:
            port = await runtime.listen()
            token = sign_token(SETTINGS.secret or "", "alice", 3600)
            print(f"http://127.0.0.1:{port}/#token={token}", flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print("stopped")
