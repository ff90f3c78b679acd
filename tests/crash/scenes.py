"""For every kind of write what people do so that the daemon wants it: once before (for so many cells), and once a cell."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.day import GOOD_LINE, Day
from daemon.sandbox.witness_bookings import is_marked


class Stage:
    """One office with its people; `pairs` are (chart, patient) of the same person, `booked` appointments in Kareo."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.office: Office = clinic.offices[0]
        self.day = Day(clinic, seed=7)
        self.pairs: list[tuple[int, int]] = []
        self.deferred: list[int] = []
        self.config: Path | None = None
        self.booked: list[int] = []

    def pair(self, *, case: bool = True) -> None:
        """Somebody known to both systems before the daemon comes."""
        person = self.day.person()
        patient = self.day.kareo_patient(self.office, person)
        if not case:
            for one in [id_ for id_, one in self.clinic.billing.cases.items() if one.patient_id == patient]:
                del self.clinic.billing.cases[one]
        self.pairs.append((self.day.elation_patient(self.office, person), patient))

    def book(self, number: int) -> None:
        start = self.day._at(self.office, 1 + number % 20, 8 + number // 20)
        provider, place = self.office.providers[0], self.office.place[1]
        booked = self.clinic.billing.people.book_appointment(self.pairs[0][1], provider, place, start, 20, f"Visit {number}")
        self.booked.append(booked.id)

    def enter(self, number: int) -> None:
        """An appointment in Elation's calendar."""
        start = self.day._at(self.office, 1 + number % 20, 8 + number // 20)
        doctor, place = self.office.physicians[0], self.office.place[0]
        entered = self.clinic.ehr.people.create_appointment(
            self.pairs[0][0], doctor, start, 20, service_location=place, description=f"Visit {number}"
        )
        self.booked.append(int(entered["id"]))

    def sign(self, chart: int, line: dict[str, object] = GOOD_LINE) -> None:
        office = self.office
        today = self.day._today
        self.clinic.ehr.people.sign_note(chart, office.physicians[0], office.place[0], today, [line])

    def defer(self) -> None:
        """A signed note whose bill waits in Billing Home."""
        office = self.office
        signed = self.clinic.ehr.people.sign_note(
            self.pairs[0][0], office.physicians[0], office.place[0], self.day._today, [GOOD_LINE], deferred=True
        )
        self.deferred.append(int(signed["bill"]["id"]))

    def release(self, number: int) -> None:
        """Somebody asks for the release of a deferred bill here."""
        command = [sys.executable, "-m", "daemon", "release-bill", self.office.id, str(self.deferred[number])]
        subprocess.Popen([*command, "--config", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def counts(self) -> Counter[str]:
        """Records by what they are, in both systems."""
        ehr, billing = self.clinic.ehr, self.clinic.billing
        tables = {
            "charts": ehr.patients,
            "appointments": ehr.appointments,
            "carriers": ehr.insurance_companies,
            "plans": ehr.insurance_plans,
            "policies": ehr.policies,
            "patients": billing.patients,
            "cases": billing.cases,
            "encounters": billing.encounters,
            "case policies": billing.policies,
            "companies": billing.companies,
            "company plans": billing.plans,
            "bookings": {id_: one for id_, one in billing.appointments.items() if is_marked(one)},
        }
        return Counter({name: len(table) for name, table in tables.items()})


@dataclass(frozen=True)
class Scene:
    """`makes` are the records that the daemon has to make, no fewer and no more, after one `act`. `both_ways`: in a practice where
    insurance goes both ways; `calendar`: there, too, and Elation's appointments are booked in Kareo. `rules` are the practice's own."""

    act: Callable[[Stage, int], object]
    makes: dict[str, int] = field(default_factory=dict)
    pairs: Callable[[int], int] = lambda cells: 1
    case: bool = True
    booked: bool = False
    both_ways: bool = False
    calendar: bool = False
    insured: bool = False
    deferred: bool = False
    rules: str = ""

    def prepare(self, stage: Stage, cells: int) -> None:
        for _ in range(self.pairs(cells)):
            stage.pair(case=self.case)
        if self.calendar:
            stage.pair()
            for number in range(cells if self.booked else 0):
                stage.enter(number)
            return
        if self.both_ways:
            stage.pair()
            stage.day._insure(stage.pairs[-1][1], 0, company="Known Mutual", plan="Known Plan")
        for number in range(cells if self.insured else 0):
            _insure(stage, number)
        for number in range(cells if self.booked else 0):
            stage.book(number)
        for _ in range(cells if self.deferred else 0):
            stage.defer()


def _each(cells: int) -> int:
    return cells


def _insure(stage: Stage, number: int) -> None:
    stage.day._insure(stage.pairs[number][1], number, company=f"Carrier {number}", plan=f"Plan {number}")


def _insure_in_elation(stage: Stage, number: int) -> None:
    known = {"carrier_name": "Known Mutual", "plan_name": "Known Plan", "relationship_to_insured": "self"}
    stage.clinic.ehr.people.add_policy(stage.pairs[number][0], 1, **known, member_id=f"EL-{number}")


def _register_insured(stage: Stage, number: int) -> None:
    """A chart born in Elation, with insurance that Kareo knows."""
    chart = stage.day.elation_patient(stage.office)
    known = {"carrier_name": "Known Mutual", "plan_name": "Known Plan", "relationship_to_insured": "self"}
    stage.clinic.ehr.people.add_policy(chart, 1, **known, member_id=f"NEW-{number}")


def _insure_with_new_company(stage: Stage, number: int) -> None:
    """A policy of a company that Kareo has never shown; a plan of it nobody names."""
    named = {"carrier_name": f"New Mutual {number}", "relationship_to_insured": "self"}
    stage.clinic.ehr.people.add_policy(stage.pairs[number][0], 1, **named, member_id=f"NC-{number}")


def _register_with_new_company(stage: Stage, number: int) -> None:
    chart = stage.day.elation_patient(stage.office)
    named = {"carrier_name": f"Newer Mutual {number}", "relationship_to_insured": "self"}
    stage.clinic.ehr.people.add_policy(chart, 1, **named, member_id=f"ND-{number}")


def _move_carrier(stage: Stage, number: int) -> None:
    billing = stage.clinic.billing
    case = billing.state.primary_case(stage.pairs[number][1])
    assert case is not None
    (policy,) = billing.state.policies_of(case.id)
    billing.people.edit_plan(policy.plan_id, address1=f"{number} New Carrier Street")


def _edit_elation(stage: Stage, number: int) -> None:
    stage.day.edit_elation(stage.pairs[0][0], emails=[{"email": f"new.{number}@mail.example"}])


def _move(stage: Stage, number: int) -> None:
    people = stage.clinic.billing.people
    start = stage.day._at(stage.office, 30 + number % 5, 8 + number % 9)
    people.move_appointment(stage.booked[number], start + timedelta(minutes=15))


def _give(stage: Stage, number: int) -> None:
    """The appointment becomes another patient's: deleted here, booked there."""
    stage.clinic.ehr.people.edit_appointment(stage.booked[number], patient=stage.pairs[1][0])


def write_of(scene: str) -> str:
    """The kind of write that a scene is about; what follows a comma tells the scenes of one kind apart."""
    return scene.partition(",")[0]


_INSURANCE = Scene(_insure, {"carriers": 1, "plans": 1, "policies": 1}, pairs=_each)
_NEW_COMPANY = {"case policies": 1, "companies": 1, "company plans": 1, "carriers": 1, "plans": 1}
"""Kareo makes a plan of the company, which then comes to Elation with its carrier."""
_BILL = Scene(lambda stage, number: stage.sign(stage.pairs[0][0]), {"encounters": 1})

SCENES: dict[str, Scene] = {
    "CreateElationChart": Scene(lambda stage, number: stage.day.kareo_patient(stage.office), {"charts": 1}),
    "CreateKareoChart": Scene(lambda stage, number: stage.day.elation_patient(stage.office), {"patients": 1, "cases": 1}),
    "CreateKareoChart, insured": Scene(_register_insured, {"patients": 1, "cases": 1, "case policies": 1}, both_ways=True),
    "CreateKareoChart, new company": Scene(
        _register_with_new_company,
        {"patients": 1, "cases": 1, **_NEW_COMPANY},
        both_ways=True,
        rules='new_carrier = "create"',
    ),
    "UpdateElationChart": Scene(
        lambda stage, number: stage.day.edit_kareo(stage.pairs[0][1], address1=f"{number} Cedar Lane")
    ),
    "UpdateKareoChart": Scene(_edit_elation),
    "AddKareoCase": Scene(
        lambda stage, number: stage.sign(stage.pairs[number][0]), {"cases": 1, "encounters": 1}, pairs=_each, case=False
    ),
    "CreateCarrier": _INSURANCE,
    "CreatePlan": _INSURANCE,
    "UpdateCarrier": Scene(_move_carrier, pairs=_each, insured=True),
    "SyncPolicies": _INSURANCE,
    "ChangeKareoPolicies": Scene(_insure_in_elation, {"case policies": 1}, pairs=_each, both_ways=True),
    "ChangeKareoPolicies, new company": Scene(
        _insure_with_new_company, _NEW_COMPANY, pairs=_each, both_ways=True, rules='new_carrier = "create"'
    ),
    "CreateElationAppointment": Scene(lambda stage, number: stage.book(number), {"appointments": 1}),
    "UpdateElationAppointment": Scene(_move, booked=True),
    "CancelElationAppointment": Scene(
        lambda stage, number: stage.clinic.billing.people.cancel_appointment(stage.booked[number]), booked=True
    ),
    "DeleteElationAppointment": Scene(
        lambda stage, number: stage.clinic.billing.people.delete_appointment(stage.booked[number]), booked=True
    ),
    "CreateKareoAppointment": Scene(
        lambda stage, number: stage.enter(number), {"bookings": 1}, both_ways=True, calendar=True
    ),
    "UpdateKareoAppointment": Scene(
        lambda stage, number: stage.clinic.ehr.people.edit_appointment(stage.booked[number], duration=45),
        booked=True,
        both_ways=True,
        calendar=True,
    ),
    "UpdateKareoAppointment, cancelled": Scene(
        lambda stage, number: stage.clinic.ehr.people.cancel_appointment(stage.booked[number]),
        booked=True,
        both_ways=True,
        calendar=True,
    ),
    "UpdateKareoAppointment, deleted": Scene(
        lambda stage, number: stage.clinic.ehr.people.delete_appointment(stage.booked[number]),
        booked=True,
        both_ways=True,
        calendar=True,
    ),
    "DeleteKareoAppointment, deleted": Scene(
        lambda stage, number: stage.clinic.ehr.people.delete_appointment(stage.booked[number]),
        booked=True,
        both_ways=True,
        calendar=True,
        rules='deleted_appointment = "delete"',
    ),
    "DeleteKareoAppointment": Scene(_give, {"bookings": 1}, booked=True, both_ways=True, calendar=True),
    "CreateEncounter": _BILL,
    "MarkBilled": _BILL,
    "ReleaseBill": Scene(lambda stage, number: stage.release(number), {"encounters": 1}, deferred=True),
    "MarkBillError": Scene(lambda stage, number: stage.sign(stage.pairs[0][0], {**GOOD_LINE, "dxs": ["HEADACHE"]})),
}
