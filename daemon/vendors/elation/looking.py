"""Looking for a record in a list before it is made, or made again: what a list holds and nobody can read may be the one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from daemon.vendors.elation.wire import BadRow, DecodedRow, Wire
from daemon.vendors.ports.errors import Malformed

W = TypeVar("W", bound=Wire)


async def whole(rows: AsyncIterator[DecodedRow[W]], operation: str) -> AsyncIterator[W]:
    """All rows. Raises Malformed for one that does not fit: among candidates it might be the right one."""
    async for row in rows:
        if isinstance(row, BadRow):
            raise Malformed(operation, row.path)
        yield row


async def found_in(rows: AsyncIterator[DecodedRow[W]], same: Callable[[W], bool], operation: str) -> list[W]:
    """The rows that are `same`. Raises Malformed where none is and one could not be read: it is not known to be missing."""
    found: list[W] = []
    unread = ""
    async for row in rows:
        if isinstance(row, BadRow):
            unread = unread or row.path
        elif same(row):
            found.append(row)
    if unread and not found:
        raise Malformed(operation, unread)
    return found
