"""What the stand-in for PostgreSQL stores: tables with their constraints, and what one statement sees and changes of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from operator import itemgetter
from typing import Any
from uuid import UUID

import asyncpg

Values = Mapping[str, Any]
Key = tuple[Any, ...]
Written = dict[tuple[str, Key], Values | None]
"""Rows by table and primary key as they are to be; None: deleted."""


class Row:
    """A row of an answer, used like asyncpg's: `row["name"]`, `row[0]`, `dict(row)`; iterating gives the values."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def __getitem__(self, name: str | int) -> Any:
        return self._values[name] if isinstance(name, str) else tuple(self._values.values())[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self._values.get(name, default)

    def keys(self) -> Iterator[str]:
        return iter(self._values.keys())

    def values(self) -> Iterator[Any]:
        return iter(self._values.values())

    def items(self) -> Iterator[tuple[str, Any]]:
        return iter(self._values.items())

    def __iter__(self) -> Iterator[Any]:
        return self.values()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Row) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Row {' '.join(f'{name}={value!r}' for name, value in self.items())}>"


@dataclass
class Table:
    """`columns` in the order of the migrations; the first of `key`, which is the primary key, is always the practice."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    nullable: frozenset[str] = frozenset()
    unique: tuple[tuple[str, ...], ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Values, or for the time of the statement the word "clock"."""

    def __post_init__(self) -> None:
        self.rows: dict[str, dict[Key, Values]] = {}
        self.index: dict[tuple[str, ...], dict[Key, Key]] = {columns: {} for columns in self.unique}
        self.key_of = parts(self.key)
        self.known = frozenset(self.columns)

    def write(self, key: Key, row: Values | None) -> None:
        """Make a row what a committed transaction made it."""
        rows = self.rows.setdefault(key[0], {})
        old = rows.get(key)
        for columns, keys in self.index.items():
            if old is not None and keys.get(_part(old, columns)) == key:
                del keys[_part(old, columns)]
            if row is not None:
                keys[_part(row, columns)] = key
        if row is not None:
            rows[key] = row
        else:
            rows.pop(key, None)

    def complete(self, values: Values, clock: Callable[[], datetime]) -> Values:
        """A row to be inserted, with its defaults. Raises what PostgreSQL does for what is missing or unknown."""
        for name in values.keys() - self.known:
            raise asyncpg.UndefinedColumnError(f'column "{name}" of relation "{self.name}" does not exist')
        row = {}
        for name in self.columns:
            if name in values:
                value = plain(values[name])
            elif (value := self.defaults.get(name)) == "clock":
                value = clock()
            if value is None and name not in self.nullable:
                raise asyncpg.NotNullViolationError(f'null value in column "{name}" of relation "{self.name}"')
            row[name] = value
        return row

    def changed(self, row: Values, values: Values) -> Values:
        """A row with other values in some columns. Raises as `complete` does."""
        for name, value in values.items():
            if name not in self.known:
                raise asyncpg.UndefinedColumnError(f'column "{name}" of relation "{self.name}" does not exist')
            if value is None and name not in self.nullable:
                raise asyncpg.NotNullViolationError(f'null value in column "{name}" of relation "{self.name}"')
        return {**row, **{name: plain(value) for name, value in values.items()}}


class Statement:
    """The rows that one statement sees (the committed ones, over them its transaction's, over them its own), and what it
    does: `changes`, and `locks`, the names of what it has to hold before these may be applied. Nothing here awaits."""

    def __init__(self, tables: Mapping[str, Table], written: Written, clock: Callable[[], datetime]) -> None:
        self.tables = tables
        self.clock = clock
        self.changes: Written = {}
        self.locks: dict[Hashable, None] = {}
        self.notifications: dict[tuple[str, str], None] = {}
        self._written = written

    # -- looking ----------------------------------------------------------------------------------------------------------

    def get(self, table: str, *key: Any) -> Values | None:
        for layer in (self.changes, self._written):
            if (table, key) in layer:
                return layer[table, key]
        return self.tables[table].rows.get(key[0], {}).get(key)

    def find(self, table: str, columns: tuple[str, ...], *values: Any) -> Values | None:
        """The row with these values in the columns of a unique constraint."""
        for layer in (self.changes, self._written):
            for (name, key), row in layer.items():
                if name == table and row is not None and _part(row, columns) == values and self.get(name, *key) is row:
                    return row
        there = self.tables[table].index[columns].get(values)
        row = None if there is None else self.get(table, *there)
        return row if row is not None and _part(row, columns) == values else None

    def rows(self, table: str, practice: str, **equal: Any) -> list[Values]:
        """The practice's rows with these values, in the order in which they were inserted."""
        found = self.tables[table].rows.get(practice, {})
        for layer in (self._written, self.changes):
            mine = {key: row for (name, key), row in layer.items() if name == table and key[0] == practice}
            if mine:
                found = {**found, **mine}  # type: ignore[dict-item]
        return [row for row in found.values() if row is not None and all(row[name] == equal[name] for name in equal)]

    def practices(self, table: str) -> set[str]:
        """Those that may have rows."""
        written = {key[0] for layer in (self.changes, self._written) for name, key in layer if name == table}
        return written | set(self.tables[table].rows)

    # -- changing ---------------------------------------------------------------------------------------------------------

    def lock(self, table: str, row: Values) -> None:
        self.locks[table, self.tables[table].key_of(row)] = None

    def insert(self, table: str, **values: Any) -> None:
        """Raises UniqueViolationError."""
        there = self.tables[table]
        row = there.complete(values, self.clock)
        self.lock(table, row)
        for columns in there.unique:
            self.locks[table, columns, _part(row, columns)] = None
        taken = self.get(table, *there.key_of(row)) is not None
        if taken or any(self.find(table, columns, *_part(row, columns)) for columns in there.unique):
            raise asyncpg.UniqueViolationError(f'duplicate key value violates a unique constraint of "{table}"')
        self.changes[table, there.key_of(row)] = row

    def update(self, table: str, row: Values, **values: Any) -> None:
        """Change columns that are in no constraint."""
        self.lock(table, row)
        there = self.tables[table]
        self.changes[table, there.key_of(row)] = there.changed(row, values)

    def upsert(self, table: str, update: tuple[str, ...], **values: Any) -> None:
        """INSERT ... ON CONFLICT (primary key) DO UPDATE SET these columns = excluded."""
        there = self.tables[table]
        key = there.key_of(values)
        if self.changes.get((table, key)) is not None:
            raise asyncpg.CardinalityViolationError("ON CONFLICT DO UPDATE command cannot affect row a second time")
        if (old := self.get(table, *key)) is not None:
            self.update(table, old, **{name: values[name] for name in update})
        else:
            self.insert(table, **values)

    def delete(self, table: str, row: Values) -> None:
        self.lock(table, row)
        self.changes[table, self.tables[table].key_of(row)] = None


PLAIN = frozenset({str, int, bytes, bool, float, UUID, type(None)})
"""Types whose values PostgreSQL gives back as they are."""


def plain(value: Any) -> Any:
    """A value as PostgreSQL gives it back: no subclasses of text, times in UTC."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value


@cache
def parts(columns: tuple[str, ...]) -> Callable[[Values], Key]:
    """What takes these columns of a row."""
    take = itemgetter(*columns)
    return take if len(columns) > 1 else lambda row: (take(row),)


def _part(row: Values, columns: tuple[str, ...]) -> Key:
    return parts(columns)(row)
