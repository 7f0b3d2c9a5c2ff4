"""The files that an agent takes, and those that a message names (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

import attrs

from greenroom.actors.errors import Fault
from greenroom.actors.recording.redaction import SECRET
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.events.kinds import JSON

MEGABYTE: Final = 1_000_000
MOST_BYTES: Final = 1_000 * MEGABYTE
MOST_FILES: Final = 100


class FileRefused(DeliveryError):
    """A client's file, or what a message says about files, is not what the agent takes. Nothing was
    kept."""

    fault: ClassVar[Fault] = Fault.CLIENT


class BadFilesTaken(DeliveryError, ValueError):
    """A value given to `greenroom.Files` is not allowed."""

    fault: ClassVar[Fault] = Fault.CALLER


def _texts(types: Iterable[str]) -> tuple[str, ...]:
    return tuple(each.lower() if isinstance(each, str) else each for each in types)


@attrs.frozen
class Files:
    """Files that an agent takes with a message: `@greenroom.agent(takes=("text", Files()))`.

    `types`: media types, such as `"image/*"` or `"application/pdf"`; any if there are none.
    `max_bytes`: the size of each, at most. `most`: how many may go with one message.
    """

    types: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    max_bytes: int = 10 * MEGABYTE
    most: int = 5

    def __attrs_post_init__(self) -> None:
        _check_whole("max_bytes", self.max_bytes, MOST_BYTES)
        _check_whole("most", self.most, MOST_FILES)
        for each in self.types:
            if not isinstance(each, str) or each.count("/") != 1 or each.startswith("*"):
                raise BadFilesTaken(
                    f'`types` must be media types such as "image/*" or "text/csv", not {each!r}'
                )

    @property
    def unfinished_bytes(self) -> int:
        """How many bytes of one user may wait for their messages: two messages' files."""
        return 2 * self.most * self.max_bytes

    def has_type(self, media: str) -> bool:
        wanted = media.partition(";")[0].strip().lower()
        return not self.types or any(_matches(each, wanted) for each in self.types)

    def as_json(self) -> dict[str, JSON]:
        """As `ready` says it."""
        return {"types": list(self.types), "max_bytes": self.max_bytes, "most": self.most}


def _check_whole(name: str, value: object, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise BadFilesTaken(f"`{name}` must be a whole number from 1 to {most:,}, not {value!r}")


def _matches(wanted: str, media: str) -> bool:
    return media.startswith(wanted[:-1]) if wanted.endswith("/*") else media == wanted


@attrs.frozen
class File:
    """A file that the user sent with a message: `run.read_file(file)` reads it.

    `key`: the name that the client gave it, new for each file. `name` and `media` are what the
    client says: check them before you use `name` as a path or believe `media`.
    """

    key: str
    name: str = attrs.field(metadata=SECRET)
    media: str
    size: int

    def as_json(self) -> dict[str, JSON]:
        """As `user_said` has it."""
        return {"file": self.key, "name": self.name, "media": self.media, "size": self.size}

    @classmethod
    def from_json(cls, fields: Mapping[str, JSON]) -> File:
        """Raises `KeyError`."""
        return cls(
            str(fields["file"]),
            str(fields["name"]),
            str(fields["media"]),
            int(str(fields["size"])),
        )


def files_in(data: Mapping[str, JSON]) -> Sequence[File]:
    """The files that the data of a `user_said` names."""
    listed = data.get("files")
    if not isinstance(listed, list):
        return ()
    return [File.from_json(each) for each in listed if isinstance(each, dict)]


def check_files(taken: Files | None, files: Sequence[File]) -> None:
    """Raise `FileRefused` at the first thing about a message's files that the agent does not
    take."""
    if taken is None:
        raise FileRefused("say: this agent takes no files")
    if len(files) > taken.most:
        raise FileRefused(
            f"say: `files` names {len(files)} files, and the agent takes at most {taken.most}"
        )
    if len({each.key for each in files}) < len(files):
        raise FileRefused("say: `files` names a file twice")
    for each in files:
        check_size(taken, each.size)
        if not taken.has_type(each.media):
            wanted = ", ".join(taken.types)
            raise FileRefused(f"say: the agent takes files of {wanted}, not of {each.media!r}")


def check_size(taken: Files, size: int) -> None:
    """Raise `FileRefused` for a file that is too large."""
    if size > taken.max_bytes:
        raise FileRefused(
            f"the file has {size:,} bytes, and the agent takes at most {taken.max_bytes:,}"
        )
