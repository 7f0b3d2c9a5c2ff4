"""What an agent says in Markdown before it fails, with markup that must stay text."""

from __future__ import annotations

from greenroom.delivery.events.kinds import Kind
from tests.delivery.outbox.three_runs import THREADS, record

THREAD = THREADS[0]

TEXT = """# Costs in May

**Compute** costs the _most_, see [the bill](https://example.org/) and `total()`.
<b>not bold</b> <script>boom()</script> ![a picture](https://example.org/x.png)
[no link](javascript:boom())

1. Compute
2. Storage
   - hot
   - cold

> Network is unusual.

| service | cost |
|---------|-----:|
| Compute | 150 |

```python
def total(costs: list[int]) -> int:
    return sum(costs)
```
"""
PIECES = [TEXT[start : start + 40] for start in range(0, len(TEXT), 40)]
END = 5 + len(PIECES)

MARKDOWN_HISTORY = [
    record(1, Kind.USER_SAID, body="How much did we spend in May?\n" * 40, say="s1"),
    record(2, Kind.AGENT_STARTED, agent="analyst"),
    record(3, Kind.TOOL_EXECUTING, tool_call="c1", tool_name="load_table"),
    *[record(n, Kind.PARTIAL_RESULT, text=text, index=n) for n, text in enumerate(PIECES, 4)],
    record(END - 1, Kind.AGENT_FAILED, reason="crash", error="Error", message="", reference="r1"),
]
