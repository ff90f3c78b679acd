"""Charts: registered, edited, deleted, restored, merged, in both products."""

from __future__ import annotations

import random
from typing import Any

from daemon.sandbox.clinic import Office
from tests.simulation.people.persons import CITIES, person
from tests.simulation.people.screens import Doing, Screens, some

FOREIGN = ("Fax", "Main", "Night", "Other")


class Charts(Screens):
    """Deeds with charts."""

    def deeds(self) -> dict[str, Doing]:
        return {
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
            "deletes a chart in Elation": lambda office, pick: self._ehr.delete_patient(self._chart(office, pick)),
            "restores a deleted chart in Elation": self._restore,
            "merges two charts in Elation": self._merge,
            "deletes a patient in Kareo": lambda office, pick: self._billing.delete_patient(self._patient(office, pick)),
            "merges two patients in Kareo": self._merge_kareo,
        }

    def kareo_patient(self, office: Office, one: dict[str, Any], pick: random.Random) -> int:
        name = one["first_name"], one["last_name"]
        if any(held.entered_as[:2] == name for held in self._clinic.billing.patients.values()):
            raise LookupError("two deeds with one pick are one person, whom nobody registers twice")
        cases = [] if pick.random() < 0.1 else [{"name": "Primary", "payer_scenario": "Insurance"}]
        created = self._billing.create_patient(
            office.billing,
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
        created = self._ehr.create_patient(
            office.ehr,
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
        self._billing.edit_patient(patient, **some(choices, pick))

    def _edit_elation(self, chart: int, pick: random.Random) -> None:
        one = person(pick)
        held = self._clinic.ehr.patients[chart]
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
        self._ehr.edit_patient(chart, **some(choices, pick))

    def _edit_both(self, office: Office, pick: random.Random) -> None:
        patient, chart = pick.choice(self._pairs(office))
        self._edit_kareo(patient, pick)
        self._edit_elation(chart, pick)

    def _first_city_kareo(self, office: Office, pick: random.Random) -> None:
        patient, _ = self._pairs(office)[0]
        self._billing.edit_patient(patient, city=pick.choice(CITIES))

    def _first_city_elation(self, office: Office, pick: random.Random) -> None:
        _, chart = self._pairs(office)[0]
        held = self._clinic.ehr.patients[chart]["address"] or _address(person(pick))
        kept = {name: held[name] or "" for name in ("address_line1", "address_line2", "city", "state", "zip")}
        self._ehr.edit_patient(chart, address={**kept, "city": pick.choice(CITIES)})

    def _touch_kareo(self, office: Office, pick: random.Random) -> None:
        self._billing.edit_patient(self._patient(office, pick))

    def _touch_elation(self, office: Office, pick: random.Random) -> None:
        self._ehr.edit_patient(self._chart(office, pick))

    def _phones(self, office: Office, pick: random.Random) -> None:
        kinds = pick.sample(("Mobile", "Home", "Work", *FOREIGN), pick.randint(0, 2))
        numbers = [{"phone": f"7205550{pick.randrange(100, 1000)}", "phone_type": kind} for kind in kinds]
        self._ehr.set_phones(self._chart(office, pick), numbers)

    def _restore(self, office: Office, pick: random.Random) -> None:
        charts = self._clinic.ehr.patients.values()
        gone = [one["id"] for one in charts if one["caregiver_practice"] == office.ehr and one["deleted_date"]]
        gone = [one for one in gone if not self._clinic.ehr.patients[one].get("merged_into_chart")]
        self._ehr.restore_patient(pick.choice(gone))

    def _merge(self, office: Office, pick: random.Random) -> None:
        charts = [one for one in self._charts(office) if not self._clinic.ehr.patients[one]["merged_into_chart"]]
        absorbed = pick.choice(charts)
        survivor = pick.choice([one for one in charts if one != absorbed])
        self._ehr.merge_patients(absorbed, survivor)

    def _merge_kareo(self, office: Office, pick: random.Random) -> None:
        absorbed = self._patient(office, pick)
        survivor = pick.choice([one for one in self._patients(office) if one != absorbed])
        self._billing.merge_patients(absorbed, survivor)


def _address(one: dict[str, Any]) -> dict[str, str]:
    return {
        "address_line1": one["street"],
        "address_line2": "",
        "city": one["city"],
        "state": one["state"],
        "zip": one["zip"],
    }
