"""A practice's first day with the real daemon: observed, reviewed, rehearsed, live; killed on the way, twice.

Nothing is written to a vendor before the practice is live, and then exactly what the dry run said.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from daemon.config import keyring_of, load, policy_of
from daemon.demo.rehearsal import prepare, servers
from daemon.history.invariants import audit
from daemon.operator import commands as operator
from daemon.operator.onboarding import Onboarding, progress
from daemon.runtime.go_live import first_reads
from daemon.runtime.surroundings import bus_of
from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.day import GOOD_LINE
from daemon.sandbox.snapshot import snapshot
from daemon.vendors.registry import SECTIONS
from events.commands import LinkRequested, UnlinkRequested
from events.ids import BillingPatientId, Charts, EhrChartId, PracticeId
from events.records import BillingChart, type_of
from events.schema import ChartLinked, IntentAttempted, IntentRequested, IntentSucceeded, Recorded
from events.store import Store
from events.writes import BillingChartWritten, CreateBillingChart, CreateEhrChart, changes_nothing
from projections.trial.dry_run import DryRun
from tests.conftest import opened_store
from tests.crash.test_sigkill import Daemon
from tests.invented_practice import Town, found
from tests.unit.records import GREY, KAREO_GREY

ROOT = Path(__file__).resolve().parents[2]
SIZE = 120
ELM = PracticeId("elm")
SECONDS = 120.0


async def test_observe_review_rehearse_live(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    clinic = Clinic(limits_scale=0.02, seconds=0.5, offices=1)
    office, town = clinic.offices[0], found(SIZE, seed=5, share=0.06)
    truth = settle(clinic, office, town)
    before = snapshot(clinic)
    async with servers() as (postgres, broker):
        await clinic.start()
        file = await prepare(clinic, tmp_path, postgres, broker)
        text = file.read_text()
        file.write_text(text.replace('profile = "kareo-led"', 'profile = "kareo-led"\nmode = "observe"'))
        store = await opened_store(load(file, SECTIONS), tmp_path)
        daemon = Daemon(file, tmp_path / "log")
        await daemon.start()
        try:
            # The first read, broken off in the middle, goes on.
            await until(lambda: kareo_reads(clinic) > 40)
            await daemon.kill()
            await until(lambda: ready(store, file))
            await look_and_review(store, file, town, truth)
            assert writes(clinic) == []
            assert snapshot(clinic) == before
            dry = await rehearsed(store, file)
            assert dry.writes

            # Live; killed as soon as it has begun to write.
            assert await daemon.stop() == 0
            file.write_text(text)
            await daemon.start()
            await until(lambda: len(writes(clinic)) > 5)
            await daemon.kill()
            await until(lambda: at_rest(store, file))
        finally:
            await daemon.stop()
            await clinic.stop()
        recorded = [one async for one in store.read(ELM)]
        made = really_made(recorded)
        assert sorted((made - planned(dry)).elements()) == sorted((planned(dry) - made).elements()) == []
        result = await audit(store, policy_of(load(file, SECTIONS).practice[0]))
        assert result.broken == {}
        matched = {(one.event.body.ehr, one.event.body.billing) for one in recorded if set_by_matching(one)}
        with capsys.disabled():
            print(f"\n{len(matched)} certain links, {len(matched - truth)} wrong; {sum(made.values())} writes, as rehearsed")
        assert matched
        assert matched <= truth
        assert not clinic.billing.violations
        await store.close()


async def look_and_review(store: Store, file: Path, town: Town, truth: set[tuple[int, int]]) -> None:
    """A person reviews: what is one person is linked, what is not is said to be two."""
    told = await onboard(file, "--candidates")
    assert told["state"] == "observing"
    assert "only observed" in await command(file, "status")
    assert told["charts"] == {"elation": len(town.ehr), "kareo": len(town.billing)}
    assert told["matching"]["candidates"]
    await review(store, file, "link", one_each(pairs(told) & truth))
    await review(store, file, "unlink", pairs(await onboard(file, "--candidates")))


# -- the town in both sandboxes -------------------------------------------------------------------------------------------


def settle(clinic: Clinic, office: Office, town: Town) -> set[tuple[int, int]]:
    """The town's charts in both sandboxes, some with insurance, appointments and bills; who is whom by the sandboxes' ids."""
    ids: dict[int, int] = {}
    for chart in town.ehr:
        made = clinic.ehr.people.create_patient(
            office.ehr,
            chart.first_name,
            chart.last_name,
            sex=chart.sex,
            dob=str(chart.birth_date),
            middle_name=chart.middle_name,
            primary_physician=office.physicians[0 if chart.physician == GREY else 1],
            phones=[{"phone": chart.phones[0].number, "phone_type": "Home"}],
            address={
                "address_line1": chart.address1,
                "address_line2": "",
                "city": chart.city,
                "state": chart.state,
                "zip": chart.zip,
            },
        )
        ids[chart.id] = int(made["id"])
    for number, patient in enumerate(town.billing):
        ids[patient.id] = settle_patient(clinic, office, number, patient)
    for chart in town.ehr[:: SIZE // 8]:
        clinic.ehr.people.sign_note(
            ids[chart.id], office.physicians[0], office.place[0], datetime.now(UTC).date(), [GOOD_LINE]
        )
    return {(ids[here], ids[there]) for here, there in town.pairs}


def settle_patient(clinic: Clinic, office: Office, number: int, patient: BillingChart) -> int:
    """The patient in Kareo, now and then with insurance or an appointment; their id there."""
    created = clinic.billing.people.create_patient(
        office.billing,
        patient.first_name,
        patient.last_name,
        cases=[{"name": "Primary", "payer_scenario": "Insurance"}],
        middle_name=patient.middle_name,
        dob=patient.birth_date,
        gender=patient.sex,
        home_phone=patient.home_phone,
        address1=patient.address1,
        city=patient.city,
        state=patient.state,
        zip=patient.zip,
        provider_id=office.providers[0 if patient.provider == KAREO_GREY else 1],
    )
    if number % 20 == 0:
        case = next(case for case in clinic.billing.cases.values() if case.patient_id == created.id)
        clinic.billing.people.add_policy(
            case.id, f"Carrier {number % 3}", "PPO", number=f"M{number}", group="G", copay="25", deductible="500.00"
        )
    if number % 25 == 0:
        start = datetime.now(UTC) + timedelta(days=2 + number % 7)
        start = start.replace(minute=0, second=0, microsecond=0)
        clinic.billing.people.book_appointment(created.id, office.providers[0], office.place[1], start, 30, "Follow-up")
    return created.id


def kareo_reads(clinic: Clinic) -> int:
    return sum(call.operation == "GetPatient" for call in clinic.billing.calls)


def writes(clinic: Clinic) -> list[str]:
    """Calls that change anything; subscribing to webhooks is part of observing."""
    harmless = ("/oauth2/token/", "/subscriptions/")
    found = [call.path for call in clinic.ehr.calls if call.method != "GET" and not call.path.endswith(harmless)]
    return found + [call.operation for call in clinic.billing.calls if not call.operation.startswith(("Get", "Search"))]


# -- the commands ---------------------------------------------------------------------------------------------------------


async def command(file: Path, name: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "daemon", name, *arguments, "--config", str(file)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (out + err).decode()
    return out.decode()


async def onboard(file: Path, *options: str) -> Any:
    return json.loads(await command(file, "onboard", "elm", "--json", *options))


def pairs(told: Any) -> set[tuple[int, int]]:
    """What a person still has to decide about."""
    return {(one["elation"], one["kareo"]) for one in told["matching"]["candidates"] if not one["taken"]}


def one_each(found: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Of somebody who was entered twice, one chart only."""
    chosen: dict[int, tuple[int, int]] = {}
    for pair in sorted(found):
        if pair[0] not in chosen and pair[1] not in chosen:
            chosen |= dict.fromkeys(pair, pair)
    return set(chosen.values())


async def review(store: Store, file: Path, verb: str, decided: set[tuple[int, int]]) -> None:
    """The first by the command itself, the others as it does it, without a process for each."""
    assert decided
    (ehr, billing), *others = sorted(decided)
    force = ["--force", "--yes"] if verb == "link" else []
    await command(file, verb, "elm", f"elation:{ehr}", f"kareo:{billing}", *force)
    config = load(file, SECTIONS)
    bus = bus_of(config, file.parent, keyring_of(config, file.parent))
    await bus.start()
    try:
        await bus.find_partitions()
        for here, there in others:
            charts = Charts(EhrChartId(here), BillingPatientId(there))
            link = LinkRequested(ehr=charts.ehr, billing=charts.billing, who="pat", force=True)
            body = link if verb == "link" else UnlinkRequested(ehr=charts.ehr, billing=charts.billing, who="pat")
            followed = operator.Followed(operator.command(ELM, body, charts))
            await operator.write(bus, store, followed)
            assert followed.recorded
            assert followed.refused is None
    finally:
        await bus.stop()


async def _told(store: Store, file: Path) -> tuple[Onboarding, DryRun | None]:
    practice = load(file, SECTIONS).practice[0]
    return await progress(store, policy_of(practice), datetime.now(UTC), first_reads(practice))


async def ready(store: Store, file: Path) -> bool:
    return not (await _told(store, file))[0].unread


async def rehearsed(store: Store, file: Path) -> DryRun:
    told, run = await _told(store, file)
    assert run is not None
    assert told.matching is not None
    assert all(one.taken for one in told.matching.candidates)
    shown = await onboard(file, "--dry-run")
    assert [one["write"] for one in shown["dry_run"]] == [type_of(one.write) for one in run.writes]
    return run


async def at_rest(store: Store, file: Path) -> bool:
    """Live, everybody looked at, nothing open."""
    told, _ = await _told(store, file)
    open_ = await store.pool.fetchval("SELECT count(*) FROM chartwire.open_intent")
    return told.state == "live" and not open_


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            answer = condition()
            if asyncio.iscoroutine(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.1)


# -- what was made, what was planned ----------------------------------------------------------------------------------------


def really_made(recorded: list[Recorded]) -> Counter[str]:
    """Every write that was carried out, in terms of the charts there were before."""
    asked: dict[str, tuple[str, IntentRequested]] = {}
    attempted: set[str] = set()
    first: dict[str, str] = {}
    made: Counter[str] = Counter()
    for one in recorded:
        body = one.event.body
        if isinstance(body, IntentRequested):
            asked[body.intent] = (one.event.patient, body)
        elif isinstance(body, IntentAttempted):
            attempted.add(body.intent)
        elif isinstance(body, IntentSucceeded):
            patient, request = asked[body.intent]
            assert body.intent in attempted
            if isinstance(request.write, CreateBillingChart) and isinstance(body.result, BillingChartWritten):
                first[f"K:{body.result.chart.id}"] = patient
            if not changes_nothing(request.write):
                made[line(first.get(patient, patient), request.slot, request.write)] += 1
    return made


def planned(dry: DryRun) -> Counter[str]:
    return Counter(line(one.patient, one.slot, one.write) for one in dry.writes)


NEW = ("chart", "carrier", "carrier_id", "plan_id", "patient", "case_id", "billed_at", "ref_number", "post_day")
"""Ids of records that did not exist yet, and times of writing."""


def line(patient: str, slot: str, write: Any) -> str:
    """A write in full, but for what nobody can know before it is made."""

    def known(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: known(one) for name, one in sorted(value.items()) if name not in NEW}
        return [known(one) for one in value] if isinstance(value, list | tuple) else value

    content = msgspec.to_builtins(write)
    if isinstance(write, CreateEhrChart | CreateBillingChart):
        return f"{patient} {slot} {content}"
    return f"{patient} {slot} {type_of(write)} {known(content)}"


def set_by_matching(one: Recorded) -> bool:
    body = one.event.body
    return isinstance(body, ChartLinked) and body.likeness is not None
