"""A worker on plain asyncio that speaks to a user over HTTP: no trio, no server of its own.

Start a server and make a token, then run the worker:

    export GREENROOM_SECRET=$(openssl rand -base64 32)
    greenroom serve examples/csv_analyst.py &
    python examples/asyncio_worker.py http://127.0.0.1:8700 \
        "$(greenroom token --service worker --user '*')" alice
"""

import asyncio
import sys

import greenroom.remote


async def main(url: str, token: str, user: str) -> None:
    """Count to ten for a user, as a job of some minutes would report how it goes."""
    async with (
        greenroom.remote.connect(url, token) as server,
        server.run(user=user, agent="worker") as run,
    ):
        async with run.tool("count", {"to": 10}) as tool:
            tool.result(sum(range(1, 11)))
        async with run.text() as text:
            for number in range(1, 11):
                text.write(f"{number} ")
                await asyncio.sleep(0)
        receipt = await run.final_report(report={"sum": tool.value})
        print(f"event {receipt.offset}: {receipt.kind}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
