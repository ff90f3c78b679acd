"""The checking of request bodies, as tables: a field a row, and errors by field the way the vendor words them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, TypeAlias

Record: TypeAlias = dict[str, Any]
"""A JSON object, of the shape of the API."""

REQUIRED: Final = "This field is required."
_DECIMAL: Final = re.compile(r"-?\d{0,10}(\.\d{0,2})?")

Kind: TypeAlias = Literal[
    "text", "int", "bool", "date", "instant", "decimal", "email", "state", "ssn", "url", "object", "list", "any"
]


class Refusal(Exception):
    """An answer other than success: `status`, its JSON `body` and `headers`."""

    def __init__(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def refused(**errors: str) -> Refusal:
    """A 400 that names fields: `refused(duration="...")`."""
    return Refusal(400, {name: [text] for name, text in errors.items()})


def detail(status: int, text: str) -> Refusal:
    """A refusal of the `{"detail": text}` kind."""
    return Refusal(status, {"detail": text})


def no_such(name: str, key: object) -> Refusal:
    """The 400 for a reference to nothing, or to something that this credential may not see."""
    return refused(**{name: f'Invalid pk "{key}" - object does not exist.'})


def copied(value: Any) -> Any:
    """A copy of what JSON can hold, all the way down."""
    if isinstance(value, dict):
        return {name: copied(one) if isinstance(one, dict | list) else one for name, one in value.items()}
    return [copied(one) for one in value] if isinstance(value, list) else value


def as_text(moment: datetime) -> str:
    """UTC in whole seconds, as the API writes instants."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_instant(text: str) -> datetime:
    """Most forms of ISO 8601 are taken; without a zone it is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class Field:
    """A row: what may be sent. `blank` and `null` say whether `""` and null are taken; `fields` is the table of what is inside."""

    kind: Kind = "text"
    required: bool = False
    null: bool = True
    blank: bool = True
    longest: int | None = None
    choices: tuple[object, ...] = ()
    fields: Mapping[str, Field] = field(default_factory=dict)


class _Bad(Exception):
    def __init__(self, error: object) -> None:
        self.error = error


def check(table: Mapping[str, Field], body: object, *, partial: bool) -> Record:
    """The writable fields of `body`; unknown and read-only ones are dropped, as the vendor does. Raises Refusal 400.

    `partial` is PATCH: nothing is required at the top (inside of an object, it still is).
    """
    try:
        return _object(table, body, partial=partial)
    except _Bad as bad:
        errors = bad.error if isinstance(bad.error, dict) else {"non_field_errors": bad.error}
        raise Refusal(400, errors) from None


def _object(table: Mapping[str, Field], body: object, *, partial: bool) -> Record:
    if not isinstance(body, dict):
        raise _Bad([f"Invalid data. Expected a dictionary, but got {type(body).__name__}."])
    values: Record = {}
    errors: dict[str, object] = {}
    for name, row in table.items():
        if name not in body:
            if row.required and not partial:
                errors[name] = [REQUIRED]
            continue
        try:
            values[name] = _value(row, body[name])
        except _Bad as bad:
            errors[name] = bad.error
    if errors:
        raise _Bad(errors)
    return values


def _value(row: Field, value: object) -> object:
    if value is None:
        if row.null:
            return None
        raise _Bad(["This field may not be null."])
    if value == "" and not row.blank:
        raise _Bad(["This field may not be blank."])
    if row.kind == "object":
        return _object(row.fields, value, partial=False) if row.fields else _READERS["object"](value)
    if row.kind == "list":
        return _list(row, value)
    read = _READERS[row.kind](value)
    if row.choices and read not in row.choices:
        raise _Bad([f'"{value}" is not a valid choice.'])
    if row.longest is not None and isinstance(read, str) and len(read) > row.longest:
        raise _Bad([f"Ensure this field has no more than {row.longest} characters."])
    return read


def _list(row: Field, value: object) -> list[object]:
    if not isinstance(value, list):
        raise _Bad([f'Expected a list of items but got type "{type(value).__name__}".'])
    if not row.fields:
        return list(value)
    items: list[object] = []
    errors: list[object] = []
    for item in value:
        try:
            items.append(_object(row.fields, item, partial=False))
            errors.append({})
        except _Bad as bad:
            errors.append(bad.error)
    if any(errors):
        raise _Bad(errors)
    return items


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise _Bad(["Not a valid string."])


def _int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _Bad(["A valid integer is required."])
    try:
        return int(value)
    except ValueError:
        raise _Bad(["A valid integer is required."]) from None


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Bad(["Must be a valid boolean."])
    return value


def _date(value: object) -> str:
    try:
        return date.fromisoformat(_text(value)).isoformat()
    except ValueError:
        raise _Bad(["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."]) from None


def _instant(value: object) -> str:
    try:
        return as_text(as_instant(_text(value)))
    except ValueError:
        raise _Bad(["Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss]Z."]) from None


def _decimal(value: object) -> str:
    text = _text(value)
    if not text.strip("-.") or not _DECIMAL.fullmatch(text):
        raise _Bad(["A valid number is required."])
    return text


def _shaped(pattern: str, complaint: str) -> Callable[[object], str]:
    compiled = re.compile(pattern)

    def read(value: object) -> str:
        text = _text(value)
        if not compiled.fullmatch(text):
            raise _Bad([complaint])
        return text

    return read


def _dictionary(value: object) -> Record:
    if not isinstance(value, dict):
        raise _Bad([f"Invalid data. Expected a dictionary, but got {type(value).__name__}."])
    return dict(value)


def _any(value: object) -> object:
    return value


_READERS: Final[Mapping[Kind, Callable[[object], object]]] = {
    "text": _text,
    "int": _int,
    "bool": _bool,
    "date": _date,
    "instant": _instant,
    "decimal": _decimal,
    "email": _shaped(r"[^@\s]+@[^@\s]+\.[^@\s]+", "Enter a valid email address."),
    "state": _shaped(r"([A-Z]{2})?", "Use the two-letter abbreviation of the state."),
    "ssn": _shaped(r"(\d{9})?", "Enter the nine digits of the number."),
    "url": _shaped(r"https?://\S+", "Enter a valid URL."),
    "object": _dictionary,
    "any": _any,
}
