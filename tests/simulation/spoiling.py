"""Answers of vendors, spoilt: one record of them, or all of them. Bytes in, bytes out."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spoil:
    """How a member of a record is spoilt. `unusable`: the record cannot be read as long as it is."""

    member: str
    spoilt: Callable[[str], str]
    unusable: bool = True


def _inside(what: str) -> Callable[[str], str]:
    """Put it into the middle of the value: who strips it has the value."""
    return lambda value: value[: len(value) // 2] + what + value[len(value) // 2 :]


def _always(what: str) -> Callable[[str], str]:
    return lambda _value: what


ELATION = (
    Spoil("first_name", _inside("\x00"), unusable=False),
    Spoil("last_name", _inside("\x1b\x07"), unusable=False),
    Spoil("dob", _always("9999-12-31")),
    Spoil("dob", _always("0001-01-01")),
    Spoil("dob", _always("not a day")),
    Spoil("last_modified", _always("9999-12-31T23:59:59Z"), unusable=False),
    Spoil("last_modified", _always("")),
)
KAREO = (
    Spoil("FirstName", _inside("&#0;"), unusable=False),
    Spoil("LastName", _inside("&#11;"), unusable=False),
    Spoil("FirstName", _inside("<b")),
    Spoil("LastName", _inside("&foo;")),
    Spoil("DOB", _always("12/31/9999 12:00:00 AM")),
    Spoil("DOB", _always("1/1/0001 12:00:00 AM")),
    Spoil("DOB", _always("13/32/1980")),
    Spoil("LastModifiedDate", _always("12/31/9999 11:59:59 PM"), unusable=False),
    Spoil("LastModifiedDate", _always("yesterday")),
)
UNEXPECTED = b"An unexpected error occurred. Please contact support."
REFUSED = b"The request was refused."
"""What the sandbox says of a planned refusal."""


def elation_record(body: bytes, chart: int, spoil: Spoil) -> bytes:
    """An answer of Elation in which this chart is spoilt; the same bytes where it is not in there."""
    answer = _json(body)
    rows = answer.get("results", [answer]) if isinstance(answer, dict) else []
    mine = [row for row in rows if isinstance(row, dict) and row.get("id") == chart and spoil.member in row]
    for row in mine:
        row[spoil.member] = spoil.spoilt(row[spoil.member] or "")
    return json.dumps(answer).encode() if mine else body


def elation_endless(body: bytes, url: str, page: int, *, empty: bool) -> bytes:
    """A list of Elation that always has a next page: of no rows, or of the same rows again."""
    answer = _json(body)
    if not isinstance(answer, dict) or "next" not in answer:
        return body
    rows = [] if empty else answer["results"]
    joint = "&" if "?" in url else "?"
    return json.dumps({**answer, "results": rows, "next": f"{url}{joint}offset={page}"}).encode()


def kareo_record(body: bytes, patient: int, spoil: Spoil) -> bytes:
    """An answer of Kareo in which this patient is spoilt; the same bytes where that patient is not in there."""
    at = body.find(b"<ID>%d</ID>" % patient)
    if at < 0:
        return body
    start = max(body.rfind(b"<PatientData>", 0, at), body.rfind(b"<Patient>", 0, at))
    ends = [end for end in (body.find(b"</PatientData>", at), body.find(b"</Patient>", at)) if end > 0]
    if start < 0 or not ends:
        return body
    row = body[start : min(ends)]
    tag = spoil.member.encode()
    spoilt = re.sub(
        b"<%s>([^<]*)</%s>" % (tag, tag),
        lambda found: b"<%s>%s</%s>" % (tag, spoil.spoilt(found.group(1).decode()).encode(), tag),
        row,
        count=1,
    )
    return body[:start] + spoilt + body[min(ends) :]


def broken(body: bytes, pick: random.Random) -> bytes:
    """An answer that is cut, or that has a byte where none may be."""
    at = pick.randrange(1, len(body)) if len(body) > 1 else 0
    return pick.choice((body[:at], body[:at] + b"\xff\x00<" + body[at:], b"[" * 5000))


def unreadable(pick: random.Random) -> bytes:
    """A message that nobody can read."""
    return pick.choice(
        (b"\xff\xfe\x00\x80\x81", b"\x91" * 5000, b"", pick.randbytes(40), b"\x9b\xa3elm", b'{"practice": "elm"}')
    )


def flipped(body: bytes, pick: random.Random) -> bytes:
    """The same with one bit changed."""
    at = pick.randrange(len(body))
    return body[:at] + bytes([body[at] ^ 1 << pick.randrange(8)]) + body[at + 1 :]


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
