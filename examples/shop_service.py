"""The corner shop as a service: actors of one's own, under the runtime's root.

    export GREENROOM_SECRET=$(openssl rand -base64 32)
    export GREENROOM_ADMIN_TOKEN=$(openssl rand -base64 32)
    greenroom token --user alice
    python examples/shop_service.py

Log in on its page with the token, and ask for soap. Then ask for milk, which was never put on
the shelf: the shelf crashes, is restarted and has soap again. `greenroom tree` and
`greenroom crashes` show it.
"""

from __future__ import annotations

import signal

import trio
from corner_shop import Stock, Take, ref_of, staff

import greenroom
from greenroom.actors import Ref
from greenroom.supervisor import SupervisorRef, supervisor_child


def shelf_of(runtime: greenroom.Runtime) -> Ref[object]:
    """The shelf of now: after a restart it is another."""
    shop = runtime.root.child("shop")
    assert isinstance(shop, SupervisorRef)
    return ref_of(shop, "shelf")


async def main() -> None:
    """Serve until Ctrl-C or SIGTERM."""

    async def keeper(run: greenroom.Run, said: greenroom.JSON) -> None:
        shelf = shelf_of(runtime)
        shelf.tell(Stock("soap", 1))
        left = await shelf.ask(Take(str(said)))
        await run.final_report(report={"thing": said, "left": left})

    async with greenroom.open_runtime(agents=keeper) as runtime:
        await runtime.root.start_child(supervisor_child("shop", staff()))
        port = await runtime.listen()
        print(f"the shop is open at http://127.0.0.1:{port}/", flush=True)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            await anext(signals)
            await runtime.drain()


if __name__ == "__main__":
    trio.run(main)
