"""Tells other nodes of users and notices, and hears it from them: through Redis's channels.

The script that commits tells the other nodes its number. Whoever hears it applies what is new, and
finds in the rows whose they are: a message that is lost costs time only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Never

import orjson
import trio

from greenroom.actors.reactors.callbacks import default_callbacks
from greenroom.delivery.errors import JournalError
from greenroom.delivery.events.ids import UserId
from greenroom.delivery.events.nodes.notice import HINTS, WHATS, Notice, What
from greenroom.delivery.journal.redis.client import LOST
from greenroom.delivery.journal.redis.errors import in_our_words
from greenroom.delivery.journal.redis.holding import Holding
from greenroom.delivery.journal.redis.rows import Changed
from greenroom.delivery.journal.sql.nodes.shared_nodes import Heard

MOST_HINTS: Final = 1_000
"""Hints that may wait to be sent."""

logger = logging.getLogger("greenroom.delivery")


class RedisWakeUps:
    """`hears`: whether what this node sent to itself has come back."""

    def __init__(self, holding: Holding, committed: Callable[[int], None]) -> None:
        """`committed` is called in another thread with the number of a commit of another node."""
        self._holding = holding
        self._committed = committed
        self.hears = False
        self._heard: Heard = _nobody_listens
        self._callbacks = default_callbacks()
        self._send, self._to_send = trio.open_memory_channel[Notice](MOST_HINTS)
        holding.client.listen(holding.channel, self._arrived)

    # In trio

    def tell(self, users: Iterable[UserId], notices: Iterable[Notice] = ()) -> None:
        """Send hints to the other nodes. The commit's script tells them of what is kept."""
        for notice in notices:
            if notice.what in HINTS:
                with suppress(trio.WouldBlock):
                    self._send.send_nowait(notice)

    async def speak(self) -> Never:
        """Send what `tell` was called with."""
        async for notice in self._to_send:
            what = orjson.dumps([notice.user, notice.what, notice.of])
            with suppress(JournalError):  # a hint may be lost
                await trio.to_thread.run_sync(self._tell, what)
        raise AssertionError("the channel is never closed")

    async def listen(self, heard: Heard) -> Never:
        """Call `heard` with the users of whom other nodes kept something, and with notices."""
        self._heard = heard
        try:
            await trio.sleep_forever()
        finally:
            self._heard = _nobody_listens

    # On other threads

    def followed(self, changed: Changed) -> None:
        """The copy has these changes of other nodes."""
        users = [UserId.trusted(user) for user in changed.users]
        rows = [row for row in changed.rows.get("notice", {}).values() if row is not None]
        notices = [
            Notice(UserId.trusted(str(about)), What(str(what)), orjson.loads(str(of)))
            for _, _, _, about, what, of in rows
            if what in WHATS  # a newer version may say more
        ]
        if users or notices:
            self._post(users, notices)

    def _tell(self, what: bytes) -> None:
        with in_our_words(self._holding.where):
            self._holding.tell(what)

    def _arrived(self, message: bytes) -> None:
        if message in (b"", LOST):
            self.hears = not message
            return
        number, _, turn = message.partition(b" ")
        if number.isdigit():
            if turn:
                self._holding.turn.ask_again()
            self._committed(int(number))
        else:
            with suppress(ValueError, TypeError):  # a newer version may say it otherwise
                user, what, of = orjson.loads(message)
                self._post([], [Notice(UserId.trusted(user), What(what), of)])

    def _post(self, users: Sequence[UserId], notices: Sequence[Notice]) -> None:
        with suppress(trio.RunFinishedError):
            self._callbacks.post(partial(self._hear, users, notices))

    def _hear(self, users: Sequence[UserId], notices: Sequence[Notice]) -> None:
        self._heard(users, notices)


def _nobody_listens(_: Sequence[UserId], __: Sequence[Notice]) -> None:
    """What was not heard is found by looking."""
