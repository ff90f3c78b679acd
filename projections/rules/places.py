"""Where a value stands in a record: how a table's row reads it as text, and how a record looks after a write of it was taken.

`label` is the place's name on the screens of its side (guide). A reader is made once, when the table is loaded: both views are
read for every change that comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from operator import attrgetter
from typing import Protocol

from msgspec import Struct

from events.records import Phone
from projections.terms.codecs import PhoneNumber

TextOf = Callable[[Struct], str]
Changes = dict[str, object]
_clean = PhoneNumber().clean


class RecordPlace(Protocol):
    """A place in the records of one side."""

    @property
    def label(self) -> str: ...

    def reader(self) -> TextOf:
        """The function that reads the place as text; "" means empty."""
        ...

    def put(self, record: Struct, text: str, changes: Changes) -> None:
        """Add to `changes` the members of `record` that differ once `text` stands in the place."""
        ...


@dataclass(frozen=True)
class Attr:
    """A member that is text."""

    name: str
    label: str

    def reader(self) -> TextOf:
        return attrgetter(self.name)

    def put(self, record: Struct, text: str, changes: Changes) -> None:
        changes[self.name] = text


@dataclass(frozen=True)
class AddressPart(Attr):
    """A text member that is part of an address; a system may take the address as a whole only."""


@dataclass(frozen=True)
class Day(Attr):
    """A member that is a calendar day, as ISO text."""

    def reader(self) -> TextOf:
        read: Callable[[Struct], date | None] = attrgetter(self.name)
        return lambda record: day.isoformat() if (day := read(record)) else ""

    def put(self, record: Struct, text: str, changes: Changes) -> None:
        changes[self.name] = date.fromisoformat(text)


@dataclass(frozen=True)
class RecordId(Attr):
    """A member that is the id of a record of the directory, as text; 0 is nobody's id."""

    def reader(self) -> TextOf:
        read: Callable[[Struct], int | None] = attrgetter(self.name)
        return lambda record: str(number) if (number := read(record)) else ""

    def put(self, record: Struct, text: str, changes: Changes) -> None:
        changes[self.name] = int(text)


@dataclass(frozen=True)
class First(Attr):
    """The first text of a member that holds several; writing it leaves that one alone."""

    def reader(self) -> TextOf:
        read: Callable[[Struct], Sequence[str]] = attrgetter(self.name)
        return lambda record: texts[0] if (texts := read(record)) else ""

    def put(self, record: Struct, text: str, changes: Changes) -> None:
        changes[self.name] = (text,) if text else ()


@dataclass(frozen=True)
class PhoneOf(Attr):
    """The first phone of a kind in a member that holds several."""

    kind: str

    def reader(self) -> TextOf:
        read: Callable[[Struct], tuple[Phone, ...]] = attrgetter(self.name)
        kind = self.kind

        def number(record: Struct) -> str:
            for phone in read(record):
                if phone.kind == kind:
                    return phone.number
            return ""

        return number

    def put(self, record: Struct, text: str, changes: Changes) -> None:
        self.put_beside(record, text, changes, ())

    def put_beside(self, record: Struct, text: str, changes: Changes, beside: Collection[str]) -> None:
        """As `put`; the numbers `beside` ours stay."""
        phones = changes[self.name] if self.name in changes else getattr(record, self.name)
        changes[self.name] = with_phone(phones, self.kind, text, beside)  # type: ignore[arg-type]


def numbers_of(phones: tuple[Phone, ...], kind: str, beside: Collection[str] = ()) -> list[str]:
    """The numbers of a kind, cleaned, without those that are `beside` ours."""
    return [number for phone in phones if phone.kind == kind and (number := _clean(phone.number)) not in beside]


def with_phone(phones: tuple[Phone, ...], kind: str, number: str, beside: Collection[str] = ()) -> tuple[Phone, ...]:
    """The phones after ours became `number`: the first one of its kind that is not `beside` ours.

    "" takes it away, all others are kept as they are, and a number that is there already is not there twice.
    """
    ours = numbers_of(phones, kind, beside)[:1]
    there = [one for one in numbers_of(phones, kind) if one not in ours]
    new = (Phone(kind=kind, number=number),) if number and _clean(number) not in there else ()
    for at, phone in enumerate(phones):
        if phone.kind == kind and _clean(phone.number) in ours:
            return (*phones[:at], *new, *phones[at + 1 :])
    return (*phones, *new)
