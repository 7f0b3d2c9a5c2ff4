"""What the queries of the observer's requests ask for, and who may ask for texts."""

from __future__ import annotations

from greenroom.admin.guard import Guard
from greenroom.admin.queries import asked_in, whole_number
from greenroom.transport.http.request_head import RequestHead


def text_asked(head: RequestHead, name: str) -> str | None:
    """The last value of a parameter."""
    values = asked_in(head).get(name)
    return values[-1] if values else None


def number_asked(head: RequestHead, name: str, *, usual: int | None, most: int) -> int | None:
    """A whole number of the query, at most `most`; `usual` without it. Raises `BadRequest`."""
    asked = text_asked(head, name)
    if asked is None:
        return usual
    return min(whole_number(name, asked, digits=16), most)


def texts_asked(head: RequestHead, guard: Guard) -> bool:
    """Whether the answer is to have the texts of users and agents. Raises `LooksOnly`."""
    if text_asked(head, "texts") != "yes":
        return False
    guard.check_reader(head)
    return True
