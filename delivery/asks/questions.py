"""What a run asks its user: the fields of a question, and the check of its answer (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import ClassVar, Final

import orjson

from greenroom.actors.errors import Fault
from greenroom.actors.text.wording import kind_of
from greenroom.delivery.asks.schemas import BadSchema, compiled, objection
from greenroom.delivery.errors import DeliveryError
from greenroom.delivery.events.draft import BadEvent
from greenroom.delivery.events.ids import AskId
from greenroom.delivery.events.json_data import any_flaw_of
from greenroom.delivery.events.kinds import JSON, Event, Kind
from greenroom.delivery.events.record import Record

ANSWER_BYTES: Final = 64 * 1024
QUESTION_BYTES: Final = 32 * 1024
MOST_SECONDS: Final = 366 * 24 * 3600.0
MOST_OPTIONS: Final = 100


class AnswerRefused(DeliveryError):
    """The question does not allow this answer. The question stays open."""

    fault: ClassVar[Fault] = Fault.CLIENT


def question_data(
    ask: AskId,
    prompt: object,
    *,
    options: Iterable[JSON] | None,
    schema: JSON,
    seconds: float | None,
    now: int,
) -> Mapping[str, JSON]:
    """The data of an `input_requested`. `now`: ms since the epoch. Raises `BadEvent`, which names
    the field."""
    data: dict[str, JSON] = {"ask": ask, "prompt": _checked_prompt(prompt)}
    if options is not None:
        data["options"] = _checked_options(options)
    if schema is not None:
        data["schema"] = _checked_schema(schema)
    if seconds is not None:
        data["expires"] = now + round(_checked_seconds(seconds) * 1000)
    if (size := len(orjson.dumps(data))) > QUESTION_BYTES:
        raise _bad(
            f"a question must have at most {QUESTION_BYTES:,} bytes, not {size:,}",
            advice="ask in fewer words, and emit the bulk as a partial result before",
        )
    return data


def check_answer(asked: Record, value: JSON) -> None:
    """Raises `AnswerRefused` if the question `asked` does not allow this value."""
    data = Event.decode(asked.body).data
    if (size := len(orjson.dumps(value))) > ANSWER_BYTES:
        raise AnswerRefused(f"`value` must have at most {ANSWER_BYTES:,} bytes, not {size:,}")
    options, schema = data.get("options"), data.get("schema")
    if isinstance(options, list) and not any(same_json(value, each) for each in options):
        raise AnswerRefused(f"`value` must be one of the {len(options)} options")
    if schema is not None and (flaw := objection(compiled(schema), value)):
        raise AnswerRefused(f"`value` must fit the schema: {flaw}")


def same_json(value: JSON, other: JSON) -> bool:
    """Equal as JSON: `1.0` is `1`, as browsers write it, and neither is `true`, unlike in Python;
    the order of keys is ignored."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        keys = value.keys()
        return keys == other.keys() and all(same_json(value[key], other[key]) for key in keys)
    if isinstance(value, list | tuple) and isinstance(other, list | tuple):
        return len(value) == len(other) and all(map(same_json, value, other))
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def expiry_of(asked: Record) -> int | None:
    """When the question expires, in ms since the epoch; None if it does not."""
    expires = Event.decode(asked.body).data.get("expires")
    return expires if isinstance(expires, int) else None


def _checked_prompt(prompt: object) -> str:
    if not isinstance(prompt, str):
        raise _bad(f"`prompt` must be a str, not {kind_of(prompt)}")
    if not prompt.strip():
        raise _bad("`prompt` must not be empty")
    return _json(prompt, "prompt")  # type: ignore[return-value]  # it is a str


def _checked_options(options: Iterable[JSON]) -> list[JSON]:
    if isinstance(options, str | Mapping) or not isinstance(options, Iterable):
        raise _bad(f"`options` must be a list of JSON values, not {kind_of(options)}")
    values = [_json(each, "options[]") for each in options]
    if not 1 <= len(values) <= MOST_OPTIONS:
        raise _bad(f"`options` must be 1 to {MOST_OPTIONS} values, not {len(values)}")
    if any(same_json(*pair) for pair in combinations(values, 2)):
        raise _bad("`options` must all differ")
    return values


def _checked_schema(schema: JSON) -> JSON:
    _json(schema, "schema")
    try:
        compiled(schema)
    except BadSchema as error:
        raise _bad(f"`schema` must be a JSON Schema: {error}") from error
    return schema


def _checked_seconds(seconds: object) -> float:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not math.isfinite(seconds) or not 0 < seconds <= MOST_SECONDS:  # type: ignore[operator,arg-type]  # it is a number then
        limit = f"a number of seconds above 0, {MOST_SECONDS:,.0f} at most"
        raise _bad(f"`expires` must be {limit}, not {seconds!r}")
    return float(seconds)  # type: ignore[arg-type]  # it is a number


def _json(value: JSON, name: str) -> JSON:
    if flaw := any_flaw_of(value, name):
        raise _bad(f"{flaw}")
    return value


def _bad(what: str, advice: str = "") -> BadEvent:
    return BadEvent(f"{Kind.INPUT_REQUESTED}: {what}", advice=advice)
