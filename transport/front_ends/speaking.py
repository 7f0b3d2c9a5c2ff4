"""What a front end's user says, and the files that go before it (pure)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, cast

from greenroom.delivery.events.kinds import JSON
from greenroom.delivery.files.taken import Files, check_files
from greenroom.transport.front_ends.held_files import HeldFile
from greenroom.transport.front_ends.wanted import Saying

AROUND_BYTES: Final = 1_024
"""What a frame has beside its part of a file."""

Frame: TypeAlias = Mapping[str, JSON]


class Speaking:
    """The frames of one message, each said once the one before it is answered.

    Raises `FileRefused` if the message holds files that the agent does not take. To an agent that
    takes none they are a part of what is said.
    """

    def __init__(self, said: Saying, ready: Frame) -> None:
        self.say = f"again:{ready['connection']}" if said.id is None else said.id
        self._said = said
        self._uploads: _Uploads | None = None
        taken = _taken_in(ready)
        if taken is not None and said.files:
            frame_bytes = cast(int, ready["max_frame_bytes"])
            self._uploads = _Uploads(taken, said.files, said.thread, frame_bytes)

    @property
    def has_spoken(self) -> bool:
        """Whether the message itself was the last frame."""
        return self._uploads is None

    def first(self) -> Frame:
        return self._saying(self._said.body) if self._uploads is None else self._uploads.first()

    def after(self, reply: Frame) -> Frame:
        """What follows the answer to a part of a file."""
        uploads = cast(_Uploads, self._uploads)
        if (part := uploads.after(reply)) is not None:
            return part
        self._uploads = None
        return {**self._saying(self._said.beside), "files": uploads.listed()}

    def _saying(self, body: JSON) -> Frame:
        return {"type": "say", "id": self.say, "thread": self._said.thread, "body": body}


def _taken_in(ready: Frame) -> Files | None:
    """The files that the agent takes, as `ready` says it."""
    taken = ready.get("files")
    if not isinstance(taken, dict):
        return None
    types = tuple(map(str, cast("Sequence[JSON]", taken["types"])))
    return Files(types, cast(int, taken["max_bytes"]), cast(int, taken["most"]))


class _Uploads:
    """Files on their way, a part at a time. Raises `FileRefused` where the agent takes no such."""

    def __init__(
        self, taken: Files, files: Sequence[HeldFile], conversation: str, frame_bytes: int
    ) -> None:
        self._files = [each.sent(conversation, place) for place, each in enumerate(files)]
        check_files(taken, self._files)
        self._left = list(zip(self._files, files, strict=True))
        self._part_bytes = max(3, (frame_bytes - AROUND_BYTES) * 3 // 4)

    def listed(self) -> JSON:
        return [each.as_json() for each in self._files]

    def first(self) -> Frame:
        return self._part(0)

    def after(self, reply: Frame) -> Frame | None:
        """The next part: it begins where the server says that the file ends so far. None: it has
        all of the files."""
        received = cast(int, reply["received"])
        file, _ = self._left[0]
        if received < file.size:
            return self._part(received)
        del self._left[0]
        return self._part(0) if self._left else None

    def _part(self, start: int) -> Frame:
        file, held = self._left[0]
        data = b64encode(held.data[start : start + self._part_bytes]).decode()
        place: dict[str, JSON] = {"file": file.key, "start": start, "size": file.size}
        return {"type": "file", "id": file.key, **place, "data": data}
