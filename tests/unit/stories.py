"""Stories of a clinic day, for tests that hold whatever happens: one told in full, and any number made up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from msgspec.structs import replace

from events.bookings import EhrAppointment
from events.ids import BillingPatientId, EhrChartId
from events.records import BillingAppointment, BillingCase, Phone
from projections.terms.policy import Policy
from tests.unit.clinic import Clinic
from tests.unit.records import (
    ADA,
    ADA_KEY,
    ADA_THERE,
    BLUE,
    GOOD_BILL,
    GREY,
    KAREO_GREY,
    KAREO_LOCUM,
    MAIN_STREET,
)

VISIT = BillingAppointment(
    key="7001",
    id=7001,
    patient=ADA_THERE.id,
    start=datetime(2026, 3, 9, 16, 0, tzinfo=UTC),
    minutes=12,
    reason="Cough",
    provider=KAREO_GREY,
)
IN_CALENDAR = EhrAppointment(
    id=61001,
    patient=ADA.id,
    start=datetime(2026, 3, 9, 16, 0, tzinfo=UTC),
    minutes=20,
    physician=GREY,
    location=MAIN_STREET,
    description="Cough",
    status="Scheduled",
)
INSURED = replace(ADA_THERE, cases=(BillingCase(id=71, is_primary=True, policies=(BLUE,)),))
SURVIVOR = replace(ADA, id=EhrChartId(103))
MARY = replace(ADA, id=EhrChartId(102), first_name="Mary", last_name="Shelley")
PERCY_THERE = replace(ADA_THERE, id=BillingPatientId(902), first_name="Percy", last_name="Shelley", cases=())


def clinic_day(policy: Policy | None = None) -> Clinic:
    """Everything of deploy/DESIGN.md, The two roles once: both creations, every resource, a conflict, a merge, a deletion, an error."""
    clinic = Clinic(policy)
    clinic.linked(there=INSURED)
    clinic.ehr(MARY)
    clinic.billing(PERCY_THERE)
    clinic.carry_out_all()
    clinic.billing(replace(INSURED, city="Macon", mobile_phone="4045550102", work_phone="4045550103"))
    clinic.ehr(replace(ADA, city="Athens", middle_name="Noel"))
    clinic.carry_out_all()
    clinic.appointment(VISIT)
    clinic.appointment(replace(VISIT, key="7002", id=7002, provider=KAREO_LOCUM))
    clinic.bill(GOOD_BILL)
    clinic.bill(replace(GOOD_BILL, id=4002, lines=()))
    clinic.bill(replace(GOOD_BILL, id=4003, deferred=True))
    clinic.carry_out_all()
    clinic.bill(replace(GOOD_BILL, id=4002))
    clinic.bill(replace(GOOD_BILL, id=4003))
    clinic.bill(replace(GOOD_BILL, notes="changed after sending"))
    clinic.appointment(replace(VISIT, cancelled=True))
    clinic.billing(replace(INSURED, cases=()))
    clinic.carry_out_all()
    clinic.elation_merged(ADA.id, SURVIVOR.id)
    clinic.ehr(SURVIVOR)
    clinic.carry_out_all()
    clinic.elation_deleted(SURVIVOR.id)
    clinic.appointment_vanished(VISIT)
    clinic.ehr(SURVIVOR)
    clinic.carry_out_all()
    return clinic


@dataclass(frozen=True)
class Step:
    """Something that happens in a made-up story; `late` is how many minutes ago it was read."""

    what: str
    value: int
    late: int = 0


CITIES = ("Augusta", "Macon", "Athens", "")
PHONES = ("", "4045550101", "4045550102", "404-CALL-ME")
WHAT = (
    "elation city",
    "kareo city",
    "elation phone",
    "kareo phones",
    "appointment",
    "appointment gone",
    "bill",
    "bill wrong",
    "insurance",
    "elation deleted",
    "merge",
    "carry out",
    "attempt",
    "refuse",
    "lose",
    "conflict seen",
)
STORIES = st.lists(
    st.builds(Step, what=st.sampled_from(WHAT), value=st.integers(0, 3), late=st.sampled_from([0, 0, 0, 1, 90])), max_size=14
)


def tell(story: list[Step], *, linked: bool = True) -> Clinic:
    """A clinic to which `story` has happened; with `linked` Ada's charts were linked before."""
    clinic = Clinic()
    if linked:
        clinic.linked()
    for step in story:
        happen(clinic, step)
    return clinic


def happen(clinic: Clinic, step: Step) -> None:
    """A step of a story happens to the clinic."""
    value, observed = step.value, clinic.now + timedelta(minutes=1 - step.late)
    merged = SURVIVOR.id in clinic.state.charts
    chart = SURVIVOR if merged else ADA
    bill = replace(GOOD_BILL, patient=chart.id)
    match step.what:
        case "elation city":
            clinic.ehr(replace(chart, city=CITIES[value], state="" if value == 3 else "GA"), observed=observed)
        case "kareo city":
            clinic.billing(
                replace(ADA_THERE, city=CITIES[value], provider=KAREO_LOCUM if value == 2 else KAREO_GREY), observed=observed
            )
        case "elation phone":
            kinds = ("Home", "Main", "Work", "Fax")
            clinic.ehr(
                replace(chart, phones=tuple(Phone(kind=kind, number="4045550109") for kind in kinds[:value])),
                observed=observed,
            )
        case "kareo phones":
            clinic.billing(replace(ADA_THERE, mobile_phone=PHONES[value], work_phone=PHONES[-value]), observed=observed)
        case "appointment":
            clinic.appointment(replace(VISIT, minutes=value * 7, cancelled=value == 3), observed=observed)
        case "appointment gone":
            clinic.appointment_vanished(VISIT)
        case "bill":
            clinic.bill(replace(bill, signed=value > 0, notes=str(value)), observed=observed)
        case "bill wrong":
            clinic.bill(replace(bill, lines=() if value else GOOD_BILL.lines, location=99), observed=observed)
        case "insurance":
            policies = tuple(replace(BLUE, id=3001 + at) for at in range(value))
            cases = (BillingCase(id=71, is_primary=value != 2, policies=policies),)
            clinic.billing(replace(ADA_THERE, cases=cases if value else ()), observed=observed)
        case "elation deleted":
            clinic.elation_deleted(chart.id)
        case "merge" if not merged:
            clinic.ehr(SURVIVOR, observed=observed)
            clinic.elation_merged(ADA.id, SURVIVOR.id)
        case "conflict seen" if ADA_KEY in clinic.state.patients:
            clinic.conflict_seen(ADA_KEY, "city")
        case "carry out" | "attempt" | "refuse" | "lose":
            _answer(clinic, step)


def _answer(clinic: Clinic, step: Step) -> None:
    todo = [(key, slot, one) for key, slot, one in clinic.open() if one.state != "refused"]
    if not todo:
        return
    key, slot, one = todo[step.value % len(todo)]
    if step.what == "carry out":
        clinic.write(key, slot)
    elif one.state == "requested":
        {"attempt": clinic.attempt, "refuse": clinic.refuse, "lose": clinic.lose}[step.what](key, slot)
