"""A practice with Elation and Ledger: charts and bills go to Ledger, and no file of the product knows of it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.config import Config, ConfigError, load, policy_of
from daemon.demo.embedded import EmbeddedBroker, EmbeddedPostgres, free_port
from daemon.history.invariants import audit
from daemon.operator.drift import verify
from daemon.runtime.surroundings import Surroundings, surroundings
from daemon.runtime.worker import Worker
from daemon.sandbox.clinic import write_private
from daemon.sandbox.day import GOOD_LINE
from daemon.sandbox.elation import ElationSandbox
from daemon.vendors import registry
from daemon.vendors.registry import Registry
from tests.conftest import until
from tests.third.registry import SECTIONS, WITH_LEDGER
from tests.third.sandbox import LedgerSandbox

ROOT = Path(__file__).parents[2]

FILE = """
[postgres]
dsn = "{dsn}"

[kafka]
bootstrap_servers = "{kafka}"
group = "third"
partitions = 1
idempotent = false
session_timeout_seconds = 6

[keys]
directory = "keys"

[http]
listen = "{listen}"
public_url = "http://{listen}"

[pace]
first_pause = 0.1
longest_pause = 2.0

[[practice]]
id = "third"
name = "Third Street"
time_zone = "America/Denver"

[practice.elation]
base_url = "{elation}"
client_id = "client"
client_secret_file = "elation"
practice_id = {practice}
catch_up_seconds = 0.3
sweep_seconds = 0.6

[practice.ledger]
base_url = "{ledger}"
key_file = "ledger"
poll_seconds = 0.2
"""


@dataclass
class Street:
    """Both sandboxes, and the practice in them."""

    ehr: ElationSandbox
    ledger: LedgerSandbox
    practice: int
    doctor: int
    place: int

    def write_config(self, folder: Path, *, dsn: str, kafka: str) -> Path:
        (folder / "keys").mkdir()
        write_private(folder / "keys" / "third.1.key", base64.b64encode(os.urandom(32)).decode())
        write_private(folder / "elation", "secret")
        write_private(folder / "ledger", self.ledger.key)
        file = folder / "chartwire.toml"
        listen = f"127.0.0.1:{free_port()}"
        file.write_text(
            FILE.format(
                dsn=dsn, kafka=kafka, listen=listen, elation=self.ehr.url, practice=self.practice, ledger=self.ledger.url
            )
        )
        return file


@contextlib.asynccontextmanager
async def street() -> AsyncIterator[Street]:
    ehr, ledger = ElationSandbox(), LedgerSandbox("l3dg3r")
    await ehr.start()
    await ledger.start()
    try:
        practice = int(ehr.add_practice(name="Third Street", time_zone="America/Denver")["id"])
        ehr.add_credential("client", "secret", practices=[practice])
        doctor = int(ehr.add_physician(practice, first_name="Maria", last_name="Lopez", npi="1003000126")["id"])
        place = int(ehr.add_service_location(practice, name="Main Office", place_of_service_code=11)["id"])
        ledger.hire("Maria", "Lopez", "1003000126")
        ledger.furnish("Main Office")
        yield Street(ehr, ledger, practice, doctor, place)
    finally:
        await ehr.stop()
        await ledger.stop()


@contextlib.asynccontextmanager
async def at_work(config: Config, folder: Path) -> AsyncIterator[tuple[Surroundings, Worker]]:
    async with surroundings(config, folder, vendors=Registry(WITH_LEDGER)) as around:
        worker = Worker(around)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(worker.run())
            try:
                yield around, worker
            finally:
                worker.stop()
                await asyncio.wait([running])


async def test_a_chart_and_a_bill_of_elation_arrive_in_ledger(
    postgres: EmbeddedPostgres, database: str, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    async with street() as there:
        file = there.write_config(tmp_path, dsn=postgres.dsn(database, "chartwire"), kafka=broker.bootstrap_servers)
        config = load(file, SECTIONS)
        async with at_work(config, tmp_path) as (around, worker):
            person = there.ehr.people.create_patient(
                there.practice, "Ada", "Byron", "Female", "1980-12-10", primary_physician=there.doctor
            )
            chart = int(person["id"])
            await until(lambda: there.ledger.accounts, 30)
            (account,) = there.ledger.accounts.values()
            assert (account["given"], account["family"], account["born"]) == ("Ada", "Byron", "1980-12-10")
            assert account["clinician"] == there.ledger.staff[0]["id"]

            signed = there.ehr.people.sign_note(chart, there.doctor, there.place, "2026-05-05", [GOOD_LINE])
            bill = int(signed["bill"]["id"])
            await until(lambda: there.ehr.bills[bill]["ref_number"], 30)
            (invoice,) = there.ledger.invoices.values()
            assert (invoice["bill"], invoice["account"]) == (bill, account["id"])
            assert [line["code"] for line in invoice["lines"]] == ["99213"]
            assert there.ehr.bills[bill]["ref_number"] == str(invoice["id"])

            account["middle"] = "King"
            await until(lambda: there.ehr.patients[chart]["middle_name"] == "King", 30)

            practice = config.practice[0]
            await until(idle(worker), 30)
            said: list[str] = []
            assert await verify(practice, around, said.append) == []
            assert [line.split(":")[0] for line in said] == ["Elation", "Ledger", "Ledger"]
            found = await audit(around.store, policy_of(practice))
            assert found.broken == {}
            assert [one.link is not None for one in found.patients.values()] == [True]


def idle(worker: Worker) -> Callable[[], Awaitable[bool]]:
    """Every account read twice more and nothing left to write."""
    runtime = next(iter(worker.practices.values()))
    passes = [one.passes for one in runtime.connectors.values()]
    names = [("sweep",), ("accounts",)]
    before = [{name: one.done.get(name, 0) for name in each} for one, each in zip(passes, names, strict=True)]

    async def reached() -> bool:
        gone = all(
            one.done.get(name, 0) >= count + 2
            for one, each in zip(passes, before, strict=True)
            for name, count in each.items()
        )
        return gone and all(sink.idle for sink in runtime.sinks.values())

    return reached


async def test_the_configuration_takes_one_system_a_role(tmp_path: Path) -> None:
    async with street() as there:
        file = there.write_config(tmp_path, dsn="postgresql://localhost/x", kafka="127.0.0.1:1")
    names = policy_of(load(file, SECTIONS).practice[0]).names
    assert (names.billing.label, names.patient(7)) == ("Ledger", "ledger:7")
    with pytest.raises(ConfigError) as unknown:
        load(file, registry.SECTIONS)
    assert {key for key, _ in unknown.value.problems} == {"practice[1].ledger", "practice[1].kareo"}

    file.write_text(file.read_text() + '\n[practice.kareo]\nwsdl = "x"\n')
    with pytest.raises(ConfigError) as both:
        load(file, SECTIONS)
    problems = dict(both.value.problems)
    assert "same role as kareo" in problems["practice[1].ledger"]
    assert problems["practice[1].kareo.endpoint"] == "is missing"


def test_its_folder_its_sandbox_and_its_row_are_all_that_it_needed() -> None:
    files = [file for folder in ("daemon", "projections", "events") for file in (ROOT / folder).rglob("*.*")]
    assert [file for file in files if file.suffix in (".py", ".sql") and "ledger" in file.read_text().casefold()] == []
