"""The people of the simulated practices: each deed of the plan, done in the products' own screens.

A deed draws its particulars from its own number, so that it is the same whatever others do; whom it concerns it finds among
the records that are there. A deed that finds nobody is not done.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.elation.fields import Refusal
from daemon.sandbox.kareo.people import UnknownRecordError
from events.schema import Command, ConflictSeen, ResyncRequested, RetryRequested
from tests.simulation.ledger import Ledger
from tests.simulation.plan import Deed

T = TypeVar("T")

FIRST = [
    "Alma",
    "Bruno",
    "Carla",
    "Dmitri",
    "Elena",
    "Farid",
    "Greta",
    "Hassan",
    "Iris",
    "Jonas",
    "Kiran",
    "Lucia",
    "Mateo",
    "Nadia",
    "Oscar",
    "Petra",
    "Quentin",
    "Rosa",
]
LAST = [
    "Abernathy",
    "Bellweather",
    "Castellano",
    "Drummond",
    "Eisenhart",
    "Fairbanks",
    "Goldwater",
    "Hollister",
    "Ingleby",
    "Jaworski",
    "Kowal",
]
SYLLABLES = [
    "ba",
    "ce",
    "di",
    "fo",
    "gu",
    "ha",
    "je",
    "ki",
    "lo",
    "mu",
    "na",
    "pe",
    "ri",
    "so",
    "tu",
    "va",
    "we",
    "xi",
    "yo",
    "zu",
]
CARRIERS = (("Blue Mesa Health", "PPO Gold"), ("Summit Mutual", "HMO Basic"), ("Prairie Life", "Choice Plus"))
CITIES = ("Silverpine", "Larkspur", "Redstone", "Cedar Falls", "Juniper")
LINES: tuple[dict[str, object], ...] = (
    {"cpt": "99213", "modifiers": ["25"], "dxs": ["E11.9", "I10"], "units": "1.0", "unit_charge": "125.00"},
    {"cpt": "36415", "modifiers": [], "dxs": ["Z00.00"], "units": "2", "unit_charge": "18.50"},
    {"cpt": "93000", "modifiers": [], "dxs": ["R07.9"], "units": "1", "unit_charge": "60.00"},
)
FAULTY: tuple[list[dict[str, object]], ...] = (
    [],
    [{**LINES[0], "dxs": ["HEADACHE"]}],
    [{**LINES[0], "cpt": "99999"}],
    [{**LINES[0], "unit_charge": "99999999.00"}],
)
FOREIGN = ("Fax", "Main", "Night", "Other")
RESYNC = ResyncRequested(who="people")
RETRY = RetryRequested(slots=(), who="people")
SEEN = ConflictSeen(fields=(), who="people")


class People:
    """Does deeds; `done` are those that were done, `ledger` what was entered."""

    def __init__(self, clinic: Clinic, now: Callable[[], datetime], ask: Callable[[str, Command, int], None]) -> None:
        self._clinic = clinic
        self._ask = ask
        self.done: list[Deed] = []
        self.ledger = Ledger(clinic, now)
        self._deeds: dict[str, Callable[[Office, random.Random], object]] = {
            "registers a patient in Kareo": lambda office, pick: self.kareo_patient(office, person(pick), pick),
            "registers a patient in Elation": lambda office, pick: self.elation_chart(office, person(pick), pick),
            "registers one person in both systems": self._register_twice,
            "edits a patient in Kareo": lambda office, pick: self._edit_kareo(self._patient(office, pick), pick),
            "edits a chart in Elation": lambda office, pick: self._edit_elation(self._chart(office, pick), pick),
            "edits the same person on both sides": self._edit_both,
            "edits the first patient's city in Kareo": self._first_city_kareo,
            "edits the first patient's city in Elation": self._first_city_elation,
            "saves a patient in Kareo without a change": self._touch_kareo,
            "saves a chart in Elation without a change": self._touch_elation,
            "rearranges the phones of a chart in Elation": self._phones,
            "enters a policy in Kareo": self._enter_policy,
            "edits a policy in Kareo": self._edit_policy,
            "inactivates a policy in Kareo": self._inactivate_policy,
            "opens a new primary case in Kareo": self._new_case,
            "inactivates a case in Kareo": self._inactivate_case,
            "edits the address of a plan in Kareo": self._edit_plan,
            "books an appointment in Kareo": self._book,
            "moves an appointment in Kareo": self._move,
            "changes an appointment's reason or provider in Kareo": self._change_appointment,
            "cancels an appointment in Kareo": lambda o, pick: self._kareo.cancel_appointment(self._booked(o, pick)),
            "deletes an appointment in Kareo": lambda o, pick: self._kareo.delete_appointment(self._booked(o, pick)),
            "books a cancelled appointment again in Kareo": self._revive,
            "signs a note in Elation": lambda office, pick: self._sign(office, pick, pick.sample(LINES, pick.randint(1, 2))),
            "signs a note with a delayed bill in Elation": lambda o, pick: self._sign(o, pick, [LINES[0]], deferred=True),
            "signs a note with a faulty bill in Elation": self._sign_faulty,
            "releases a delayed bill in Elation": self._release,
            "corrects and sends a bill again in Elation": self._resend,
            "deletes a chart in Elation": lambda office, pick: self._elation.delete_patient(self._chart(office, pick)),
            "restores a deleted chart in Elation": self._restore,
            "merges two charts in Elation": self._merge,
            "deletes a patient in Kareo": lambda office, pick: self._kareo.delete_patient(self._patient(office, pick)),
            "merges two patients in Kareo": self._merge_kareo,
            "asks to read a patient again": lambda o, pick: self._ask(o.id, RESYNC, self._patient(o, pick)),
            "asks to read the first patient again": lambda o, pick: self._ask(o.id, RESYNC, self._pairs(o)[0][0]),
            "retries what was refused": lambda o, pick: self._ask(o.id, RETRY, self._patient(o, pick)),
            "marks conflicts as seen": lambda o, pick: self._ask(o.id, SEEN, self._patient(o, pick)),
            "makes the webhooks' subscriptions give new keys": self._rotate,
        }

    @property
    def _kareo(self) -> Any:
        return self._clinic.kareo.people

    @property
    def _elation(self) -> Any:
        return self._clinic.elation.people

    def do(self, deed: Deed) -> None:
        """Do a deed, if it can be done: nobody there, or a screen that refuses, is part of the day."""
        try:
            with self.ledger.people_act():
                self._deeds[deed.kind](self._clinic.offices[deed.office], random.Random(f"deed/{deed.pick}"))
        except (LookupError, UnknownRecordError, Refusal):
            return
        self.done.append(deed)

    # -- charts -----------------------------------------------------------------------------------------------------------

    def kareo_patient(self, office: Office, one: dict[str, Any], pick: random.Random) -> int:
        name = one["first_name"], one["last_name"]
        if any(held.entered_as[:2] == name for held in self._clinic.kareo.patients.values()):
            raise LookupError("two deeds with one pick are one person, whom nobody registers twice")
        cases = [] if pick.random() < 0.1 else [{"name": "Primary", "payer_scenario": "Insurance"}]
        created = self._kareo.create_patient(
            office.kareo,
            one["first_name"],
            one["last_name"],
            cases=cases,
            middle_name=one["middle_name"],
            dob=None if pick.random() < 0.05 else one["birth_date"],
            gender=one["sex"],
            mobile_phone=one["mobile"],
            home_phone=one["home"],
            email=one["email"],
            address1=one["street"],
            city=one["city"],
            state=one["state"],
            zip=one["zip"],
            provider_id=pick.choice((*office.providers, office.locum, None)),
        )
        return int(created.id)

    def elation_chart(self, office: Office, one: dict[str, Any], pick: random.Random) -> int:
        phones = [{"phone": one["mobile"], "phone_type": "Mobile"}]
        if pick.random() < 0.3:
            phones.append({"phone": one["home"] or "3035550100", "phone_type": pick.choice(FOREIGN)})
        created = self._elation.create_patient(
            office.elation,
            one["first_name"],
            one["last_name"],
            sex=one["sex"],
            dob=str(one["birth_date"]),
            primary_physician=pick.choice(office.physicians),
            middle_name=one["middle_name"],
            phones=phones,
            emails=[{"email": one["email"]}] if one["email"] else [],
            address=_address(one),
            notes=f"Note {pick.randrange(100)}",
        )
        return int(created["id"])

    def _register_twice(self, office: Office, pick: random.Random) -> None:
        one = person(pick)
        self.kareo_patient(office, one, pick)
        self.elation_chart(office, one, pick)

    def _edit_kareo(self, patient: int, pick: random.Random) -> None:
        one = person(pick)
        choices: dict[str, object] = {
            "address1": one["street"],
            "address2": f"Suite {pick.randrange(90)}",
            "city": one["city"],
            "zip": one["zip"],
            "email": pick.choice((one["email"], "")),
            "mobile_phone": pick.choice((one["mobile"], "")),
            "home_phone": one["mobile"][:-1] + "9",
            "work_phone": one["mobile"][:-1] + "8",
            "middle_name": pick.choice("ABCDE"),
            "dob": one["birth_date"],
            "last_name": one["last_name"],
            "state": pick.choice(("Colorado", "CO", "NM")),
        }
        self._kareo.edit_patient(patient, **_some(choices, pick))

    def _edit_elation(self, chart: int, pick: random.Random) -> None:
        one = person(pick)
        held = self._clinic.elation.patients[chart]
        address = {name: (held["address"] or {}).get(name) or "" for name in ("address_line1", "city", "state", "zip")}
        choices: dict[str, object] = {
            "address": {**address, "address_line1": one["street"], "city": pick.choice(CITIES)},
            "emails": [{"email": one["mail"]}],
            "middle_name": pick.choice("FGHIJ"),
            "first_name": one["first_name"],
            "dob": str(one["birth_date"]),
            "notes": f"Note {pick.randrange(1000)}",
            "sex": one["sex"],
        }
        self._elation.edit_patient(chart, **_some(choices, pick))

    def _edit_both(self, office: Office, pick: random.Random) -> None:
        patient, chart = pick.choice(self._pairs(office))
        self._edit_kareo(patient, pick)
        self._edit_elation(chart, pick)

    def _first_city_kareo(self, office: Office, pick: random.Random) -> None:
        patient, _ = self._pairs(office)[0]
        self._kareo.edit_patient(patient, city=pick.choice(CITIES))

    def _first_city_elation(self, office: Office, pick: random.Random) -> None:
        _, chart = self._pairs(office)[0]
        held = self._clinic.elation.patients[chart]["address"] or _address(person(pick))
        kept = {name: held[name] or "" for name in ("address_line1", "address_line2", "city", "state", "zip")}
        self._elation.edit_patient(chart, address={**kept, "city": pick.choice(CITIES)})

    def _touch_kareo(self, office: Office, pick: random.Random) -> None:
        self._kareo.edit_patient(self._patient(office, pick))

    def _touch_elation(self, office: Office, pick: random.Random) -> None:
        self._elation.edit_patient(self._chart(office, pick))

    def _phones(self, office: Office, pick: random.Random) -> None:
        kinds = pick.sample(("Mobile", "Home", "Work", *FOREIGN), pick.randint(0, 2))
        numbers = [{"phone": f"7205550{pick.randrange(100, 1000)}", "phone_type": kind} for kind in kinds]
        self._elation.set_phones(self._chart(office, pick), numbers)

    def _restore(self, office: Office, pick: random.Random) -> None:
        charts = self._clinic.elation.patients.values()
        gone = [one["id"] for one in charts if one["caregiver_practice"] == office.elation and one["deleted_date"]]
        gone = [one for one in gone if not self._clinic.elation.patients[one].get("merged_into_chart")]
        self._elation.restore_patient(pick.choice(gone))

    def _merge(self, office: Office, pick: random.Random) -> None:
        charts = [one for one in self._charts(office) if not self._clinic.elation.patients[one]["merged_into_chart"]]
        absorbed = pick.choice(charts)
        survivor = pick.choice([one for one in charts if one != absorbed])
        self._elation.merge_patients(absorbed, survivor)

    def _merge_kareo(self, office: Office, pick: random.Random) -> None:
        absorbed = self._patient(office, pick)
        survivor = pick.choice([one for one in self._patients(office) if one != absorbed])
        self._kareo.merge_patients(absorbed, survivor)

    # -- what they ask of the daemon ----------------------------------------------------------------------------------------

    def _rotate(self, office: Office, pick: random.Random) -> None:
        for subscription in sorted(self._clinic.elation.state.tables["subscriptions"]):
            self._elation.rotate_webhook_key(subscription)

    # -- insurance --------------------------------------------------------------------------------------------------------

    def _case(self, office: Office, pick: random.Random) -> int:
        patients = set(self._patients(office))
        cases = self._clinic.kareo.cases.values()
        return pick.choice([one.id for one in cases if one.patient_id in patients and one.is_primary and one.active])

    def _policy(self, office: Office, pick: random.Random) -> int:
        patients, kareo = set(self._patients(office)), self._clinic.kareo
        return pick.choice(
            [one.id for one in kareo.policies.values() if one.active and kareo.cases[one.case_id].patient_id in patients]
        )

    def _enter_policy(self, office: Office, pick: random.Random) -> None:
        self._add_policy(self._case(office, pick), pick)

    def _add_policy(self, case: int, pick: random.Random) -> None:
        company, plan = pick.choice(CARRIERS)
        values: dict[str, Any] = {}
        if pick.random() < 0.2:
            one = person(pick)
            insured = {"first_name": one["first_name"], "last_name": one["last_name"], "dob": date(1970, 2, 3)}
            values = {"relationship": "Spouse", "insured": {**insured, "gender": "Male"}}
        self._kareo.add_policy(
            case,
            company,
            plan,
            number=f"MB{pick.randrange(10_000, 99_999)}",
            group=f"GR{pick.randrange(99)}",
            copay=pick.choice(("25", "40.00", "")),
            deductible=pick.choice(("500.00", "")),
            start="2026-01-01",
            address1=f"{pick.randrange(1, 99)} Carrier Plaza",
            city="Denver",
            state="CO",
            zip="80202",
            **values,
        )

    def _edit_policy(self, office: Office, pick: random.Random) -> None:
        choices: dict[str, object] = {
            "number": f"NN{pick.randrange(10_000, 99_999)}",
            "copay": str(pick.randrange(10, 60)),
            "group": f"G{pick.randrange(100)}",
        }
        self._kareo.edit_policy(self._policy(office, pick), **_some(choices, pick))

    def _inactivate_policy(self, office: Office, pick: random.Random) -> None:
        self._kareo.deactivate_policy(self._policy(office, pick))

    def _new_case(self, office: Office, pick: random.Random) -> None:
        case = self._kareo.add_case(self._patient(office, pick), f"Case {pick.randrange(100)}", "Insurance", True)
        if pick.random() < 0.8:
            self._add_policy(case.id, pick)

    def _inactivate_case(self, office: Office, pick: random.Random) -> None:
        self._kareo.deactivate_case(self._case(office, pick))

    def _edit_plan(self, office: Office, pick: random.Random) -> None:
        plan = self._clinic.kareo.policies[self._policy(office, pick)].plan_id
        self._kareo.edit_plan(plan, address1=f"{pick.randrange(1, 99)} New Carrier Street")

    # -- appointments -----------------------------------------------------------------------------------------------------

    def _start(self, office: Office, pick: random.Random) -> datetime:
        day = self._clinic.kareo.state.now().date() + timedelta(days=pick.randint(1, 20))
        zone = ZoneInfo(office.time_zone)
        return datetime(day.year, day.month, day.day, pick.randint(8, 16), pick.choice((0, 15, 30, 45)), tzinfo=zone)

    def _booked(self, office: Office, pick: random.Random, status: str = "") -> int:
        held = self._clinic.kareo.appointments.values()
        mine = [one for one in held if one.practice_id == office.kareo and not one.deleted and one.patient_id is not None]
        return pick.choice([one.id for one in mine if (one.status == status if status else one.status != "Cancelled")])

    def _book(self, office: Office, pick: random.Random) -> None:
        provider = pick.choice((*office.providers, office.locum))
        patient = None if pick.random() < 0.1 else self._patient(office, pick)
        reason = pick.choice(("Follow-up", "Annual physical", "New patient", ""))
        minutes = pick.choice((10, 15, 20, 30, 12, 45))
        self._kareo.book_appointment(patient, provider, office.place[1], self._start(office, pick), minutes, reason)

    def _move(self, office: Office, pick: random.Random) -> None:
        self._kareo.move_appointment(self._booked(office, pick), self._start(office, pick), pick.choice((None, 25, 40)))

    def _change_appointment(self, office: Office, pick: random.Random) -> None:
        change = pick.choice(({"reason": f"Reason {pick.randrange(100)}"}, {"provider_id": pick.choice(office.providers)}))
        self._kareo.edit_appointment(self._booked(office, pick), **change)

    def _revive(self, office: Office, pick: random.Random) -> None:
        self._kareo.edit_appointment(self._booked(office, pick, "Cancelled"), status="Scheduled")

    # -- bills ------------------------------------------------------------------------------------------------------------

    def _sign(
        self, office: Office, pick: random.Random, lines: list[dict[str, object]], *, deferred: bool = False, place: int = 0
    ) -> None:
        where = place or office.place[0]
        day = self._clinic.kareo.state.now().astimezone(ZoneInfo(office.time_zone)).date()
        chart, doctor = self._chart(office, pick), pick.choice(office.physicians)
        self._elation.sign_note(chart, doctor, where, day, [dict(line) for line in lines], deferred=deferred)

    def _sign_faulty(self, office: Office, pick: random.Random) -> None:
        if pick.random() < 0.25:
            self._sign(office, pick, [LINES[0]], place=office.annex)
        else:
            self._sign(office, pick, pick.choice(FAULTY))

    def _bill(self, office: Office, pick: random.Random, wanted: Callable[[dict[str, Any]], bool]) -> int:
        bills = self._clinic.elation.bills.values()
        return int(pick.choice([one["id"] for one in bills if one["practice"] == office.elation and wanted(one)]))

    def _release(self, office: Office, pick: random.Random) -> None:
        self._elation.release_bill(self._bill(office, pick, lambda one: bool(one["deferred_bill"])))

    def _resend(self, office: Office, pick: random.Random) -> None:
        wrong = self._bill(office, pick, lambda one: one["billing_status"] == "UnresolvedError")
        self._elation.resave_bill(wrong, cpts=[dict(LINES[0])], service_location=office.place[0])

    # -- whom it concerns -------------------------------------------------------------------------------------------------

    def _patients(self, office: Office) -> list[int]:
        held = self._clinic.kareo.patients.items()
        return sorted(id_ for id_, one in held if one.practice_id == office.kareo and not one.deleted)

    def _charts(self, office: Office) -> list[int]:
        held = self._clinic.elation.patients.items()
        return sorted(id_ for id_, one in held if one["caregiver_practice"] == office.elation and not one["deleted_date"])

    def _patient(self, office: Office, pick: random.Random) -> int:
        return pick.choice(self._patients(office))

    def _chart(self, office: Office, pick: random.Random) -> int:
        return pick.choice(self._charts(office))

    def _pairs(self, office: Office) -> list[tuple[int, int]]:
        """Patients and charts of the same name."""
        elation, kareo = self._clinic.elation.patients, self._clinic.kareo.patients
        charts = {(elation[one]["first_name"], elation[one]["last_name"]): one for one in self._charts(office)}
        names = ((one, (kareo[one].first_name, kareo[one].last_name)) for one in self._patients(office))
        return [(one, charts[name]) for one, name in names if name in charts]


def person(pick: random.Random) -> dict[str, Any]:
    """Somebody invented: no two are likely to be taken for one another."""
    syllables = "".join(pick.choice(SYLLABLES) for _ in range(3))
    last = pick.choice(LAST) + syllables
    number = pick.randrange(1000, 9999)
    return {
        "first_name": pick.choice(FIRST) + pick.choice(SYLLABLES),
        "last_name": last,
        "middle_name": pick.choice(("", "Q")),
        "birth_date": date(1940 + pick.randrange(80), 1 + pick.randrange(12), 1 + pick.randrange(28)),
        "sex": pick.choice(("Female", "Male", "Female", "Male", "Unknown")),
        "mobile": f"303555{number}",
        "home": pick.choice(("", f"720555{number}")),
        "email": pick.choice(("", f"{last.lower()}@mail.example")),
        "mail": f"{last.lower()}.{number}@mail.example",
        "street": f"{number} Juniper Terrace",
        "city": pick.choice(CITIES),
        "state": "CO",
        "zip": f"80{number % 1000:03d}",
    }


def _address(one: dict[str, Any]) -> dict[str, str]:
    return {
        "address_line1": one["street"],
        "address_line2": "",
        "city": one["city"],
        "state": one["state"],
        "zip": one["zip"],
    }


def _some(choices: dict[str, object], pick: random.Random) -> dict[str, object]:
    names = pick.sample(sorted(choices), pick.randint(1, 3))
    return {name: choices[name] for name in names}
