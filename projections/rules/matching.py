"""Who could be whom: all charts of a practice against each other, from our own copy of both systems.

On the first day a search at the vendors for each of thousands of charts would take hours of their limits, and cannot find a
changed last name. Here all charts that share a key are compared, and all pairs are decided about together; what comes of it is
judged where every other search is (`links.judge`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from msgspec.structs import replace

from events.ids import PatientKey, number_of
from events.records import BillingChart, EhrChart
from events.schema import CounterpartsFound
from events.writes import Candidate, Likeness
from projections.matching import Frequencies, Pair, decide, is_again, may_be_again, normalize, pair_of, pairs
from projections.rules.counterparts import again, cautious, likeness_of
from projections.rules.links import searched_as
from projections.rules.people import candidate, charts_of, person_of
from projections.state.patient import Patient, is_barred
from projections.state.state import Alike


class Index:
    """The charts of both systems that are there (not deleted, not merged away), compared wherever they could be alike.

    `frequencies` are those of these charts.
    """

    def __init__(self, patients: Iterable[Patient]) -> None:
        here: list[tuple[Patient, EhrChart]] = []
        there: list[tuple[Patient, BillingChart]] = []
        for patient in patients:
            ehr, billing = charts_of(patient)
            if ehr is not None:
                here.append((patient, ehr))
            if billing is not None:
                there.append((patient, billing))
        ours = [normalize(person_of(chart)) for _, chart in here]
        theirs = [normalize(person_of(chart)) for _, chart in there]
        self.frequencies = cautious(Frequencies.of(ours, theirs))
        self._charts: dict[bool, dict[int, EhrChart | BillingChart]] = {
            True: {int(one.id): one for _, one in here},
            False: {int(one.id): one for _, one in there},
        }
        self._found: dict[tuple[bool, int], dict[int, Likeness]] = defaultdict(dict)
        self._less_sure: dict[tuple[bool, int], dict[int, Likeness]] = defaultdict(dict)
        self._beside: dict[tuple[bool, int], set[int]] = defaultdict(set)
        free: list[Pair] = []
        places, self.large = pairs(ours, theirs)
        for left, right in places:
            one, other = here[left][0], there[right][0]
            if one.key == other.key or (one.link is not None and other.link is not None):
                continue
            if is_barred(one, int(theirs[right].id), False) or is_barred(other, int(ours[left].id), True):
                continue
            pair = pair_of(ours[left], theirs[right], self.frequencies)
            if pair is not None:
                self._take(pair, taken=(one.link is not None, other.link is not None), free=free)
        for decision in decide(free):
            ehr_id, billing_id = int(decision.left), int(decision.right)
            self._found[True, ehr_id][billing_id] = self._found[False, billing_id][ehr_id] = likeness_of(decision)
        for alone, doubles in self._less_sure.items():
            if not any(one.certain for one in self._found[alone].values()):
                self._found[alone].update(doubles)

    def _take(self, pair: Pair, *, taken: tuple[bool, bool], free: list[Pair]) -> None:
        """A pair of which at most one chart has its link."""
        ehr_id, billing_id = int(pair.left), int(pair.right)
        self._beside[True, ehr_id].add(billing_id)
        self._beside[False, billing_id].add(ehr_id)
        if not any(taken):
            free.append(pair)
        elif may_be_again(pair):
            alone = (True, ehr_id) if taken[1] else (False, billing_id)
            doubles = self._found if is_again(pair) else self._less_sure
            doubles[alone][billing_id if taken[1] else ehr_id] = likeness_of(again(pair))

    def find(self, patient: Patient) -> tuple[Candidate, ...]:
        """The charts of the other system that look like this unlinked patient, surely or perhaps, by id."""
        ehr, number = not patient.in_billing, number_of(patient.key)
        charts = self._charts[not ehr]
        found = self._found.get((ehr, number), {})
        return tuple(
            replace(candidate(charts[id_]), likeness=replace(alike, rivals=self._rivals(ehr, number, id_)))
            for id_, alike in sorted(found.items())
        )

    def _rivals(self, ehr: bool, number: int, other: int) -> tuple[int, ...]:
        return tuple(sorted(set(self._found.get((not ehr, other), {})) - {number}))

    def alike(self, patient: Patient) -> Alike:
        """What a look into our own copy finds of an unlinked patient."""
        ehr, number = not patient.in_billing, number_of(patient.key)
        theirs = self._beside.get((ehr, number), set())
        ours = {one for other in theirs for one in self._beside.get((not ehr, other), ())} - {number}
        return Alike(theirs=tuple(sorted(theirs)), ours=tuple(sorted(ours)))

    def all_alike(self, patients: Iterable[Patient]) -> dict[PatientKey, Alike]:
        """What is looked up for deciding about those of `patients` that are not linked."""
        return {one.key: self.alike(one) for one in patients if searched_as(one) is not None}

    def counterparts(self, patient: Patient) -> CounterpartsFound | None:
        """What to record about an unlinked patient; None where there is nobody alike, or nothing to look for."""
        wanted = searched_as(patient)
        found = self.find(patient) if wanted is not None else ()
        return CounterpartsFound(wanted=wanted, candidates=found) if wanted is not None and found else None
