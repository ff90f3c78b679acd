"""The person of a chart, as matching compares people: whichever system it is in."""

from __future__ import annotations

from functools import lru_cache

from events.records import BillingChart, EhrChart
from events.slots import CHART_SLOT
from events.writes import Candidate, CreateBillingChart, CreateEhrChart
from projections.matching import Normal, Person, normalize
from projections.state.open_intents import UNDER_WAY
from projections.state.patient import Patient


def charts_of(patient: Patient) -> tuple[EhrChart | None, BillingChart | None]:
    """The charts of a patient that are there; none of one who is kept out, whom nobody is compared with.

    What was created for a patient is a patient of its own until it is linked. Until then the chart that it was created for counts as there
    even if it was deleted or merged meanwhile: else what was created would look like somebody new, and be given another chart.
    """
    if patient.out:
        return None, None
    here, there = patient.ehr, patient.billing
    if patient.link is None:
        here, there = (None, there) if patient.in_billing else (here, None)
    awaited = patient.link is None and has_counterpart_coming(patient)
    gone = here is None or ((here.chart.deleted or here.chart.merged_into is not None) and not awaited)
    vanished = there is None or (there.vanished and not awaited)
    return None if here is None or gone else here.chart, None if there is None or vanished else there.chart


def has_counterpart_coming(patient: Patient) -> bool:
    """Whether a counterpart of an unlinked chart was created, or may have been by an attempt that is not settled yet."""
    if patient.created is not None:
        return True
    open_ = patient.intents.get(CHART_SLOT)
    return open_ is not None and open_.state in UNDER_WAY and isinstance(open_.write, CreateEhrChart | CreateBillingChart)


def chart_in(patient: Patient | None, *, ehr: bool) -> EhrChart | BillingChart | None:
    """The chart on one side as it was last read, even if it is gone."""
    if patient is None:
        return None
    side = patient.ehr if ehr else patient.billing
    return None if side is None else side.chart


def person_of(chart: EhrChart | BillingChart | Candidate) -> Person:
    """What a chart, or what a search shows of it, says about who somebody is."""
    if isinstance(chart, Candidate):
        return Person(
            id=str(chart.id),
            first_name=chart.first_name,
            middle_name=chart.middle_name,
            last_name=chart.last_name,
            birth_date=chart.birth_date,
            sex=chart.sex,
        )
    if isinstance(chart, EhrChart):
        phones, email, ssn = tuple(one.number for one in chart.phones), next(iter(chart.emails), ""), ""
    else:
        phones, email, ssn = (chart.home_phone, chart.mobile_phone, chart.work_phone), chart.email, chart.ssn
    return Person(
        id=str(chart.id),
        first_name=chart.first_name,
        middle_name=chart.middle_name,
        last_name=chart.last_name,
        birth_date=chart.birth_date,
        sex=chart.sex,
        address1=chart.address1,
        address2=chart.address2,
        city=chart.city,
        state=chart.state,
        zip=chart.zip,
        phones=tuple(filter(None, phones)),
        email=email,
        ssn=ssn,
    )


@lru_cache(4_096)
def normal_of(person: Person) -> Normal:
    """`person` as it is compared; a burst about the same people makes each ready once."""
    return normalize(person)


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
