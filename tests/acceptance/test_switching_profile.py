"""End to end: a practice changes its profile while the daemon runs, then accepts what differs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from daemon.sandbox.clinic import Clinic
from daemon.sandbox.day import Day
from tests.acceptance.test_reload import Running, running, until

GROUP = "EDITED-BEFORE"


async def chartwire(daemon: Running, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "daemon", *arguments, "--config", str(daemon.file), stdout=-1, stderr=-2
    )
    told, _ = await process.communicate()
    return process.returncode or 0, told.decode()


@pytest.mark.slow
async def test_a_practice_that_changes_its_profile_settles_what_differs_by_accepting_it(tmp_path: Path) -> None:
    clinic = Clinic(limits_scale=0.02, seconds=0.2)
    office = clinic.offices[0]
    async with running(clinic, tmp_path) as daemon:
        day = Day(clinic, seed=11, size=1)
        patient = day.kareo_patient(office)
        number = day._insure(patient, 0)

        def ours() -> list[dict[str, object]]:
            there = clinic.billing.policies[number].number
            return [one for one in clinic.ehr.policies.values() if one["member_id"] == there]

        await until(lambda: len(ours()) == 1)
        clinic.ehr.people.edit_policy(int(str(ours()[0]["id"])), group_id=GROUP)

        daemon.file.write_text(daemon.file.read_text().replace('"kareo-led"', '"elation-led"', 1))
        await daemon.reload()
        await daemon.begun(office.id, 2)
        await until(lambda: bool(daemon.logged("rules_changed")))

        async def differs() -> str:
            while True:
                _, told = await chartwire(daemon, "onboard", office.id, "--accept", "--dry-run")
                if "1 policies differ" in told:
                    return told
                await asyncio.sleep(0.2)

        told = await asyncio.wait_for(differs(), 60)
        assert "SyncPolicies" in told
        assert "Kareo wins" in told
        assert (ours()[0]["group_id"], clinic.billing.policies[number].group) == (GROUP, "GR0"), "nothing was written"
        code, told = await chartwire(daemon, "onboard", office.id, "--accept")
        assert code == 2, "without a person's yes nothing is asked for"

        code, told = await chartwire(daemon, "onboard", office.id, "--accept", "--yes", "--reason", "billing is right")
        assert code == 0, told
        await until(lambda: ours()[0]["group_id"] == "GR0")
        _, told = await chartwire(daemon, "onboard", office.id, "--accept")
        assert "nothing that differed" in told


@pytest.mark.slow
async def test_a_policy_beyond_the_case_is_removed_in_elation_by_one_command(tmp_path: Path) -> None:
    """In kareo-led it is shown after a write of the chart's policies, and stays until a person decides."""
    clinic = Clinic(limits_scale=0.02, seconds=0.2)
    office = clinic.offices[0]
    async with running(clinic, tmp_path) as daemon:
        day = Day(clinic, seed=11, size=1)
        patient = day.kareo_patient(office)
        number = day._insure(patient, 0)
        ours = clinic.billing.policies[number].number
        await until(lambda: any(one["member_id"] == ours for one in clinic.ehr.policies.values()))
        chart = day.counterpart(office, patient)
        staff = int(clinic.ehr.people.add_policy(chart, 2, carrier_name="Red", plan_name="One", member_id="STAFF-1")["id"])
        clinic.billing.people.deactivate_policy(number)

        async def shown() -> str:
            while True:
                _, told = await chartwire(daemon, "waiting", office.id, "--code", "beyond-case")
                if f"remove-policy {office.id} kareo:{patient} {staff}" in told:
                    return told
                await asyncio.sleep(0.2)

        await asyncio.wait_for(shown(), 60)

        def active() -> list[int]:
            held = (one for one in clinic.ehr.policies.values() if one["patient_id"] == chart)
            return [int(one["id"]) for one in held if one["status"] == "active"]

        await until(lambda: active() == [staff])  # ours is removed with the case's
        code, told = await chartwire(daemon, "remove-policy", office.id, f"kareo:{patient}", str(staff))
        assert code == 0, told
        await until(lambda: clinic.ehr.policies[staff]["status"] == "inactive")
        code, told = await chartwire(daemon, "remove-policy", office.id, f"kareo:{patient}", str(staff))
        assert code == 1
        assert "does not wait to be removed" in told
