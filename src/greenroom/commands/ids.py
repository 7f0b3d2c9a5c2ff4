"""`greenroom ids explain`: what an id is, or why a text is not an id."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
from cyclopts import App

from greenroom.actors.errors import GreenroomError
from greenroom.actors.text.escaping import one_line
from greenroom.actors.text.wording import a
from greenroom.commands.options import Flag
from greenroom.commands.output.streams import write_line
from greenroom.delivery.legacy.id_explanation import Explanation, IdMeaning, explain


class NoIds(GreenroomError):
    """Some of the given texts are not ids."""


ids = App(name="ids", help="Explain ids.", help_format="plaintext")


@ids.command(name="explain")
def explain_ids(
    id: str,  # noqa: A002  # the command line's word
    /,
    *more: str,
    json: Flag = False,
) -> None:
    """Say what each id is: its kind, when it was born, and what a legacy id becomes.

    For a text that is not an id, the most similar id is shown; the exit code is then 1.

    Parameters
    ----------
    id
        An id of any kind, of greenroom or of an older system.
    more
        Further ids.
    json
        One JSON object per line.
    """
    explanations = [explain(text) for text in (id, *more)]
    for each in explanations:
        if json:
            write_line(_as_json(each))
        else:
            print(*_lines(each), sep="\n")
    sys.stdout.flush()
    unknown = sum(not each.known for each in explanations)
    if unknown:
        raise NoIds(f"not ids: {unknown} of {len(explanations)}")


def _lines(explanation: Explanation) -> Iterator[str]:
    text = one_line(explanation.text)
    if now := explanation.is_now:
        yield f"{text}: {a(now.kind)} id, {_born(now.born_ms)}" + (
            " (it was a legacy id)" if explanation.mapped else ""
        )
    elif explanation.becomes:
        likeliest, *others = explanation.becomes
        born = _born(likeliest.born_ms)
        yield f"{text}: a legacy {likeliest.kind} id ({explanation.form}), {born}"
        yield f"  becomes {likeliest.id}"
        for other in others:
            yield f"  as {a(other.kind)} id: {other.id}"
    elif explanation.why:
        yield f"{text or '(nothing)'}: not an id: {explanation.why}"
    else:
        yield f"{text}: not an id"
    if explanation.closest:
        yield f"  closest: {explanation.closest}"
    if explanation.maybe_user:
        yield "  as a user's id it is valid: the identity provider decides on the form of those"


def _as_json(explanation: Explanation) -> bytes:
    now = explanation.is_now
    fields = {
        "id": explanation.text.encode("utf-8", "replace").decode(),
        "known": explanation.known,
        "kind": now.kind if now else None,
        "born_ms": now.born_ms if now else None,
        "mapped": explanation.mapped,
        "legacy_form": explanation.form,
        "becomes": [_meaning(each) for each in explanation.becomes],
        "user": explanation.maybe_user,
        "why": explanation.why or None,
        "closest": explanation.closest,
    }
    return orjson.dumps(fields)


def _meaning(meaning: IdMeaning) -> dict[str, object]:
    return {"id": str(meaning.id), "kind": meaning.kind, "born_ms": meaning.born_ms}


def _born(born_ms: int | None) -> str:
    if born_ms is None:
        return "with no time in it"
    try:
        moment = datetime.fromtimestamp(born_ms / 1000, UTC)
    except (OverflowError, ValueError):  # 48 bits of milliseconds reach the year 10889
        return f"born {born_ms} ms after 1970"
    return f"born {moment:%Y-%m-%d %H:%M:%S}.{born_ms % 1000:03} UTC"
