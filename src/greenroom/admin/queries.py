"""What the query of an admin's request asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from greenroom.transport.http.request_head import BadRequest, RequestHead


def asked_in(head: RequestHead, *, keep_blank: bool = False) -> Mapping[str, Sequence[str]]:
    """Each parameter with its values, in order; an empty value is left out unless `keep_blank`.
    Raises `BadRequest` for values that are not in UTF-8."""
    try:
        return parse_qs(head.query, keep_blank_values=keep_blank, errors="strict")
    except UnicodeDecodeError as error:
        raise BadRequest("The values of the query must be in UTF-8, percent-encoded.") from error


def whole_number(name: str, text: str, *, digits: int) -> int:
    """The value of a parameter, which has at most this number of digits. Raises `BadRequest`."""
    if not _is_number(text, digits):
        raise BadRequest(f"`{name}` must be a whole number, not {text[:20]!r}.")
    return int(text)


def whole_number_to(name: str, text: str, most: int) -> int:
    """The value of a parameter, from 1 to `most`. Raises `BadRequest`."""
    if not (_is_number(text, len(str(most))) and 1 <= int(text) <= most):
        raise BadRequest(f"`{name}` must be a whole number from 1 to {most}, not {text[:20]!r}.")
    return int(text)


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits
