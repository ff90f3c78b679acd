"""Checking the hash chain of a practice's events: whether any was changed, removed, inserted or reordered, and the first.

Works on rows as they lie in the table or in an archive, and needs no keys. A chain that was recomputed by somebody who may
write to the table is found against a checkpoint that was exported before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from events.chain import COVERED, GENESIS, link
from events.decoding import decoding
from events.feed import RESTART

FORMAT = "chartwire-checkpoint-1"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """How far a practice's chain was at some time: the link of event `sequence`, as hexadecimal digits."""

    practice: str
    sequence: int
    chain: str


class ChainCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What is exported, to be kept where nobody who may write to the database can change it."""

    format: str = FORMAT
    made: datetime
    marks: tuple[Mark, ...]


class NoCheckpoint(ValueError):
    """A file that is no checkpoint."""


def decode_checkpoint(encoded: bytes) -> ChainCheckpoint:
    """Raises NoCheckpoint."""
    with decoding(lambda _: NoCheckpoint("is not a checkpoint of chartwire")):
        found = msgspec.json.decode(encoded, type=ChainCheckpoint)
    if found.format != FORMAT:
        raise NoCheckpoint(f"has the format {found.format}, which this version does not know")
    return found


@dataclass(frozen=True)
class ChainProblem:
    """The first thing that is wrong: at which sequence, and what."""

    practice: str
    sequence: int
    what: str

    def __str__(self) -> str:
        return f"{self.practice} #{self.sequence}: {self.what}"


@dataclass
class Inspection:
    """Walks one practice's rows in order; `problem` is the first thing wrong, after which nothing more is looked at.

    Events from before the chain was introduced carry no link (`unlinked` of them, at the start only).
    """

    practice: str
    marks: Mapping[int, bytes] = field(default_factory=dict)
    sequence: int = 0
    chain: bytes = GENESIS
    unlinked: int = 0
    problem: ChainProblem | None = None
    restarts: list[tuple[int, datetime]] = field(default_factory=list)
    """Where history restarts, because the store was restored to an earlier state: the event that says so, and when it was recorded."""
    _suspect: tuple[int, bytes, bytes, Mapping[str, Any]] | None = None

    def take(self, row: Mapping[str, Any]) -> bool:
        """Check the next row; False once something is wrong."""
        if self.problem is not None:
            return False
        if self._suspect is not None:
            self._blame(row)
            return False
        sequence = row["sequence"]
        if sequence != self.sequence + 1:
            return self.wrong(self.sequence + 1, f"is missing (the next event is #{sequence})")
        if row["practice"] != self.practice:
            return self.wrong(sequence, "belongs to another practice")
        if row["type"] == RESTART:
            self.restarts.append((sequence, row["recorded_at"]))
        stored = row["chain"]
        if stored is None and self.unlinked == self.sequence and sequence not in self.marks:
            self.sequence, self.unlinked = sequence, self.unlinked + 1
            return True
        computed = link(self.chain, [row[column] for column in COVERED])
        if stored is None:
            return self.wrong(sequence, "carries no link of the chain any more")
        if bytes(stored) != computed:
            self._suspect = (sequence, computed, bytes(stored), row)
            return True
        mark = self.marks.get(sequence)
        if mark is not None and mark != computed:
            return self.wrong(sequence, "is not what the checkpoint says: events up to here were changed and linked anew")
        self.sequence, self.chain = sequence, computed
        return True

    def end(self, head_sequence: int, head_chain: bytes | None) -> None:
        """No more rows: compare with what the practice's head says."""
        if self.problem is not None:
            return
        if self._suspect is not None:
            self.wrong(self._suspect[0], "was changed, or another event stands in its place")
        elif head_sequence > self.sequence:
            self.wrong(self.sequence + 1, f"is missing (the practice's last event is #{head_sequence})")
        elif head_sequence < self.sequence:
            self.wrong(head_sequence + 1, f"was inserted (the practice's last event is #{head_sequence})")
        elif (head_chain or GENESIS) != self.chain:
            self.wrong(self.sequence, "the practice's head holds another link than its last event")
        beyond = [sequence for sequence in self.marks if sequence > self.sequence]
        if beyond and self.problem is None:
            self.wrong(self.sequence + 1, f"is missing (a checkpoint knows #{min(beyond)})")

    def _blame(self, following: Mapping[str, Any]) -> None:
        """Who is wrong, when a row's link does not fit: the row after it tells."""
        assert self._suspect is not None
        sequence, computed, stored, _ = self._suspect
        values = [following[column] for column in COVERED]
        claimed = None if following["chain"] is None else bytes(following["chain"])
        if link(stored, values) == claimed:
            self.wrong(sequence, "was changed")
        elif link(computed, values) == claimed:
            self.wrong(sequence, "is as it was, but its link was changed")
        else:
            self.wrong(sequence, "was changed, or another event stands in its place (inserted or reordered)")

    def wrong(self, sequence: int, what: str) -> bool:
        """Note the first thing that is wrong; always False."""
        self.problem = ChainProblem(self.practice, sequence, what)
        return False
