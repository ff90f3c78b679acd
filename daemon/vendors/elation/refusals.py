"""What a status other than success means, and what can be learned from the body that comes with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec
from yarl import URL

from daemon.vendors.elation.exchange import Answer
from daemon.vendors.ports.errors import (
    Duplicate,
    Gone,
    Malformed,
    Moved,
    NotFound,
    OutcomeUnknown,
    Refused,
    Unauthorized,
    Unreachable,
    VendorError,
)
from events.decoding import decoding

TEXT_CAP: Final = 16_384

_LAST_ID: Final = re.compile(r"(?:^|/)([0-9]{1,18})/?$")
_WHOLE_RECORD: Final = frozenset({"detail", "non_field_errors"})
_PLACES_OF_INPUT: Final = frozenset({"body", "query", "path"})


def refusal(operation: str, answer: Answer, *, write: bool) -> VendorError:
    """The error for an answer whose status is not 2xx; 401 and 429 are the caller's, who knows what came before."""
    status = answer.status
    text = (answer.body or b"")[:TEXT_CAP].decode("utf-8", "replace")
    match status:
        case 303:
            return Moved(operation, _last_id(_path(answer.location)))
        case 401 | 403:
            return Unauthorized(operation, f"HTTP {status}")
        case 404:
            return NotFound(operation, vendor_text=text, problems=problems(text), status=status)
        case 409:
            return Duplicate(operation, _existing(text), vendor_text=text)
        case 410:
            return Gone(operation, vendor_text=text, problems=problems(text), status=status)
        # 408: the server gave up waiting; a write may have arrived all the same.
        case _ if status >= 500 or status == 408:
            return OutcomeUnknown(operation, f"HTTP {status}") if write else Unreachable(operation, f"HTTP {status}")
        case _:
            return Refused(operation, vendor_text=text, problems=problems(text), status=status)


def problems(text: str) -> tuple[tuple[str, str, str], ...]:
    """(element path, "", vendor's words) for each message in a 400 or 422 body; none if the body is not JSON.

    Reads `{"field": ["text"]}` however nested (`phones[1].phone`), `{"detail": "text"}` (path "": the whole record), and
    `{"detail": [{"loc": ["body", "field"], "msg": "text"}]}` of the newer services.
    """
    return tuple((path, "", words) for path, words in _messages(_plain(text), ""))


def _messages(plain: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(plain, str):
        yield path, plain
    elif isinstance(plain, list):
        for index, entry in enumerate(plain):
            # A list of texts are the messages of one field; a list of objects stands for the entries of an array.
            yield from _messages(entry, path if isinstance(entry, str) else f"{path}[{index}]")
    elif isinstance(plain, dict):
        if isinstance(plain.get("loc"), list) and isinstance(plain.get("msg"), str):
            yield _location(plain["loc"]), plain["msg"]
            return
        for name, value in plain.items():
            inner = path if name in _WHOLE_RECORD else f"{path}.{name}" if path else str(name)
            yield from _messages(value, inner)


def _location(steps: list[object]) -> str:
    if steps and steps[0] in _PLACES_OF_INPUT:
        steps = steps[1:]
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else str(step)
    return path


def _existing(text: str) -> int | None:
    # `redirect` is `/api/2.0/patients/1234` in the docs and the bare number in a recorded answer.
    plain = _plain(text)
    redirect = plain.get("redirect") if isinstance(plain, dict) else None
    if isinstance(redirect, int) and not isinstance(redirect, bool):
        return redirect if 0 <= redirect < 10**18 else None
    return _last_id(_path(redirect)) if isinstance(redirect, str) else None


def _plain(text: str) -> object:
    try:
        with decoding(lambda _: Malformed("elation", "$")):
            return msgspec.json.decode(text)
    except Malformed:
        return None


def _path(address: str | None) -> str:
    try:
        return URL(address or "").path
    except ValueError:
        return ""


def _last_id(path: str) -> int | None:
    found = _LAST_ID.search(path.strip())
    return int(found.group(1)) if found else None
