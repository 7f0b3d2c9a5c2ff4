"""What an agent in synchronous code is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from greenroom.blocking.run import BlockingRun
from greenroom.delivery.events.kinds import JSON

ThreadedAgent: TypeAlias = Callable[[BlockingRun, JSON], None]
"""An agent in synchronous code: a plain function, whose runs have a thread each."""
