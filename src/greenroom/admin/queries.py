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
