"""What a user's parts of the tree are called (pure).

Whatever could end a name, in a path of the tree or in a sentence of the log, is percent-encoded in
it (RFC 3986 §2.1). So a path has the parts it seems to have, and logs know where a user's id ends.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from greenroom.delivery.events.ids import UserId

QUOTED = r"[\w.@|+~!$&*=%-]+"
"""A regular expression of what `quoted` gives."""

_TO_QUOTE = re.compile(r"[^\w.@|+~!$&*=-]")


def child_id(user: UserId) -> str:
    """What a user's subtree is called in the tree."""
    return f"user:{quoted(user)}"


def outbox_name(user: UserId) -> str:
    """What a user's actor is called."""
    return f"outbox:{quoted(user)}"


def quoted(user: str) -> str:
    """A user's id as part of a name."""
    return _TO_QUOTE.sub(lambda found: quote(found[0], safe=""), user)


def unquoted(name: str) -> str:
    """The id that was `quoted`."""
    return unquote(name)
