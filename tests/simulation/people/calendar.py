"""Appointments in Elation's calendar, which are booked in Kareo where the practice wants that; and what Kareo's desk makes of those."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from daemon.sandbox.clinic import Office
from daemon.sandbox.witness_bookings import DESK, OF_USERS, is_marked
from tests.simulation.people.screens import Doing, Screens


class Calendar(Screens):
    """Deeds in Elation's calendar."""

    def deeds(self) -> dict[str, Doing]:
        return {
            "books an appointment in Elation": self._book,
            "books a series in Elation": self._book_series,
            "enters an appointment in both": self._enter_in_both,
            "moves an appointment in Elation": self._move,
            "changes an appointment in Elation": self._change,
            "changes the status of an appointment in Elation": self._status,
            "cancels an appointment in Elation": lambda o, pick: self._ehr.cancel_appointment(self._mine(o, pick)["id"]),
            "deletes an appointment in Elation": lambda o, pick: self._ehr.delete_appointment(self._mine(o, pick)["id"]),
            "changes a series from here on in Elation": self._split,
            "gives an appointment to another patient in Elation": self._give,
            "writes into the notes of a booking in Kareo": self._note,
            "reminds the patient of a booking in Kareo": lambda o, pick: self._desk(o, pick, status=OF_USERS),
        }

    def _start(self, office: Office, pick: random.Random) -> datetime:
        day = self._clinic.billing.state.now().date() + timedelta(days=pick.randint(1, 20))
        wall = datetime(day.year, day.month, day.day, pick.randint(8, 16), pick.choice((0, 15, 30)))
        return wall.replace(tzinfo=ZoneInfo(office.time_zone)).astimezone(UTC)

    def _mine(self, office: Office, pick: random.Random) -> dict[str, Any]:
        held = self._clinic.ehr.appointments.values()
        mine = [one for one in held if one["practice"] == office.ehr and not one["deleted_date"] and one["patient"]]
        chosen: dict[str, Any] = pick.choice(mine)
        return chosen

    def _fields(self, office: Office, pick: random.Random) -> dict[str, object]:
        place = pick.choice((office.place[0], office.place[0], office.place[0], office.annex, None))
        return {"service_location": place, "description": pick.choice(("Cough", "Annual physical", "", "Knee, left"))}

    def _book(self, office: Office, pick: random.Random) -> None:
        chart, doctor = self._chart(office, pick), pick.choice(office.physicians)
        start, minutes = self._start(office, pick), pick.choice((5, 15, 20, 60))
        self._ehr.create_appointment(chart, doctor, start, minutes, **self._fields(office, pick))

    def _enter_in_both(self, office: Office, pick: random.Random) -> None:
        """The front desk does not know that chartwire books it, and was there first."""
        (patient, chart), start = pick.choice(self._pairs(office)), self._start(office, pick)
        at = pick.randrange(len(office.physicians))
        self._billing.book_appointment(patient, office.providers[at], office.place[1], start, 20, "Entered by the desk")
        self._ehr.create_appointment(chart, office.physicians[at], start, 20, service_location=office.place[0])

    def _book_series(self, office: Office, pick: random.Random) -> None:
        chart, doctor, times = self._chart(office, pick), pick.choice(office.physicians), pick.choice((3, 6, 12))
        self._ehr.create_series(
            chart, doctor, f"{self._start(office, pick):%Y-%m-%dT%H:%M:%SZ}", times, description="Series"
        )

    def _move(self, office: Office, pick: random.Random) -> None:
        self._ehr.edit_appointment(self._mine(office, pick)["id"], scheduled_date=self._start(office, pick))

    def _change(self, office: Office, pick: random.Random) -> None:
        change = pick.choice(
            (
                {"description": f"Reason {pick.randrange(100)}"},
                {"physician": pick.choice(office.physicians)},
                {"duration": 40},
            )
        )
        self._ehr.edit_appointment(self._mine(office, pick)["id"], **change)

    def _status(self, office: Office, pick: random.Random) -> None:
        status = pick.choice(("Scheduled", "Confirmed", "Checked In", "In Room", "With Doctor", "Checked Out", "Not Seen"))
        self._ehr.edit_appointment(self._mine(office, pick)["id"], status=status)

    def _split(self, office: Office, pick: random.Random) -> None:
        held = self._clinic.ehr.appointments.values()
        series = [one["id"] for one in held if one["practice"] == office.ehr and one["recurring_event_schedule"]]
        self._ehr.edit_following(pick.choice(series), duration=pick.choice((10, 30)))

    def _give(self, office: Office, pick: random.Random) -> None:
        self._ehr.edit_appointment(self._mine(office, pick)["id"], patient=self._chart(office, pick))

    def _booking(self, office: Office, pick: random.Random) -> Any:
        held = self._clinic.billing.appointments.values()
        mine = [one for one in held if one.practice_id == office.billing and not one.deleted and is_marked(one)]
        return pick.choice([one for one in mine if one.status != "Cancelled"])

    def _desk(self, office: Office, pick: random.Random, **values: object) -> None:
        self._billing.edit_appointment(self._booking(office, pick).id, **values)

    def _note(self, office: Office, pick: random.Random) -> None:
        one = self._booking(office, pick)
        if one.name:
            return
        said, lines = f"{DESK}{pick.randrange(1000)}", one.notes.splitlines()
        self._billing.edit_appointment(one.id, name=said, notes="\n".join([*lines[:-1], said, lines[-1]]))
