"""The commands that put things right, as processes of their own, against a running worker: seen in both sandboxes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from daemon.config import load, policy_of
from daemon.demo.embedded import free_port
from daemon.demo.rehearsal import Rest, prepare, servers
from daemon.history.invariants import audit
from daemon.runtime.surroundings import surroundings
from daemon.runtime.worker import Worker
from daemon.sandbox.clinic import Clinic, Office
from daemon.sandbox.day import GOOD_LINE, Day
from daemon.vendors.registry import SECTIONS
from events.bus import Bus
from events.ids import PracticeId
from events.store import Store
from events.topics import CHANGES
from tests.conftest import until

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120.0
ELM = PracticeId("elm")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Done:
    code: int
    out: str
    err: str


@dataclass
class Town:
    """A practice in both sandboxes, its worker, and the command line."""

    clinic: Clinic
    day: Day
    config: Path
    store: Store
    bus: Bus
    rest: Rest

    @property
    def office(self) -> Office:
        return self.clinic.offices[0]

    async def run(self, *arguments: object, config: Path | None = None) -> Done:
        """A command, to its end."""
        command = [sys.executable, "-m", "daemon", *(str(one) for one in arguments), "--config", str(config or self.config)]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(SECONDS):
            out, err = await process.communicate()
        return Done(process.returncode or 0, out.decode(), err.decode())

    async def done(self, *arguments: object) -> str:
        """A command that must be done; what it prints."""
        done = await self.run(*arguments)
        assert (done.code, done.err) == (0, ""), done
        return done.out

    async def refused(self, *arguments: object) -> str:
        done = await self.run(*arguments)
        assert done.code == 1, done
        return done.err

    async def waiting(self, *more: object) -> list[dict[str, Any]]:
        """The items; each command names this configuration, as it has to be pasted, and is given without that."""
        items = [json.loads(line) for line in (await self.done("waiting", ELM, "--json", *more)).splitlines()]
        ending = f" --config {self.config}"
        assert all(one["command"].endswith(ending) for one in items if one["command"])
        return [one | {"command": one["command"].removesuffix(ending)} for one in items]

    async def item(self, slot: str, patient: str = "") -> dict[str, Any]:
        """The one item in a slot of a patient (by any of its charts)."""
        (found,) = [
            one for one in await self.waiting() if one["slot"] == slot and patient in [*one["patient"].split()[:2], ""]
        ]
        return found

    async def waits(self, slot: str, code: str = "") -> bool:
        rows = await self.store.pool.fetch("SELECT code FROM chartwire.waiting WHERE practice = 'elm' AND slot = $1", slot)
        return any(code in ("", row["code"]) for row in rows)

    async def undecided(self) -> tuple[int, int]:
        """A chart and a Kareo patient without a birth date who wait for a person: whether they are one."""
        person = self.day.person()
        there = self.day.kareo_patient(self.office, {**person, "birth_date": None})
        chart = self.day.elation_patient(self.office, person)
        await until(lambda: self.waits("chart", "candidates"), 240)
        await self.rest.reached()
        return chart, there

    async def linked(self, **values: object) -> tuple[int, int]:
        """A new person on both sides, linked: (chart, patient)."""
        patient = self.day.kareo_patient(self.office, **values)
        await self.rest.reached()
        return self.day.counterpart(self.office, patient), patient

    async def sound(self) -> None:
        await self.rest.reached()
        config = load(self.config, SECTIONS)
        assert (await audit(self.store, policy_of(config.practice[0]))).broken == {}


@asynccontextmanager
async def open_town(
    folder: Path, *, settle: Callable[[Day], None] = lambda _day: None, mode: str = "live"
) -> AsyncIterator[Town]:
    """`settle` makes who is there before the first day."""
    clinic = Clinic(offices=1)
    day = Day(clinic)
    settle(day)
    async with servers() as (postgres, broker):
        await clinic.start()
        file = await prepare(clinic, folder, postgres, broker)
        file.write_text(file.read_text().replace('profile = "kareo-led"', f'profile = "kareo-led"\nmode = "{mode}"'))
        async with surroundings(load(file, SECTIONS), file.parent) as around:
            worker = Worker(around)
            running = asyncio.create_task(worker.run())
            try:
                await until(lambda: running.done() or worker.practices, 60)
                if running.done():
                    running.result()
                rest = Rest(worker, clinic, around.store)
                yield Town(clinic, day, file, around.store, around.bus, rest)
            finally:
                worker.stop()
                await running
        await clinic.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with open_town(tmp_path_factory.mktemp("town")) as opened:
        yield opened


# -- first what is simple -------------------------------------------------------------------------------------------------


async def test_seen_takes_a_conflict_off_the_list(town: Town) -> None:
    chart, patient = await town.linked()
    address = dict(town.clinic.ehr.patients[chart]["address"])
    town.day.edit_kareo(patient, city="Kareoville")
    town.day.edit_elation(chart, address={**address, "city": "Elationtown"})
    await town.rest.reached()
    item = await town.item("conflict:city", f"kareo:{patient}")
    assert item["command"] == f"chartwire seen elm kareo:{patient} city"
    assert "no conflict in zip" in await town.refused("seen", ELM, f"kareo:{patient}", "zip")
    out = await town.done(*item["command"].split()[1:])
    assert "conflict seen" in out
    assert not await town.waits("conflict:city")
    assert town.clinic.ehr.patients[chart]["address"]["city"] == "Kareoville"
    assert "no conflict in city" in await town.refused("seen", ELM, f"kareo:{patient}", "city")
    await town.sound()


async def test_retry_writes_what_was_refused_before(town: Town) -> None:
    chart, patient = await town.linked()
    town.clinic.ehr.faults.add(match=("PATCH", "/patients/{id}/"), kind="status", status=400, times=1)
    town.day.edit_kareo(patient, email="second.try@mail.example")
    await until(lambda: town.waits("demographics:elation", "refused"), 30)
    item = await town.item("demographics:elation", f"kareo:{patient}")
    assert item["command"] == f"chartwire retry elm kareo:{patient} demographics:elation"
    out = await town.done(*item["command"].split()[1:])
    assert "done with the demographics in Elation" in out, out
    assert town.clinic.ehr.patients[chart]["emails"][0]["email"] == "second.try@mail.example"
    assert "no refused write" in await town.refused("retry", ELM, f"kareo:{patient}", "demographics:elation")
    await town.sound()


async def test_candidate_that_turns_out_to_be_somebody_else_keeps_nobody_waiting(town: Town) -> None:
    """Our own copy is asked again as soon as the candidate's chart says so; nobody has to resync."""
    chart, twin = await town.undecided()
    assert {one["code"] for one in await town.waiting("--code", "candidates")} == {"candidates"}
    before = len(town.clinic.billing.patients)
    town.day.edit_kareo(twin, first_name="Zebulon", last_name="Quillfeather")
    await town.rest.reached()
    assert not await town.waits("chart", "candidates")
    assert len(town.clinic.billing.patients) == before + 1
    assert town.day.kareo_of(town.office, chart) != twin
    await town.sound()


async def test_resync_reads_both_sides_and_decides_anew(town: Town) -> None:
    """Elation refused a new chart as the duplicate of one that it does not name: only looking again finds that there is none."""
    town.clinic.ehr.faults.add(match=("POST", "/patients/"), kind="status", status=409, times=1)
    patient = town.day.kareo_patient(town.office)
    await until(lambda: town.waits("chart", "refused"), 30)
    await town.rest.reached()
    assert (await town.item("chart", f"kareo:{patient}"))["code"] == "refused"
    before = len(town.clinic.ehr.patients)
    out = await town.done("resync", ELM, f"kareo:{patient}", "--reason", "there is none")
    assert "asked to read it again" in out
    assert f"saw patient {patient}" in out
    assert "to create the chart in Elation" in out
    await town.rest.reached()
    assert len(town.clinic.ehr.patients) == before + 1
    assert town.day.counterpart(town.office, patient)
    await town.sound()


async def test_resync_reads_what_says_the_same_as_before(town: Town) -> None:
    chart, patient = await town.linked()
    out = await town.done("resync", ELM, f"kareo:{patient}")
    assert f"saw chart {chart}" in out
    assert f"saw patient {patient}" in out
    await town.sound()


def copays(town: Town, chart: int) -> list[float]:
    return sorted(float(one["copay"]) for one in town.clinic.ehr.state.policies_of(chart))


async def test_verify_has_read_again_what_no_poll_sees(town: Town) -> None:
    """A third policy edited in Kareo: no list shows it, and the slow round through all patients is a day away."""
    chart, patient = await town.linked()
    third = [town.day._insure(patient, which) for which in range(3)][-1]
    await town.done("resync", ELM, f"kareo:{patient}")
    await town.rest.reached()
    town.clinic.billing.people.edit_policy(third, copay="35")
    await town.rest.reached()
    assert copays(town, chart) == [25, 25, 25]
    found = await town.run("verify", ELM)
    assert f"Elation {chart} / Kareo {patient}: policies" in found.out
    assert "not seen yet" in found.out
    repaired = await town.run("verify", ELM, "--repair")
    assert repaired.code == 0, repaired
    assert f"kareo:{patient}: to be read again" in repaired.out
    await town.rest.reached()
    assert copays(town, chart) == [25, 25, 35]
    assert "not seen yet" not in (await town.run("verify", ELM)).out
    await town.sound()


# -- links, bills, what is accepted, what is set aside ----------------------------------------------------------------------


def carrying(town: Town, key: int) -> list[dict[str, Any]]:
    """Elation's appointments made for a Kareo appointment."""
    ehr = town.clinic.ehr
    return [
        one
        for id_, one in ehr.appointments.items()
        if (ehr.metadata("appointments", id_, "client-elm") or {}).get("object_id") == f"kareo-appointment:{key}"
    ]


async def test_unlink_holds_both_charts_and_link_takes_up_what_was_written(town: Town) -> None:
    chart, patient = await town.linked()
    office, people = town.office, town.clinic.billing.people
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=2)
    booked = people.book_appointment(patient, office.providers[0], office.place[1], start, 20, "Follow-up")
    await town.rest.reached()
    assert len(carrying(town, booked.id)) == 1
    sizes = len(town.clinic.ehr.patients), len(town.clinic.billing.patients)
    assert "unlinked Elation chart" in await town.done("unlink", ELM, f"kareo:{patient}", "--reason", "wrong person")
    town.day.edit_kareo(patient, city="Elsewhere")
    await town.rest.reached()
    assert (await town.item("chart", f"elation:{chart}"))["code"] == "unlinked"
    assert (await town.item("chart", f"kareo:{patient}"))["code"] == "unlinked"
    assert (len(town.clinic.ehr.patients), len(town.clinic.billing.patients)) == sizes
    assert town.clinic.ehr.patients[chart]["address"]["city"] != "Elsewhere"
    assert "linked Elation chart" in await town.done("link", ELM, f"elation:{chart}", f"kareo:{patient}", "--yes")
    await town.rest.reached()
    assert town.clinic.ehr.patients[chart]["address"]["city"] == "Elsewhere"
    assert len(carrying(town, booked.id)) == 1
    assert "has a link already" in await town.refused("link", ELM, f"elation:{chart}", f"kareo:{patient}")
    await town.sound()


async def test_resend_bills_after_the_fix(town: Town) -> None:
    chart, patient = await town.linked()
    bill = town.day._sign(town.office, chart, [{**GOOD_LINE, "cpt": "99999"}])
    await until(lambda: town.waits(f"bill:{bill}", "bill-error"), 30)
    await town.rest.reached()
    item = await town.item(f"bill:{bill}", f"kareo:{patient}")
    assert item["command"] == f"chartwire resend elm {bill}"
    town.clinic.billing.add_procedure_code(town.office.customer_key, "99999", "New procedure")
    await town.done(*item["command"].split()[1:])
    await town.rest.reached()
    sent = [one for one in town.clinic.billing.encounters.values() if one.batch_number == str(bill)]
    assert len(sent) == 1
    assert str(town.clinic.ehr.bills[bill]["ref_number"]) == str(sent[0].id)
    assert "is in Kareo as encounter" in await town.refused("resend", ELM, bill)
    await town.sound()


async def test_dismiss_accepts_an_item_and_an_unreadable_message_is_shown_and_cleared(town: Town) -> None:
    producer = town.bus._producer
    assert producer is not None
    sent = await producer.send_and_wait(CHANGES, b"garbage", key=ELM.encode(), partition=town.bus.partition_of(ELM))
    slot = f"quarantine:kafka:{sent.partition}:{sent.offset}"
    await until(lambda: town.waits(slot, "unreadable-message"), 30)
    item = await town.item(slot)
    assert f"partition {sent.partition}, offset {sent.offset}" in item["reason"]
    assert "still unreadable" in await town.refused(*item["command"].split()[1:])
    assert (await town.run("dismiss", ELM, slot)).code == 2
    await town.done("dismiss", ELM, slot, "--reason", "a test message")
    assert not await town.waits(slot)
    (kept,) = [one for one in await town.waiting("--dismissed") if one["slot"] == slot]
    assert kept["dismissed_because"] == "a test message"
    await town.sound()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("resync", "fir", "kareo:1"), 1, "not in the configuration"),
        (("resync", ELM, "901"), 2, "must be elation:ID or kareo:ID"),
        (("resync", ELM, "kareo:1"), 1, "never been seen"),
        (("resend", ELM, "1"), 1, "never been seen"),
        (("link", ELM, "kareo:1", "kareo:2"), 2, "one chart of each system"),
    ],
)
async def test_what_cannot_be_asked_is_said(town: Town, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = await town.run(*arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


@pytest.mark.parametrize("key", ["dsn", "bootstrap_servers"])
async def test_a_server_that_is_away_is_one_line(town: Town, key: str) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    value = f"postgresql://chartwire@{nobody}/chartwire" if key == "dsn" else nobody
    file = town.config.with_name(f"away-{key}.toml")
    lines = town.config.read_text().splitlines()
    file.write_text("\n".join(f'{key} = "{value}"' if line.startswith(f"{key} = ") else line for line in lines))
    _chart, patient = await town.linked()
    done = await town.run("resync", ELM, f"kareo:{patient}", config=file)
    assert (done.code, len(done.err.splitlines())) == (3, 1), done
    assert "cannot be reached" in done.err
