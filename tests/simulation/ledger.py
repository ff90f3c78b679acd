"""What people entered, and what became of it: no edit is lost to an older value, and only people make a conflict.

The values are the witness's reading of both products, so that nothing of the daemon judges itself. A field that people edited
on one side only has to end as they left it; one edited on both sides as one of them left it, and as the later one did where the
two products had agreed on the earlier edit in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from daemon.sandbox import witness
from daemon.sandbox.clinic import Clinic

Record = tuple[str, int]
"""A system ("elation", "kareo") and the id of a chart there."""


@dataclass(frozen=True)
class Entry:
    """A value and when it was entered, or agreed on."""

    value: str
    at: datetime


class Ledger:
    """By record and field the last edit by people, by pair and field the agreements that writes of ours brought about."""

    def __init__(self, clinic: Clinic, now: Callable[[], datetime]) -> None:
        self._clinic = clinic
        self._now = now
        self._edits: dict[Record, dict[str, Entry]] = defaultdict(dict)
        self._agreed: dict[tuple[int, int, str], list[Entry]] = defaultdict(list)

    @contextmanager
    def people_act(self) -> Iterator[None]:
        """Whatever changes in here is people's doing."""
        before, now = self._held(), self._now()
        try:
            yield
        finally:
            for record, values in self._held().items():
                was = before.get(record, {})
                self._edits[record] |= {name: Entry(value, now) for name, value in values.items() if was.get(name) != value}

    def written(self, elation: int, kareo: int, fields: Iterable[str]) -> None:
        """A write of ours of these fields has been recorded."""
        here, there = self._values(elation, kareo)
        for name in fields:
            if here[name] == there[name]:
                self._agreed[elation, kareo, name].append(Entry(here[name], self._now()))

    def unfounded(self, elation: int, kareo: int, name: str) -> str:
        """Why this is no conflict, "" if it may be one: people edit both sides, and not one after the other was written over."""
        if self._merged(elation, kareo):
            return ""
        edits = self._of_people(elation, kareo, name)
        if len(edits) < 2:
            return "nobody edited it on one of the sides"
        return "only one side had changed" if self._one_after_another(elation, kareo, name, edits) else ""

    def lost(self, elation: int, kareo: int, but: set[str]) -> list[str]:
        """The fields, `but` those, that do not end as people left them."""
        if self._merged(elation, kareo):
            return []
        found = []
        for name, value in self._values(elation, kareo)[0].items():
            edits = self._of_people(elation, kareo, name)
            if edits and self._one_after_another(elation, kareo, name, edits):
                edits = edits[-1:]
            if edits and name not in but and value not in {one.value for one in edits}:
                found.append(name)
        return found

    # -- the parts ----------------------------------------------------------------------------------------------------------

    def _held(self) -> dict[Record, dict[str, str]]:
        elation, kareo = self._clinic.elation.patients, self._clinic.kareo.patients
        return {("elation", id_): witness.in_elation(self._clinic, one) for id_, one in elation.items()} | {
            ("kareo", id_): witness.in_kareo(self._clinic, one) for id_, one in kareo.items()
        }

    def _values(self, elation: int, kareo: int) -> tuple[dict[str, str], dict[str, str]]:
        chart, patient = self._clinic.elation.patients[elation], self._clinic.kareo.patients[kareo]
        return witness.in_elation(self._clinic, chart), witness.in_kareo(self._clinic, patient)

    def _of_people(self, elation: int, kareo: int, name: str) -> list[Entry]:
        """The last edit of each side, the earlier one first."""
        both = (self._edits[record].get(name) for record in (("elation", elation), ("kareo", kareo)))
        return sorted((one for one in both if one is not None), key=lambda one: one.at)

    def _one_after_another(self, elation: int, kareo: int, name: str, edits: list[Entry]) -> bool:
        """Had both products the earlier edit's value by our hand when the later one was made?"""
        if len(edits) < 2:
            return False
        first, last = edits
        agreed = self._agreed[elation, kareo, name]
        return any(first.at < one.at < last.at and one.value == first.value for one in agreed)

    def _merged(self, elation: int, kareo: int) -> bool:
        """Of two records that became one, whose values count is the vendor's matter."""
        charts, patients = self._clinic.elation.patients, self._clinic.kareo.patients
        return (
            bool(charts[elation]["merged_into_chart"])
            or patients[kareo].merged_into is not None
            or any(one["merged_into_chart"] == elation for one in charts.values())
            or any(one.merged_into == kareo for one in patients.values())
        )
