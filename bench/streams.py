"""Server CPU per token that an agent streams, beside peers that send each token.

Each of `--users` clients has a run whose agent writes a token every `--every` seconds into
`run.text()`, for `--tokens` tokens. A peer sends each token in a frame of its own, and keeps
nothing. Clients acknowledge every 32 events or 50 ms, as those of greenroom do. A machine that is
too busy to keep the pace shows it in the tokens per second, and its pieces are larger.
"""

from __future__ import annotations

import argparse
import time

import attrs
from side_by_side.client import Frame
from side_by_side.compare import compare, finish, server_options
from side_by_side.crowd import Crowd, Failed
from side_by_side.order import Order
from side_by_side.server import MEMORY, PEER, SQLITE, Server, allow_sockets

TOKEN = 5  # characters


@attrs.define
class Readers(Crowd):
    """Users who count tokens by their characters, whatever events they come in."""

    pieces: int = 0

    async def _measure(self, moment: float) -> None:
        """Until the last token is there, so that each that was sent is counted."""
        before, begun = self.server.cpu_seconds(), time.monotonic()
        await self._served.wait()
        self.cpu = self.server.cpu_seconds() - before
        self.wall, self.events = time.monotonic() - begun, self.received

    def _take(self, events: list[Frame]) -> int:
        texts = [each["data"]["text"] for each in events if each["kind"] == "partial_result"]
        count = sum(map(len, texts)) // TOKEN
        self.received += count
        self.pieces += len(texts)
        return count


async def measure(server: Server, users: int, order: Order) -> dict[str, float]:
    readers = Readers(server, users, order)
    await readers.run()
    if readers.failures:
        raise Failed(str(dict(readers.failures)))
    return {
        "CPU µs/event": readers.cpu / readers.events * 1e6,
        "cores": readers.cpu / readers.wall,
        "tokens/s": readers.events / readers.wall,
        "tokens/event": readers.received / readers.pieces,
    }


def arguments() -> argparse.ArgumentParser:
    parser = server_options(__doc__)
    parser.set_defaults(rounds=1)
    parser.set_defaults(servers=[PEER, MEMORY, SQLITE])
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=250, help="tokens a user gets")
    parser.add_argument("--every", type=float, default=0.02, help="seconds from token to token")
    return parser


def main() -> None:
    options = arguments().parse_args()
    order = Order(options.tokens, every=options.every, stays=True, streamed=True, size=TOKEN)
    allow_sockets(options.users)
    title = f"{options.users:,} users, {options.tokens:,} tokens each, one per {options.every} s"
    table = compare(title, options, lambda server: measure(server, options.users, order))
    finish([table], options)


if __name__ == "__main__":
    main()
