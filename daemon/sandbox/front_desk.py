"""The front desk of every office: who is registered and changed in both products, and what of it could identify a patient."""

from __future__ import annotations

import random
from datetime import date

from daemon.sandbox.clinic import Clinic, Office

FIRST = "Alma Bruno Carla Dmitri Elena Farid Greta Hassan Iris Jonas Kiran Lucia Mateo Nadia Oscar Petra Quentin Rosa Stefan Talia"
LAST = (
    "Abernathy Bellweather Castellano Drummond Eisenhart Fairbanks Goldwater Hollister Ingleby Jaworski Kowalczyk Lindqvist"
)
STREETS = (
    "Juniper Terrace", "Aspen Road", "Canyon Drive", "Meadow Lane", "Orchard Street", "Quarry Way", "Willow Court",
    "Bluebird Avenue", "Harvest Place",
)  # fmt: skip
APART = 11
"""Phones of two persons are this far apart: two that differ in one digit speak for one person, as house and street do."""


class FrontDesk:
    """Registers and edits. `actions` counts what people did; ids are in the order of registration, by office."""

    def __init__(self, clinic: Clinic, *, seed: int = 1) -> None:
        self.clinic = clinic
        self.actions = 0
        self.seeded: set[str] = set()
        self._random = random.Random(seed)
        self._serial = 0
        self.kareo_ids: dict[str, list[int]] = {office.id: [] for office in clinic.offices}
        self.elation_ids: dict[str, list[int]] = {office.id: [] for office in clinic.offices}

    def person(self, **fixed: object) -> dict[str, object]:
        """A new invented person: names, birth date, contact data, all remembered as seeded."""
        self._serial += 1
        pick = self._random
        last = pick.choice(LAST.split()) + "abcdefghijklmnopqrstuvwxyz"[self._serial % 26] + "eaiou"[self._serial // 26 % 5]
        person: dict[str, object] = {
            "first_name": pick.choice(FIRST.split()) + "ielas"[self._serial % 5] + "x",
            "last_name": last,
            "middle_name": "",
            "birth_date": date(1940 + pick.randrange(80), 1 + pick.randrange(12), 1 + pick.randrange(28)),
            "sex": pick.choice(("Female", "Male")),
            "mobile": f"303555{1000 + APART * self._serial:04d}",
            "email": f"{last.lower()}.{self._serial}@mail.example",
            "street": f"{100 + self._serial} {STREETS[self._serial % len(STREETS)]}",
            "city": "Silverpine",
            "state": "CO",
            "zip": f"80{100 + self._serial:03d}",
            **fixed,
        }
        self.seeded |= {
            str(person[name]) for name in ("first_name", "last_name", "mobile", "email", "street") if person[name]
        }
        return person

    def kareo_patient(self, office: Office, person: dict[str, object] | None = None, **values: object) -> int:
        """Registered at the front desk in Kareo, with a primary case."""
        one = person or self.person()
        patient = self.clinic.billing.people.create_patient(
            office.billing,
            str(one["first_name"]),
            str(one["last_name"]),
            cases=[{"name": "Primary", "payer_scenario": "Insurance"}],
            **{
                "middle_name": one["middle_name"],
                "dob": one["birth_date"],
                "gender": one["sex"],
                "mobile_phone": one["mobile"],
                "email": one["email"],
                "address1": one["street"],
                "city": one["city"],
                "state": one["state"],
                "zip": one["zip"],
                "provider_id": office.providers[self._serial % 3],
                **values,
            },
        )
        self.actions += 1
        self.kareo_ids[office.id].append(patient.id)
        return patient.id

    def elation_patient(self, office: Office, person: dict[str, object] | None = None, **values: object) -> int:
        """Registered in Elation."""
        one = person or self.person()
        chart = self.clinic.ehr.people.create_patient(
            office.ehr,
            str(one["first_name"]),
            str(one["last_name"]),
            sex=str(one["sex"]),
            dob=str(one["birth_date"]),
            primary_physician=office.physicians[self._serial % 3],
            **{  # type: ignore[arg-type]
                "middle_name": one["middle_name"],
                "phones": [{"phone": one["mobile"], "phone_type": "Mobile"}],
                "emails": [{"email": one["email"]}],
                "address": {
                    "address_line1": one["street"],
                    "address_line2": "",
                    "city": one["city"],
                    "state": one["state"],
                    "zip": one["zip"],
                },
                **values,
            },
        )
        self.actions += 1
        self.elation_ids[office.id].append(int(chart["id"]))
        return int(chart["id"])

    def edit_kareo(self, patient: int, **values: object) -> None:
        self.clinic.billing.people.edit_patient(patient, **values)
        self.actions += 1

    def edit_elation(self, chart: int, **values: object) -> None:
        self.clinic.ehr.people.edit_patient(chart, **values)
        self.actions += 1

    def counterpart(self, office: Office, billing: int) -> int:
        """The Elation chart that people find under the same name (there is only one of each)."""
        patient = self.clinic.billing.patients[billing]
        for id_ in sorted(self.clinic.ehr.patients):
            chart = self.clinic.ehr.patients[id_]
            same = (chart["first_name"], chart["last_name"]) == (patient.first_name, patient.last_name)
            if same and chart["caregiver_practice"] == office.ehr and not chart["deleted_date"]:
                return id_
        raise LookupError("the patient has no chart in Elation yet")

    def kareo_of(self, office: Office, chart: int) -> int:
        """The Kareo patient that people find under the same name."""
        wanted = self.clinic.ehr.patients[chart]
        for id_, patient in sorted(self.clinic.billing.patients.items()):
            same = (patient.first_name, patient.last_name) == (wanted["first_name"], wanted["last_name"])
            if same and patient.practice_id == office.billing and not patient.deleted:
                return id_
        raise LookupError("the chart has no patient in Kareo yet")
