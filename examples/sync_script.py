"""A plain script that speaks to a user: no loop, no async.

python examples/sync_script.py
"""

from __future__ import annotations

import secrets

import greenroom

SETTINGS = greenroom.Settings(port=0, journal=":memory:", secret=secrets.token_urlsafe(32))
ORDERS = [12.5, 80.0, 7.25]


def main() -> None:
    """One run, with a tool, a question that is not answered in time, and a report."""
    with greenroom.start_portal(SETTINGS) as portal:
        with portal.run(user="alice", agent="nightly") as run:
            with run.tool("sum_up", {"orders": len(ORDERS)}) as tool:
                tool.result(sum(ORDERS))
            send = run.ask(
                "Send the bill?", options=["yes", "no"], expires=0.1, default="no"
            ).wait()
            run.stream(["The bill ", "was ", "sent." if send == "yes" else "kept."])
            run.final_report(report={"total": sum(ORDERS), "sent": send == "yes"})
        for event in run.history():
            print(event.offset, event.kind, event.data)


if __name__ == "__main__":
    main()
