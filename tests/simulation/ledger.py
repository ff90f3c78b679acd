"""What people entered, and what became of it: no edit is lost to an older value or unseen, only people make a conflict, and
nobody is linked to somebody else.

The values are the witness's reading of both products, so that nothing of the daemon judges itself. Where demographics go both
ways, a field that people edited on one side only has to end as they left it; one edited on both sides as one of them left it,
and as the later one did where the two products had agreed on the earlier edit in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from daemon.sandbox import witness
from daemon.sandbox.clinic import Clinic, Office
from projections.terms.policy import Direction
from tests.simulation.truth import Truth

Record = tuple[str, int]
"""A system ("elation", "kareo") and the id of a chart there."""


@dataclass(frozen=True)
class Entry:
    """A value and when it was entered, or agreed on; by a write of ours also when that was `asked` for."""

    value: str
    at: datetime
    asked: datetime | None = None


BLIND = timedelta(seconds=3)
"""Neither system has versions: an edit that falls between our reading and our writing cannot be seen, and is lost. So long can it
take at most until the write is recorded. For as long an entry of the very value that we send cannot be told from our writing."""

Agreed = dict[tuple[int, int, str], list[Entry]]
"""By pair and field the values that both sides showed, oldest first."""


class Ledger:
    """By record and field the last edit by people, by pair and field the agreements that writes of ours brought about."""

    def __init__(self, clinic: Clinic, now: Callable[[], datetime], truth: Truth) -> None:
        self._truth = truth
        self._clinic = clinic
        self._now = now
        self._edits: dict[Record, dict[str, Entry]] = defaultdict(dict)
        self._born: dict[Record, tuple[str, ...]] = {}
        self._agreed: Agreed = defaultdict(list)
        self._met: Agreed = defaultdict(list)
        self._sent: Agreed = defaultdict(list)
        self._conflicts: dict[tuple[int, int, str], datetime] = {}
        self._told: Agreed = defaultdict(list)
        self._unknown: set[tuple[int, int, str]] = set()

    @contextmanager
    def people_act(self) -> Iterator[None]:
        """Whatever changes in here is people's doing."""
        before, now = self._held(), self._now()
        try:
            yield
        finally:
            for record, values in self._held().items():
                was = before.get(record, {})
                if not was:
                    self._born[record] = values["first_name"], values["last_name"]
                self._edits[record] |= {name: Entry(value, now) for name, value in values.items() if was.get(name) != value}

    def written(self, ehr: int, billing: int, fields: dict[str, str], asked: datetime) -> None:
        """A write of ours of these fields, `asked` for then, has been recorded. Where people have entered the same on both sides it is not by our
        hand that both show it."""
        alike = [name for name in fields if self._entered_alike(ehr, billing, name)]
        self._agree(self._agreed, ehr, billing, fields.keys() - alike, asked)
        self._agree(self._met, ehr, billing, alike)
        for name, value in fields.items():
            self._sent[ehr, billing, name].append(Entry(value, self._now()))

    def met(self, ehr: int, billing: int, fields: Mapping[str, str]) -> None:
        """A link or an agreement on `fields` has been recorded: what is or was the same on both sides need not travel."""
        self._agree(self._met, ehr, billing, self._values(ehr, billing)[0])
        for name, value in fields.items():
            self._met[ehr, billing, name].append(Entry(value, self._now()))

    def conflict(self, ehr: int, billing: int, name: str, values: Iterable[str]) -> str:
        """A conflict of these values has been recorded. Why it is none, "" if it may be one: people had edited both sides, neither
        knowing of the other."""
        self._conflicts[ehr, billing, name] = self._now()
        self._told[ehr, billing, name] += [Entry(value, self._now()) for value in values]
        if self.merged(ehr, billing) or (ehr, billing, name) in self._unknown:
            return ""  # our own writing of a lost time is somebody's edit for all that is known
        edits = self._of_people(ehr, billing, name)
        if len(edits) < 2:
            return "nobody edited it on one of the sides"
        return "only one side had changed" if self._one_after_another(ehr, billing, name, edits) else ""

    def forget(self, office: Office, since: datetime) -> None:
        """The practice's database went back to this moment: what was agreed and sent since then is not known any more."""
        now = self._now()
        for agreed in (self._agreed, self._met):
            for pair, entries in agreed.items():
                if self._truth.is_in(("kareo", pair[1]), office):
                    agreed[pair] = [one for one in entries if one.at <= since]
        for pair, entries in self._sent.items():
            if self._truth.is_in(("kareo", pair[1]), office) and any(since <= one.at <= now for one in entries):
                self._unknown.add(pair)

    def lost(self, ehr: int, billing: int, direction: Direction, but: set[str]) -> list[str]:
        """What did not become of edits as it should have, by field, `but` those that wait."""
        if self.merged(ehr, billing):
            return []
        found = []
        here, there = self._values(ehr, billing)
        for name in here.keys() - but:
            if direction is Direction.BOTH:
                found += self._lost_both_ways(ehr, billing, name, here[name])
            else:
                found += self._lost_one_way({("elation", ehr): here[name], ("kareo", billing): there[name]}, name, direction)
        return sorted(found)

    def stranger(self, office: Office, ehr: int, billing: int) -> bool:
        """Are two linked ones different people? By who registered them, else by who was created for whom."""
        if self.merged(ehr, billing):
            return False
        here, there = self._born.get(("elation", ehr)), self._born.get(("kareo", billing))
        if here is not None and there is not None:
            return self._truth.person(("elation", ehr)) != self._truth.person(("kareo", billing))
        if there is None:
            return str(ehr) not in self._clinic.billing.external_ids(billing).values()
        return witness.hint(self._clinic, "patients", ehr, office) != f"kareo-patient:{billing}"

    def one_person(self, office: Office, ehr: int, billing: int) -> bool:
        """Would people say of two charts that they are of one person?"""
        here, there = self._born.get(("elation", ehr)), self._born.get(("kareo", billing))
        return (here is not None or there is not None) and not self.stranger(office, ehr, billing)

    def merged(self, ehr: int, billing: int) -> bool:
        """Of two records that became one, whose values count is the vendor's matter."""
        charts, patients = self._clinic.ehr.patients, self._clinic.billing.patients
        return (
            bool(charts[ehr]["merged_into_chart"])
            or patients[billing].merged_into is not None
            or any(one["merged_into_chart"] == ehr for one in charts.values())
            or any(one.merged_into == billing for one in patients.values())
        )

    # -- the parts ----------------------------------------------------------------------------------------------------------

    def _agree(self, agreed: Agreed, ehr: int, billing: int, fields: Iterable[str], asked: datetime | None = None) -> None:
        here, there = self._values(ehr, billing)
        for name in fields:
            if here[name] == there[name]:
                agreed[ehr, billing, name].append(Entry(here[name], self._now(), asked))

    def _held(self) -> dict[Record, dict[str, str]]:
        ehr, billing = self._clinic.ehr.patients, self._clinic.billing.patients
        return {("elation", id_): witness.in_elation(self._clinic, one) for id_, one in ehr.items()} | {
            ("kareo", id_): witness.in_billing(self._clinic, one) for id_, one in billing.items()
        }

    def _lost_both_ways(self, ehr: int, billing: int, name: str, value: str) -> list[str]:
        edits = self._of_people(ehr, billing, name)
        counting = edits[-1:] if self._one_after_another(ehr, billing, name, edits) else edits
        sent = self._sent[ehr, billing, name]
        ours = any(other.value == one.value and abs(other.at - one.at) <= BLIND for one in counting for other in sent)
        shown = self._shown(ehr, billing, name)
        # what came from whom it was linked with before, or was saved within moments of it, may win where a conflict tells of it
        told = bool(edits) and shown is not None and shown > edits[-1].at - BLIND
        brought = bool(edits) and self._is_brought(ehr, billing, name, value, edits[-1].at)
        if edits and not ours and not told and not brought and value not in {one.value for one in counting}:
            return [f"{name} does not end as people left it"]
        met = sorted((*self._agreed[ehr, billing, name], *self._met[ehr, billing, name]), key=lambda one: one.at)
        for one in edits:
            base = next((other.value for other in reversed(met) if other.at < one.at), None)
            blind = any(one.at <= other.at <= one.at + BLIND for other in sent)
            agreed = (
                blind
                or one.value in (base, *(other.value for other in sent))
                or any(other.value == one.value and other.at > one.at for other in met)
                or self._is_told(ehr, billing, name, one)
            )
            if one.value not in ("", value) and not agreed and (shown is None or shown < one.at):
                return [f"{name} was overwritten unseen"]
        return []

    def _is_brought(self, ehr: int, billing: int, name: str, value: str, after: datetime) -> bool:
        """Was the value written to either after what people left there, while it was linked with another, where somebody had entered it?"""
        pairs = [pair for pair in self._sent if pair[2] == name and (pair[0] == ehr) is not (pair[1] == billing)]
        return any(one.value == value and one.at > after for pair in pairs for one in self._sent[pair])

    def _is_told(self, ehr: int, billing: int, name: str, edit: Entry) -> bool:
        """Does a conflict tell of an edit's value that nothing of ours has replaced in between? Of A, B and A saved within a minute A alone
        may have been read."""
        sent = self._sent[ehr, billing, name]
        return any(
            one.value == edit.value and not any(one.at < other.at <= edit.at for other in sent)
            for one in self._told[ehr, billing, name]
        )

    def _shown(self, ehr: int, billing: int, name: str) -> datetime | None:
        """When a conflict of either was last recorded, with whomever it was linked then: people may have linked it with another since."""
        times = [at for pair, at in self._conflicts.items() if pair[2] == name and (pair[0] == ehr or pair[1] == billing)]
        return max(times, default=None)

    def _lost_one_way(self, shown: dict[Record, str], name: str, direction: Direction) -> list[str]:
        """The source is as people left it, and so is the target, unless people edited it after that."""
        found = []
        for record, other in zip(shown, reversed(shown), strict=True):
            system, own, source = record[0], self._edits[record].get(name), self._edits[other].get(name)
            into = direction is (Direction.TO_EHR if system == "elation" else Direction.TO_BILLING)
            if not into and own is not None and shown[record] != own.value:
                found.append(f"{name} was changed in {system} against the direction")
            elif into and source is not None and (own is None or own.at < source.at) and shown[record] != source.value:
                found.append(f"{name} did not come to {system}")
        return found

    def _values(self, ehr: int, billing: int) -> tuple[dict[str, str], dict[str, str]]:
        chart, patient = self._clinic.ehr.patients[ehr], self._clinic.billing.patients[billing]
        return witness.in_elation(self._clinic, chart), witness.in_billing(self._clinic, patient)

    def _of_people(self, ehr: int, billing: int, name: str) -> list[Entry]:
        """The last edit of each side, the earlier one first."""
        both = (self._edits[record].get(name) for record in (("elation", ehr), ("kareo", billing)))
        return sorted((one for one in both if one is not None), key=lambda one: one.at)

    def _entered_alike(self, ehr: int, billing: int, name: str) -> bool:
        """Do both sides show what people entered there last, and is it the same?"""
        shown = [each[name] for each in self._values(ehr, billing)]
        return [one.value for one in self._of_people(ehr, billing, name)] == shown and len(set(shown)) == 1

    def _one_after_another(self, ehr: int, billing: int, name: str, edits: list[Entry]) -> bool:
        """Had both products the earlier edit's value by our hand when the later one was made? What was asked for before that edit
        only happens to be the same: of somebody's A, B and A in Kareo within a second B may have been read last."""
        if len(edits) < 2:
            return False
        first, last = edits
        agreed = self._agreed[ehr, billing, name]
        return any(
            one.asked is not None and first.at < one.asked and one.at < last.at and one.value == first.value
            for one in agreed
        )
