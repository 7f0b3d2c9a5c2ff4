"""The user context: the ids that say whom an event is for."""

from __future__ import annotations

import attrs

from greenroom.delivery.events.ids import (
    BadId,
    Id,
    IdSource,
    RequestId,
    RunId,
    SessionId,
    ThreadId,
    UserId,
    kind_of,
    named,
)

_default_ids = IdSource()


_KINDS: dict[str, type[Id]] = {
    "user": UserId,
    "thread": ThreadId,
    "run": RunId,
    "request": RequestId,
    "session": SessionId,
}


@attrs.frozen
class UserContext:
    """The ids that travel with a run. An id of another kind raises `BadId`.

    `new` parses strings from outside; the constructor accepts only parsed ids.
    """

    user: UserId
    thread: ThreadId
    run: RunId
    request: RequestId
    session: SessionId | None = None

    def __attrs_post_init__(self) -> None:
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if type(value) is not kind and not (name == "session" and value is None):
                raise BadId(kind.kind, _given(value), value)

    @classmethod
    def new(
        cls,
        *,
        user: str,
        thread: str | None = None,
        run: str | None = None,
        request: str | None = None,
        session: str | None = None,
        ids: IdSource = _default_ids,
    ) -> UserContext:
        """A context for `user`; ids left out are generated. Raises `BadId`."""
        return cls(
            user=UserId.parse(user),
            thread=ids.new(ThreadId) if thread is None else named(ThreadId.parse(thread)),
            run=ids.new(RunId) if run is None else RunId.parse(run),
            request=ids.new(RequestId) if request is None else RequestId.parse(request),
            session=None if session is None else SessionId.parse(session),
        )


def _given(value: object) -> str:
    if type(value) is str:
        return f"an unparsed str ({kind_of(value)})"
    return value.kind if isinstance(value, Id) else kind_of(value)
