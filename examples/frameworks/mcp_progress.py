"""A tool of an MCP server, on trio: its progress, and a question that it asks the user.

    pip install 'greenroom[mcp]'
    python examples/frameworks/mcp_progress.py

Open the link it prints, which signs you in, and say something. Ctrl-C stops it.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import secrets

import trio
from mcp.client import Client
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

import greenroom
from greenroom.integrations.mcp import Elicitation, call_tool
from greenroom.transport.auth.tokens import sign_token

SETTINGS = greenroom.Settings(port=0, journal=":memory:", secret=secrets.token_urlsafe(32))
server = MCPServer("reader")


class Choice(BaseModel):
    chapters: int


@server.tool()
async def read(book: str, ctx: Context) -> str:
    """Read a book. (In your service the server is another process.)"""
    asked = await ctx.elicit(f"How many chapters of {book}?", Choice)
    if asked.action != "accept":
        return "Nothing was read."
    for chapter in range(1, asked.data.chapters + 1):
        await trio.sleep(0.1)
        await ctx.report_progress(chapter, asked.data.chapters, f"Chapter {chapter}")
    return f"{book} is read."


async def reader(run: greenroom.Run, said: greenroom.JSON) -> None:
    """Answers one message."""
    async with Client(server, mode="legacy", elicitation_callback=Elicitation(run)) as client:
        result = await call_tool(run, client, "read", {"book": str(said)})
    await run.final_report(report=result.structured_content)


async def main() -> None:
    """Serve until Ctrl-C."""
    async with greenroom.open_runtime(SETTINGS, reader) as runtime:
        port = await runtime.listen()
        token = sign_token(SETTINGS.secret or "", "alice", 3600)
        print(f"http://127.0.0.1:{port}/#token={token}", flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    try:
        trio.run(main)
    except KeyboardInterrupt:
        print("stopped")
