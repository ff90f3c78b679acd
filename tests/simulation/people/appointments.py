"""Appointments, booked, moved, changed, cancelled and deleted in Kareo."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from daemon.sandbox.clinic import Office
from daemon.sandbox.witness_bookings import is_marked
from tests.simulation.people.screens import Doing, Screens


class Appointments(Screens):
    """Deeds with appointments."""

    def deeds(self) -> dict[str, Doing]:
        return {
            "books an appointment in Kareo": self._book,
            "moves an appointment in Kareo": self._move,
            "changes an appointment's reason or provider in Kareo": self._change_appointment,
            "cancels an appointment in Kareo": lambda o, pick: self._billing.cancel_appointment(self._booked(o, pick)),
            "deletes an appointment in Kareo": lambda o, pick: self._billing.delete_appointment(self._booked(o, pick)),
            "books a cancelled appointment again in Kareo": self._revive,
        }

    def _start(self, office: Office, pick: random.Random) -> datetime:
        day = self._clinic.billing.state.now().date() + timedelta(days=pick.randint(1, 20))
        zone = ZoneInfo(office.time_zone)
        return datetime(day.year, day.month, day.day, pick.randint(8, 16), pick.choice((0, 15, 30, 45)), tzinfo=zone)

    def _booked(self, office: Office, pick: random.Random, status: str = "") -> int:
        held = self._clinic.billing.appointments.values()
        mine = [one for one in held if one.practice_id == office.billing and not one.deleted and one.patient_id is not None]
        mine = [one for one in mine if not is_marked(one)]  # Elation's, followed by Kareo: its desk leaves their times alone
        return pick.choice([one.id for one in mine if (one.status == status if status else one.status != "Cancelled")])

    def _book(self, office: Office, pick: random.Random) -> None:
        provider = pick.choice((*office.providers, office.locum))
        patient = None if pick.random() < 0.1 else self._patient(office, pick)
        reason = pick.choice(("Follow-up", "Annual physical", "New patient", ""))
        minutes = pick.choice((10, 15, 20, 30, 12, 45))
        self._billing.book_appointment(patient, provider, office.place[1], self._start(office, pick), minutes, reason)

    def _move(self, office: Office, pick: random.Random) -> None:
        self._billing.move_appointment(self._booked(office, pick), self._start(office, pick), pick.choice((None, 25, 40)))

    def _change_appointment(self, office: Office, pick: random.Random) -> None:
        change = pick.choice(({"reason": f"Reason {pick.randrange(100)}"}, {"provider_id": pick.choice(office.providers)}))
        self._billing.edit_appointment(self._booked(office, pick), **change)

    def _revive(self, office: Office, pick: random.Random) -> None:
        self._billing.edit_appointment(self._booked(office, pick, "Cancelled"), status="Scheduled")
