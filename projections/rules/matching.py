"""Who could be whom: all charts of a practice against each other, from our own copy of both systems.

On the first day a search at the vendors for each of thousands of charts would take hours of their limits, and cannot find a
changed last name. Here an index by names and birth date finds all that `links.grade` takes for alike; what comes of it is
judged where every other search is (`links.judge`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable

from events.records import BillingChart, EhrChart
from events.schema import CounterpartsFound
from events.writes import Candidate, SearchBilling, SearchEhr
from projections.rules.links import (
    Grade,
    block_keys,
    grade,
    is_near,
    middle_name,
    name_key,
    searched_in_billing,
    searched_in_ehr,
)
from projections.state.patient import Patient
from projections.terms.codecs import Sex


class Index:
    """The charts of both systems that are there (not deleted, not merged away), by what they could be alike in."""

    def __init__(self, patients: Iterable[Patient]) -> None:
        self._ehr: defaultdict[Hashable, list[Candidate]] = defaultdict(list)
        self._billing: defaultdict[Hashable, list[Candidate]] = defaultdict(list)
        for patient in patients:
            here, there = charts_of(patient)
            if here is not None:
                _put(self._ehr, candidate(here))
            if there is not None:
                _put(self._billing, candidate(there))

    def find(self, wanted: SearchEhr | SearchBilling, middle: str = "") -> tuple[Candidate, ...]:
        """The charts that look like the person wanted, surely or perhaps, by id."""
        index = self._ehr if isinstance(wanted, SearchEhr) else self._billing
        near = {
            one.id: one
            for key in block_keys(wanted.first_name, wanted.last_name, wanted.birth_date)
            for one in index.get(key, ())
        }
        return tuple(near[id_] for id_ in sorted(near) if grade(wanted, near[id_], middle_name=middle) is not Grade.NONE)

    def counterparts(self, patient: Patient) -> CounterpartsFound | None:
        """What to record about an unlinked patient; None where there is nobody alike, or nothing to look for."""
        wanted = searched_as(patient)
        found = self.find(wanted, middle_name(patient)) if wanted is not None else ()
        return CounterpartsFound(wanted=wanted, candidates=found) if wanted is not None and found else None


def charts_of(patient: Patient) -> tuple[EhrChart | None, BillingChart | None]:
    """The charts of a patient that are there."""
    here, there = patient.ehr, patient.billing
    gone = here is None or here.chart.deleted or here.chart.merged_into is not None
    return (
        None if here is None or gone else here.chart,
        None if there is None or there.vanished else there.chart,
    )


def searched_as(patient: Patient) -> SearchEhr | SearchBilling | None:
    """Whom an unlinked patient is looked for as in the other system."""
    here, there = charts_of(patient)
    if patient.link is not None:
        return None
    if patient.in_billing:
        return searched_in_ehr(there) if there is not None else None
    return searched_in_billing(here) if here is not None else None


def unlike(wanted: SearchEhr | SearchBilling, other: Candidate, middle: str) -> tuple[str, ...]:
    """In what a candidate differs from the person wanted, in words that name no value."""
    words = []
    if name_key(wanted.last_name) != name_key(other.last_name):
        words.append("last name")
    if name_key(wanted.first_name) != name_key(other.first_name):
        words.append("first name")
    if middle and other.middle_name and name_key(middle) != name_key(other.middle_name):
        words.append("middle name")
    one, day = wanted.birth_date, other.birth_date
    if one is None or day is None:
        words.append("birth date missing")
    elif one != day:
        swapped = is_near(one, day) and (one.month, one.day) == (day.day, day.month)
        words.append("day and month swapped" if swapped else "birth date")
    if Sex().key(wanted.sex) != Sex().key(other.sex):
        words.append("sex")
    return tuple(words)


def candidate(chart: EhrChart | BillingChart) -> Candidate:
    """What a search shows of a chart."""
    return Candidate(
        id=chart.id,
        first_name=chart.first_name,
        middle_name=chart.middle_name,
        last_name=chart.last_name,
        birth_date=chart.birth_date,
        sex=chart.sex,
    )


def _put(index: defaultdict[Hashable, list[Candidate]], one: Candidate) -> None:
    for key in block_keys(one.first_name, one.last_name, one.birth_date):
        index[key].append(one)
