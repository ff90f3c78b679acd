"""A scripted clinic day: what front desk, billers and providers do in both products, the difficult parts included.

Deterministic for a seed. `play` calls `settle` between its scenes, for the daemon to come to rest; nothing here looks at the
daemon. Every value that could identify a patient is also kept in `seeded`, for the search of the logs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.front_desk import FrontDesk

CARRIERS = (("Blue Mesa Health", "PPO Gold"), ("Summit Mutual", "HMO Basic"), ("Prairie Life", "Choice Plus"))
GOOD_LINE: dict[str, object] = {
    "cpt": "99213",
    "modifiers": ["25"],
    "dxs": ["E11.9", "I10"],
    "units": "1.0",
    "unit_charge": "125.00",
}

Settle = Callable[[str], Awaitable[None]]


class Day(FrontDesk):
    """The script. `elation_edits` are appointments that staff changed in Elation."""

    def __init__(self, clinic: Clinic, *, seed: int = 1, size: int = 8) -> None:
        super().__init__(clinic, seed=seed)
        self.size = size
        self.elation_edits: set[int] = set()
        self._today = clinic.billing.state.now().date()

    def prepare(self) -> None:
        """What was there before the daemon: charts on one side, on the other, and on both; a Kareo patient with insurance."""
        for office in self.clinic.offices:
            for _ in range(3):
                self.kareo_patient(office)
                self.elation_patient(office)
            for _ in range(3):
                both = self.person()
                self.kareo_patient(office, both)
                self.elation_patient(office, both)
            self._insure(self.kareo_ids[office.id][0], 0)

    async def play(self, settle: Settle) -> None:
        """The whole day, scene by scene."""
        await settle("before the doors open")
        scenes = (
            ("new patients on both sides", self._register),
            ("edits, also on both sides at once", self._edit),
            ("insurance", self._insurance),
            ("insurance entered and edited in Elation", self._insure_in_elation),
            ("appointments", self._book),
            ("appointments moved, cancelled, deleted", self._rebook),
            ("insurance cases replaced and inactivated", self._reinsure),
            ("bills", self._bill),
            ("bills corrected, released, edited too late", self._correct),
            ("merges, deletions, restores", self._merge),
            ("closing time", self._close),
        )
        for name, scene in scenes:
            for office in self.clinic.offices:
                scene(office)
            await settle(name)

    def _register(self, office: Office) -> None:
        for _ in range(self.size):
            self.kareo_patient(office)
            self.elation_patient(office)
        self.kareo_patient(office, self.person(mobile="30355CALLME"))
        self.kareo_patient(office, self.person(state="Colorado"))
        self.kareo_patient(office, self.person(birth_date=None))
        self.kareo_patient(office, self.person(), home_phone="3035550001", work_phone="3035550002")
        self.elation_patient(office, self.person(sex="Other"))
        self.elation_patient(
            office,
            self.person(),
            phones=[{"phone": "3035550100", "phone_type": "Fax"}, {"phone": "3035550101", "phone_type": "Main"}],
        )
        # A twin of somebody who is there already: another first name that could be short for it, so a person decides.
        twin = self.clinic.billing.patients[self.kareo_patient(office)]
        self.elation_patient(
            office,
            self.person(first_name=twin.first_name[:4], last_name=twin.last_name, birth_date=twin.dob, sex=twin.gender),
        )

    def _edit(self, office: Office) -> None:
        ours, theirs = self.kareo_ids[office.id], self.elation_ids[office.id]
        for number, patient in enumerate(ours[: self.size]):
            self.edit_kareo(patient, address1=f"{900 + number} Cedar Lane", city="Larkspur")
        for number, chart in enumerate(theirs[: self.size]):
            self.edit_elation(chart, emails=[{"email": f"new.{number}.{office.id}@mail.example"}])
        for number in range(3):
            # Different fields of one person, then the same field differently: a conflict, which Kareo wins.
            self.edit_kareo(ours[number], zip=f"8099{number}")
            self.edit_elation(self.counterpart(office, ours[number]), middle_name=f"M{number}")
        conflict = ours[4]
        self.edit_kareo(conflict, city="Kareoville")
        chart = self.counterpart(office, conflict)
        address = dict(self.clinic.ehr.patients[chart]["address"])
        self.edit_elation(chart, address={**address, "city": "Elationtown"})
        self.edit_kareo(ours[5], mobile_phone="(303) 555-7777")
        self.edit_kareo(ours[6], mobile_phone="")
        for _ in range(4):
            self.edit_kareo(ours[7], address2=f"Suite {self._random.randrange(900)}")
        self.edit_kareo(ours[0])
        # The number 30355CALLME is corrected; the missing birth date is found.
        for patient in ours:
            record = self.clinic.billing.patients[patient]
            if record.mobile_phone == "30355CALLME":
                self.edit_kareo(patient, mobile_phone="3035559999")
            if record.dob is None and office.id == "elm":
                self.edit_kareo(patient, dob=date(1971, 7, 17))

    def _insure(self, patient: int, which: int, **values: object) -> int:
        case = next(case for case in self.clinic.billing.cases.values() if case.patient_id == patient and case.is_primary)
        company, plan = CARRIERS[which % len(CARRIERS)]
        self.actions += 1
        policy = self.clinic.billing.people.add_policy(
            case.id,
            str(values.pop("company", company)),
            str(values.pop("plan", plan)),
            **{  # type: ignore[arg-type]
                "number": f"MB{patient}{which}",
                "group": f"GR{which}",
                "copay": "25",
                "deductible": "500.00",
                "start": "2026-01-01",
                "address1": f"{which + 1} Carrier Plaza",
                "city": "Denver",
                "state": "CO",
                "zip": "80202",
                **values,
            },
        )
        return policy.id

    def _insurance(self, office: Office) -> None:
        ours = self.kareo_ids[office.id]
        for number, patient in enumerate(ours[1 : 1 + self.size]):
            self._insure(patient, number)
        self._insure(ours[1], 2)
        spouse = self.person()
        self._insure(
            ours[2],
            0,
            relationship="Spouse",
            insured={
                "first_name": spouse["first_name"],
                "last_name": spouse["last_name"],
                "dob": date(1970, 2, 3),
                "gender": "Male",
            },
        )
        self._insure(ours[9], 0, plan="")
        self._insure(ours[10], 1, end=str(self._today - timedelta(days=30)))

    def _uninsured(self, office: Office) -> list[int]:
        """Charts of three people whom nobody has insured yet; who has no birth date has no chart."""
        charts: list[int] = []
        ours = self.kareo_ids[office.id]
        for patient in (*ours[12:], ours[11], ours[8], ours[6]):
            with suppress(LookupError):
                charts.append(self.counterpart(office, patient))
        return charts[:3]

    def _insure_in_elation(self, office: Office) -> None:
        """Only where insurance goes both ways: entered first in Elation, edited there, at check-in, and removed."""
        if not office.both_ways:
            return
        people, ours = self.clinic.ehr.people, self.kareo_ids[office.id]
        chart = self.counterpart(office, ours[0])
        known = next(one for one in self.clinic.ehr.policies.values() if one["patient_id"] == chart)
        insurer = {name: known[name] for name in ("carrier_id", "carrier_name", "plan_id", "plan_name")}
        uninsured = self._uninsured(office)
        people.add_policy(uninsured[0], 1, **insurer, member_id="EL-1", group_id="ELG", relationship_to_insured="self")
        holder = {"insured_person_first_name": "Marie", "insured_person_last_name": "Van Dyke"}
        holder |= {"insured_person_dob": "1970-02-03", "insured_person_sex_at_birth": "F", "insured_person_city": "Aurora"}
        people.add_policy(uninsured[1], 1, **insurer, **holder, member_id="EL-2", relationship_to_insured="spouse")
        people.add_policy(uninsured[2], 1, carrier_name="Nobody Mutual", member_id="EL-3")
        people.edit_policy(known["id"], group_id="EDITED-HERE")
        doctor, start = office.physicians[0], self._at(office, 0, 9)
        visit = people.create_appointment(uninsured[0], doctor, start, 15, reason="Office visit")
        people.edit_appointment(visit["id"], status={"status": "Checked In"})
        people.add_policy(uninsured[0], 2, **insurer, member_id="EL-4", copay="15.00")
        born = self.elation_patient(office)
        people.add_policy(born, 1, **insurer, member_id="EL-5")
        removed = self.counterpart(office, ours[5])
        for one in [one for one in self.clinic.ehr.policies.values() if one["patient_id"] == removed]:
            people.deactivate_policy(one["id"])
        self.actions += 8

    def _at(self, office: Office, days: int, hour: int, minute: int = 0) -> datetime:
        day = self._today + timedelta(days=days)
        return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(office.time_zone))

    def _appointments(self, office: Office) -> list[int]:
        return [id_ for id_, one in self.clinic.billing.appointments.items() if one.practice_id == office.billing]

    def _book(self, office: Office) -> None:
        people, ours = self.clinic.billing.people, self.kareo_ids[office.id]
        for number in range(self.size + 4):
            start = self._at(office, 1 + number % 5, 8 + number, 15 * (number % 4))
            provider = office.providers[number % 3]
            people.book_appointment(ours[number], provider, office.place[1], start, 20, f"Follow-up {number}")
            self.actions += 1
        people.book_appointment(ours[0], office.providers[0], office.place[1], self._at(office, 6, 9), 12, "Quick check")
        people.book_appointment(ours[1], office.locum, office.place[1], self._at(office, 6, 10), 30, "Locum visit")
        people.book_appointment(None, office.providers[0], office.place[1], self._at(office, 6, 12), 60, "Staff meeting")
        people.book_appointment(
            None, office.providers[1], office.place[1], self._at(office, 6, 13), 30, "No patient", type="P"
        )
        self.actions += 4

    def _rebook(self, office: Office) -> None:
        people, booked = self.clinic.billing.people, self._appointments(office)
        people.move_appointment(booked[0], self._at(office, 9, 15))
        people.move_appointment(booked[1], self._at(office, 9, 16), 45)
        people.cancel_appointment(booked[2])
        people.cancel_appointment(booked[3])
        people.delete_appointment(booked[4])
        people.edit_appointment(booked[5], reason="Annual physical")
        people.edit_appointment(booked[6], provider_id=office.providers[0])
        self.actions += 7
        # Staff change an appointment in Elation: the change stays there.
        chart = self.counterpart(office, self.kareo_ids[office.id][7])
        for id_, one in sorted(self.clinic.ehr.appointments.items()):
            if one["patient"] == chart and not one["deleted_date"]:
                self.clinic.ehr.people.edit_appointment(id_, description="Patient asked for a phone call first")
                self.elation_edits.add(id_)
                self.actions += 1
                break

    def _reinsure(self, office: Office) -> None:
        people, ours, billing = self.clinic.billing.people, self.kareo_ids[office.id], self.clinic.billing
        replaced = people.add_case(ours[3], "After job change", "Insurance", True)
        people.add_policy(replaced.id, *CARRIERS[2], number=f"NEW{ours[3]}", group="G9", copay="40", deductible="")
        case = next(case for case in billing.cases.values() if case.patient_id == ours[4] and case.is_primary)
        people.deactivate_case(case.id)
        mine = [policy.id for policy in billing.policies.values() if billing.cases[policy.case_id].patient_id == ours[1]]
        people.deactivate_policy(mine[0])
        plan = next(iter(billing.plans.values()))
        people.edit_plan(plan.id, address1="77 New Carrier Street")
        # The booked appointment that was cancelled by mistake is booked again.
        cancelled = self._appointments(office)[3]
        people.edit_appointment(cancelled, status="Scheduled")
        self.actions += 6

    def _sign(self, office: Office, chart: int, lines: list[dict[str, object]], **values: object) -> int:
        self.actions += 1
        where = values.pop("place", office.place[0])
        signed = self.clinic.ehr.people.sign_note(
            chart,
            office.physicians[self.actions % 3],
            where,  # type: ignore[arg-type]
            self._today,
            lines,
            **values,  # type: ignore[arg-type]
        )
        return int(signed["bill"]["id"])

    def _bill(self, office: Office) -> None:
        charts = [self.counterpart(office, patient) for patient in self.kareo_ids[office.id][: max(self.size, 8)]]
        self._bills: dict[str, dict[str, int]] = getattr(self, "_bills", {})
        bills = self._bills[office.id] = {}
        for number, chart in enumerate(charts):
            second: dict[str, object] = {
                "cpt": "36415",
                "modifiers": [],
                "dxs": ["Z00.00"],
                "units": "2",
                "unit_charge": "18.50",
            }
            bills[f"good{number}"] = self._sign(office, chart, [GOOD_LINE, second] if number % 2 else [GOOD_LINE])
        bills["deferred"] = self._sign(office, charts[0], [GOOD_LINE], deferred=True)
        bills["deferred for good"] = self._sign(office, charts[1], [GOOD_LINE], deferred=True)
        bills["annex"] = self._sign(office, charts[2], [GOOD_LINE], place=office.annex)
        bills["no lines"] = self._sign(office, charts[3], [])
        bills["bad diagnosis"] = self._sign(office, charts[4], [{**GOOD_LINE, "dxs": ["HEADACHE"]}])
        bills["unknown procedure"] = self._sign(office, charts[5], [{**GOOD_LINE, "cpt": "99999"}])
        many = [f"M{10 + number}.1" for number in range(14)]
        bills["many diagnoses"] = self._sign(
            office,
            charts[6],
            [{**GOOD_LINE, "dxs": many[:5]}, {**GOOD_LINE, "cpt": "93000", "modifiers": [], "dxs": many[5:]}],
        )
        bills["huge charge"] = self._sign(office, charts[7], [{**GOOD_LINE, "unit_charge": "99999999.00"}])
        fresh = self.elation_patient(office)
        bills["new patient"] = self._sign(office, fresh, [GOOD_LINE])

    def _correct(self, office: Office) -> None:
        people, bills = self.clinic.ehr.people, self._bills[office.id]
        people.release_bill(bills["deferred"])
        people.resave_bill(bills["annex"], service_location=office.place[0])
        people.resave_bill(bills["no lines"], cpts=[GOOD_LINE])
        people.resave_bill(bills["bad diagnosis"], cpts=[GOOD_LINE])
        people.resave_bill(bills["unknown procedure"], cpts=[GOOD_LINE])
        people.edit_bill(bills["good0"], notes="Edited after it was sent")
        self.actions += 6

    def _merge(self, office: Office) -> None:
        people, ours = self.clinic.ehr.people, self.kareo_ids[office.id]
        linked = self.counterpart(office, ours[8])
        record = self.clinic.ehr.patients[linked]
        # A duplicate that somebody made by hand. The search in Kareo finds the linked patient for it, so that it waits for a person
        # when it is seen before the merge: the day ends the same. The linked chart is merged into it.
        spare = people.create_patient(
            office.ehr,
            str(record["first_name"]),
            str(record["last_name"]).upper(),
            sex=record["sex"],
            dob=record["dob"],
            primary_physician=office.physicians[0],
            patient_status={"status": "active"},
        )
        people.merge_patients(linked, int(spare["id"]))
        deleted = self.counterpart(office, ours[9])
        people.delete_patient(deleted)
        self._deleted: dict[str, int] = getattr(self, "_deleted", {})
        self._deleted[office.id] = deleted
        gone = self.counterpart(office, ours[10])
        people.delete_patient(gone)
        self.clinic.billing.people.delete_patient(ours[11])
        self.actions += 5

    def _close(self, office: Office) -> None:
        self.clinic.ehr.people.restore_patient(self._deleted[office.id])
        self.edit_kareo(self.kareo_ids[office.id][9], city="Restoreton")
        self.actions += 1
