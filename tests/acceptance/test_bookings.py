"""End to end: Elation's calendar booked in Kareo by `chartwire run`, and what `verify` and `what-if` say of it."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.day import Day
from daemon.sandbox.witness_bookings import MARK, is_marked
from daemon.tables import documents as tables
from events.bookings import CreateBillingAppointment
from events.ids import PracticeId
from events.schema import Body, IntentAttempted, IntentRequested
from events.writes import UpdateBillingChart
from tests.acceptance.test_reload import MOST_SECONDS, Running, running, until
from tests.acceptance.test_switching_profile import chartwire

SERIES = 52


class Bookings:
    """A practice with the extension on, two patients whom both systems have, and the people at its desks."""

    def __init__(self, daemon: Running, clinic: Clinic, folder: Path) -> None:
        self.daemon, self.clinic, self.folder = daemon, clinic, folder
        self.office: Office = clinic.offices[0]
        self.practice = PracticeId(self.office.id)
        self.day = Day(clinic, seed=5, size=1)
        self.ehr, self.billing = clinic.ehr, clinic.billing
        self.start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=3)

    def pair(self) -> tuple[int, int]:
        person = self.day.person()
        patient = self.day.kareo_patient(self.office, person)
        return self.day.elation_patient(self.office, person), patient

    def enter(self, chart: int, hours: int, **fields: object) -> int:
        told = {"service_location": self.office.place[0], "description": f"Visit {hours}", **fields}
        start = self.start + timedelta(hours=hours)
        return int(self.ehr.people.create_appointment(chart, self.office.physicians[0], start, 20, **told)["id"])

    def enter_series(self, chart: int, description: str) -> list[Any]:
        """One visit a week with the first physician, from `start` on."""
        first, place = f"{self.start:%Y-%m-%dT%H:%M:%SZ}", self.office.place[0]
        doctor = self.office.physicians[0]
        return self.ehr.people.create_series(chart, doctor, first, SERIES, service_location=place, description=description)

    def booked(self) -> list[Any]:
        return [one for one in self.billing.appointments.values() if is_marked(one) and not one.deleted]

    def booking(self, hours: int) -> Any:
        """Kareo's appointment of the visit entered at that hour."""
        return next(one for one in self.booked() if one.notes.startswith(f"Visit {hours}\n"))

    async def linked(self, *patients: int) -> None:
        """Wait until the two charts of each are one patient's."""

        async def all_are() -> bool:
            links = await tables.links(self.daemon.store.pool, self.practice)
            return set(patients) <= {int(billing) for _, billing in links}

        async with asyncio.timeout(MOST_SECONDS):
            while not await all_are():
                await asyncio.sleep(0.05)

    async def bodies(self) -> list[Body]:
        return [one.event.body async for one in self.daemon.store.read(self.practice)]

    async def stop(self) -> None:
        self.daemon.process.terminate()
        assert await asyncio.wait_for(self.daemon.process.wait(), MOST_SECONDS) == 0

    async def verified(self) -> tuple[int, list[dict[str, Any]]]:
        code, told = await chartwire(self.daemon, "verify", self.office.id, "--json")
        return code, json.loads(told[told.index("{") :])["drift"]

    async def waits(self, appointment: int, code: str = "not-booked") -> None:
        """Until it is told that this appointment is not booked."""
        async with asyncio.timeout(MOST_SECONDS):
            while str(appointment) not in (await chartwire(self.daemon, "waiting", self.office.id, "--code", code))[1]:
                await asyncio.sleep(0.1)

    async def what_if(self, text: str) -> dict[str, Any]:
        """What other rules would have written."""
        other = self.folder / "other.toml"
        other.write_text(text)
        code, told = await chartwire(self.daemon, "what-if", self.office.id, "--policy", str(other), "--json")
        assert code == 0, told
        parsed: dict[str, Any] = json.loads(told[told.index("{") :])
        return parsed


def opened() -> Clinic:
    return Clinic(limits_scale=0.02, seconds=0.2, offices=0, both_ways=1, books=True)


def between(bodies: list[Body], kind: type, patient: int) -> int:
    """How many calls of a booking began after the first write of `kind` for the patient was asked for, and before its own did."""
    asked = [one for one in bodies if isinstance(one, IntentRequested)]
    its = next(one for one in asked if isinstance(one.write, kind) and one.write.patient == patient)
    bookings = {one.intent for one in asked if isinstance(one.write, CreateBillingAppointment)} - {its.intent}
    began = bodies[bodies.index(its) :]
    own = next(at for at, one in enumerate(began) if isinstance(one, IntentAttempted) and one.intent == its.intent)
    return sum(isinstance(one, IntentAttempted) and one.intent in bookings for one in began[:own])


@pytest.mark.slow
async def test_a_series_of_52_is_52_creations_and_delays_others_by_no_more_than_one_call(tmp_path: Path) -> None:
    """An edit of another patient and another's appointment are entered while the series goes out; the webhooks come twice."""
    clinic = opened()
    async with running(clinic, tmp_path) as daemon:
        it = Bookings(daemon, clinic, tmp_path)
        (chart, patient), (other, other_there), (third, third_there) = it.pair(), it.pair(), it.pair()
        await it.linked(patient, other_there, third_there)
        series = it.enter_series(chart, "Series")
        await until(lambda: len(it.booked()) >= 3)
        it.day.edit_elation(other, emails=[{"email": "new@mail.example"}])
        it.enter(third, 1)
        await until(lambda: any(one.patient_id == third_there for one in it.booked()))
        under_way = len(it.booked())
        await until(lambda: clinic.billing.patients[other_there].email == "new@mail.example")
        assert under_way < SERIES, "the series was still going out"
        for one in series:
            clinic.ehr.people.edit_appointment(one["id"])  # saved again as it was
        await until(lambda: len(it.booked()) == SERIES + 1)
        await it.stop()
        bodies = await it.bodies()
        asked = [
            one for one in bodies if isinstance(one, IntentRequested) and isinstance(one.write, CreateBillingAppointment)
        ]
        assert len(asked) == SERIES + 1
        calls = Counter(one.operation for one in clinic.billing.calls)
        assert calls["CreateAppointment"] == SERIES + 1
        assert set(Counter(MARK.search(one.notes).group() for one in it.booked()).values()) == {1}
        assert {one.start for one in it.booked() if one.patient_id == patient} == {
            it.start + timedelta(weeks=week) for week in range(SERIES)
        }
        assert between(bodies, UpdateBillingChart, other_there) <= 1
        assert between(bodies, CreateBillingAppointment, third_there) <= 1


@pytest.mark.slow
async def test_verify_and_what_if_know_of_bookings(tmp_path: Path) -> None:
    """What waits, what Kareo's desk changed and what was entered while nobody looked; and what other rules would have written."""
    clinic = opened()
    async with running(clinic, tmp_path) as daemon:
        it = Bookings(daemon, clinic, tmp_path)
        chart, patient = it.pair()
        await it.linked(patient)
        entered = {hours: it.enter(chart, hours) for hours in range(5)}
        nowhere = it.enter(chart, 9, service_location=None)
        await until(lambda: len(it.booked()) == 5)
        clinic.ehr.people.delete_appointment(entered[4])
        await until(lambda: it.booking(4).status == "Cancelled")

        await it.waits(nowhere)
        await it.stop()

        moved, deleted = it.booking(0), it.booking(1)
        clinic.billing.people.move_appointment(moved.id, moved.start + timedelta(hours=30))
        clinic.billing.people.delete_appointment(deleted.id)
        clinic.ehr.people.edit_appointment(entered[2], duration=45)
        clinic.ehr.people.delete_appointment(entered[3])
        new = it.enter(chart, 7)
        code, drift = await it.verified()
        assert code == 0, "nothing is chartwire's fault"
        found = {one["what"]: (one["cause"], one.get("fields", [])) for one in drift if one["what"].startswith("booking:")}
        assert found == {
            f"booking:{nowhere}": ("waiting", []),
            f"booking:{entered[0]}": ("edited on the losing side", ["start"]),
            f"booking:{entered[1]}": ("edited on the losing side", ["deleted"]),
            f"booking:{entered[2]}": ("not seen yet", ["minutes"]),
            f"booking:{entered[3]}": ("not seen yet", ["status"]),
            f"booking:{new}": ("not seen yet", []),
        }

        same = '[overrides]\nappointment = "elation->kareo"\n'
        assert [one for one in (await it.what_if(same))["writes"] if one["resource"] == "appointment"] == []
        off = await it.what_if('[overrides]\nappointment = "off"\n')
        assert off["counts"]["not made"] == {"appointment to kareo": 6}
        deletes = await it.what_if(f'{same}deleted_appointment = "delete"\n')
        assert [(one["kind"], one["write"]) for one in deletes["writes"]] == [("otherwise", "DeleteKareoAppointment")]
        placed = await it.what_if(f"{same}[maps]\ndefault_location = {it.office.place[1]}\n")
        assert [(one["kind"], one["slot"], one["write"]) for one in placed["writes"]] == [
            ("made", f"booking:{nowhere}", "CreateKareoAppointment")
        ]


@pytest.mark.slow
async def test_the_daemon_killed_amid_a_series_books_each_once(tmp_path: Path) -> None:
    clinic = opened()
    async with running(clinic, tmp_path) as daemon:
        it = Bookings(daemon, clinic, tmp_path)
        chart, patient = it.pair()
        await it.linked(patient)
        it.enter_series(chart, "")
        await until(lambda: len(it.booked()) >= 5)
        daemon.process.send_signal(signal.SIGKILL)
        await daemon.process.wait()
        await daemon.again()
        await until(lambda: len(it.booked()) >= SERIES)
        await it.stop()
        assert Counter(one.start for one in it.booked()) == Counter(
            it.start + timedelta(weeks=week) for week in range(SERIES)
        )


@pytest.mark.slow
async def test_one_entered_by_hand_in_both_is_not_booked_until_the_one_in_kareo_is_gone(tmp_path: Path) -> None:
    clinic = opened()
    async with running(clinic, tmp_path) as daemon:
        it = Bookings(daemon, clinic, tmp_path)
        chart, patient = it.pair()
        await it.linked(patient)
        start, provider, place = it.start + timedelta(hours=2), it.office.providers[0], it.office.place[1]
        desk = clinic.billing.people.book_appointment(patient, provider, place, start, 20, "Desk")
        entered = it.enter(chart, 2)
        await it.waits(entered, "stands-already")
        assert it.booked() == []
        clinic.billing.people.delete_appointment(desk.id)
        await until(lambda: len(it.booked()) == 1)
        await it.stop()
        assert it.booking(2).start == start
