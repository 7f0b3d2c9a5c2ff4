"""A reactor that writes down the words it is told, answers, and calls what can be called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs

from greenroom.actors import Reactor, Request


@attrs.frozen
class Echo(Request[str]):
    word: str


Said: TypeAlias = str | Echo | Callable[[], object]


class SpokenTo(Reactor[Said]):
    lines: list[str]

    def handle(self, message: Said) -> str | None:
        if isinstance(message, Echo):
            return message.word
        if isinstance(message, str):
            self.lines.append(message)
        else:
            message()
        return None
