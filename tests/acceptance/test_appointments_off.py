"""EHR_LED section 8, end to end: with appointments off neither side's appointment writes anything, whatever is done and asked for.

Live, in polls and sweeps, at a resync of the patient and of all that waits, and by `verify --repair`. That the appointments would be
written is shown at the end: the row is switched on, and they are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.day import Day
from daemon.sandbox.witness_bookings import is_marked
from events.ids import PracticeId
from events.schema import IntentRequested
from events.writes import Resource
from tests.acceptance.test_bookings import Bookings
from tests.acceptance.test_reload import Running, running, until
from tests.acceptance.test_switching_profile import chartwire

PASSES = ("kareo.appointments", "kareo.appointment-sweep", "kareo.sweep", "elation.catch-up", "elation.sweep")
OFF = {"kareo-led": 'appointment = "off"', "elation-led": ""}
ON = {"kareo-led": 'appointment = "kareo->elation"', "elation-led": 'appointment = "elation->kareo"'}
WRITES_IN_KAREO = {"CreateAppointment", "UpdateAppointment", "DeleteAppointment"}


async def ruled(daemon: Running, text: str, office: Office, times: int) -> None:
    """Another row of the practice's own rules."""
    plain = "\n".join(line for line in daemon.whole.splitlines() if not line.startswith("appointment ="))
    daemon.file.write_text(plain.replace("[practice.overrides]\n", f"[practice.overrides]\n{text}\n", 1))
    await daemon.reload()
    await daemon.begun(office.id, times)


async def passed(daemon: Running, office: Office) -> None:
    """Every pass has begun and ended since, and every webhook was delivered."""

    async def at() -> dict[str, datetime]:
        rows = await daemon.store.pool.fetch(
            "SELECT source, updated_at FROM chartwire.checkpoint WHERE practice = $1", office.id
        )
        return {row["source"]: row["updated_at"] for row in rows}

    for _ in range(2):
        now: dict[str, datetime] = {}
        before = await at()

        def is_round(now: dict[str, datetime] = now, before: dict[str, datetime] = before) -> bool:
            return all(name in now and now[name] != before.get(name) for name in PASSES)

        while not is_round():
            now.update(await at())


async def wanted(daemon: Running, office: Office) -> list[Any]:
    """Every write of an appointment that was ever asked for."""
    bodies = [one.event.body async for one in daemon.store.read(PracticeId(office.id))]
    return [one for one in bodies if isinstance(one, IntentRequested) and one.resource is Resource.APPOINTMENT]


def written(clinic: Clinic) -> set[str]:
    """Calls that write an appointment in either system."""
    here = {f"{one.method} {one.path}" for one in clinic.ehr.calls if "/appointments" in one.path and one.method != "GET"}
    return here | {one.operation for one in clinic.billing.calls} & WRITES_IN_KAREO


def copied(clinic: Clinic, profile: str) -> int:
    """How many appointments the daemon has made, where the row is on."""
    if profile == "elation-led":
        return sum(is_marked(one) for one in clinic.billing.appointments.values())
    return sum(one.path == "/appointments/" and one.method == "POST" for one in clinic.ehr.calls)


@pytest.mark.slow
@pytest.mark.parametrize("profile", OFF)
async def test_no_appointment_is_written_whatever_is_done_and_asked_for(profile: str, tmp_path: Path) -> None:
    both_ways = int(profile == "elation-led")
    clinic = Clinic(limits_scale=0.02, seconds=0.2, offices=1 - both_ways, both_ways=both_ways)
    (office,) = clinic.offices
    async with running(clinic, tmp_path) as daemon:
        if OFF[profile]:
            await ruled(daemon, OFF[profile], office, 2)
        desk, day = Bookings(daemon, clinic, tmp_path), Day(clinic, seed=5, size=1)
        chart, patient = desk.pair()
        await desk.linked(patient)
        start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
        people = clinic.billing.people
        there = people.book_appointment(patient, office.providers[0], office.place[1], start, 20, "Desk")
        here = desk.enter(chart, 1)
        await passed(daemon, office)
        people.move_appointment(there.id, start + timedelta(hours=2))
        clinic.ehr.people.edit_appointment(here, status={"status": "Checked In"})
        await passed(daemon, office)
        for asked in (("resync", office.id, f"kareo:{patient}"), ("resync", office.id, f"elation:{chart}")):
            code, told = await chartwire(daemon, *asked)
            assert code == 0, told
        code, told = await chartwire(daemon, "verify", office.id, "--repair")
        assert code == 0, told
        day.edit_kareo(patient, address1="1 Touched Lane")
        day.edit_elation(chart, emails=[{"email": "touched@mail.example"}])
        await until(lambda: clinic.billing.patients[patient].email == "touched@mail.example")
        cancelled = people.book_appointment(patient, office.providers[0], office.place[1], start, 20, "Called off")
        people.cancel_appointment(cancelled.id)
        gone = desk.enter(chart, 3)
        clinic.ehr.people.delete_appointment(gone)
        await passed(daemon, office)
        assert await wanted(daemon, office) == []
        assert written(clinic) == set()

        await ruled(daemon, ON[profile], office, 3 if OFF[profile] else 2)
        await until(lambda: copied(clinic, profile) >= 1)
        assert len(await wanted(daemon, office)) >= 1
