"""An agent for the page that takes files, and says what came."""

from __future__ import annotations

import hashlib

from greenroom import JSON, Files, Run, agent
from tests.system.processes import serve

TAKES = Files(types=["image/*", "text/*"], max_bytes=300_000, most=2)


@agent(takes=("text", TAKES))
async def reader(run: Run, said: JSON) -> None:
    for file in await run.files():
        data = await run.read_file(file)
        await run.partial_result(text=f"{file.name} {file.media} {len(data)} {digest(data)}\n\n")
    await run.partial_result(text=f"You said: {said!r}")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


if __name__ == "__main__":
    serve(reader)
