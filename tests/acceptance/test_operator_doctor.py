"""Every finding of the doctor about vendors and practices is provoked on real servers and the sandboxes, and gone after what it advises was done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.config import load
from daemon.demo.embedded import EmbeddedBroker
from daemon.findings import Severity
from daemon.operator import (
    doctor,
    doctor_kafka,
    doctor_network,
    doctor_notify,
    doctor_postgres,
    doctor_practices,
    doctor_witness,
    postgres_refusal,
)
from daemon.sandbox.clinic import write_private
from daemon.sandbox.front_desk import FrontDesk
from daemon.vendors.elation import examination as of_elation
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.kareo import examination as of_kareo
from daemon.vendors.sections import SECTIONS
from tests.acceptance.installation import Installation
from tests.conftest import until

pytest_plugins = ("tests.acceptance.installation",)


@pytest.fixture(autouse=True)
def nothing_stays_broken(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that fails says so alone: the next one finds both vendors sound."""
    yield
    if "at" in request.fixturenames:
        clinic = request.getfixturevalue("at").clinic
        clinic.ehr.faults.clear()
        clinic.billing.faults.clear()


# -- vendors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("secret", "system"), [("elation", "Elation"), ("kareo-password", "Kareo")])
@pytest.mark.asyncio(loop_scope="module")
async def test_credentials_that_are_refused(at: Installation, secret: str, system: str) -> None:
    file = at.file.parent / f"oak.{secret}"
    kept = file.read_text()
    write_private(file, "wrong")
    await at.reload()
    finding = await at.found("credentials")
    assert system in finding.text
    assert file.name in finding.repair

    async def waits() -> bool:
        return await at.value("SELECT count(*) FROM chartwire.waiting WHERE code = 'credentials'") == 1

    async def over() -> bool:
        return not await waits()

    await until(waits, 60.0)
    write_private(file, kept)
    await at.follow(finding)
    await at.gone("credentials")
    await until(over, 60.0)
    await at.gone("pass-failing")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_practice_of_another_name(at: Installation) -> None:
    name = at.clinic.offices[1].name
    at.edit(f'practice_name = "{name}"', f'practice_name = "{name} LLC"')
    assert (await at.found("practice-name")).key == "practice[2].kareo.practice_name"
    at.edit(f'practice_name = "{name} LLC"', f'practice_name = "{name}"')
    await at.gone("practice-name")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_practice_id_that_is_anothers(at: Installation) -> None:
    id_ = at.clinic.offices[1].ehr
    at.edit(f"practice_id = {id_}", "practice_id = 999999")
    assert (await at.found("practice-id")).key == "practice[2].elation.practice_id"
    at.edit("practice_id = 999999", f"practice_id = {id_}")
    await at.gone("practice-id")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_service_that_is_described_nowhere_or_does_not_answer(at: Installation) -> None:
    for code, old in (("wsdl", at.clinic.billing.wsdl_url), ("vendor-away", at.clinic.ehr.url)):
        text = at.file.read_text()
        at.file.write_text(text.replace(old, "http://127.0.0.1:1/"))
        assert (await at.found(code)).severity is Severity.ERROR
        at.file.write_text(text)
        await at.gone(code)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_list_of_deliveries_that_may_not_be_read_is_a_note(at: Installation) -> None:
    at.clinic.ehr.faults.add(match=("GET", "/app/published_events/"), kind="status", status=403, times=None)
    assert (await at.found("deliveries-unknown")).severity is Severity.NOTE
    at.clinic.ehr.faults.clear()
    await at.gone("deliveries-unknown")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_right_that_the_credentials_lack(at: Installation) -> None:
    at.clinic.ehr.faults.add(match=("GET", "/bills/"), kind="status", status=403, times=None)
    finding = await at.found("right")
    assert "bills" in finding.text
    at.clinic.ehr.faults.clear()
    await at.gone("right")


@pytest.mark.parametrize("operation", ["GetPractices", "GetServiceLocations"])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_customer_key_that_somebody_else_uses(at: Installation, operation: str) -> None:
    """The one practice's key is used up at each try; who else uses it then gets a key of its own, as advised."""
    key = (at.file.parent / "oak.kareo-key").read_text().strip()
    at.clinic.billing.faults.add(operation, "throttle", times=1_000_000, holding=key)
    finding = await at.found("throttled")
    assert (finding.practice, finding.key) == ("oak", "practice[2].kareo.customer_key_file")
    assert (f"kareo.{operation}" in finding.text, "oak.kareo-key" in finding.repair) == (True, True)
    assert not {"vendor-away", "right"} & {one.code for one in await at.findings()}
    at.clinic.billing.faults.clear()
    await at.gone("throttled")


@pytest.mark.parametrize("path", ["/practices/{id}/", "/bills/", "/app/subscriptions/", "/app/published_events/"])
@pytest.mark.asyncio(loop_scope="module")
async def test_credentials_that_are_used_for_too_many_calls(at: Installation, path: str) -> None:
    """Elation's 429 is no trouble of its own and no missing right; nothing is asked for after it."""
    at.clinic.ehr.faults.add(match=("GET", re.escape(path)), kind="status", status=429, times=None)
    finding = await at.found("throttled")
    assert path in finding.text
    (line,) = re.findall(r"concurrency = (\d+) in \[practice\[\d\]\.elation\]", finding.repair)
    section = load(at.file, SECTIONS).practice[0].ehr
    assert isinstance(section, ElationConfig)
    assert 0 < int(line) < section.concurrency
    assert not {"vendor-away", "right", "deliveries-unknown"} & {one.code for one in await at.findings()}
    at.clinic.ehr.faults.clear()
    await at.gone("throttled")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_subscription_that_is_not_there_and_one_that_leads_elsewhere(at: Installation) -> None:
    """Elation takes no new subscription for a while: the owner, who subscribes by itself, cannot."""
    await at.gone("subscription")
    at.clinic.ehr.faults.add(match=("POST", "/app/subscriptions/"), kind="status", status=503, times=None)
    (row,) = [one for one in at.clinic.ehr.subscriptions.values() if "/oak/patients" in str(one["target"])]
    target, row["target"] = row["target"], "https://old.example/webhooks/elation/oak/patients"
    elsewhere = await at.found("subscription-elsewhere")
    assert 'public_url = "https://old.example" in [http]' in elsewhere.repair
    assert f"/subscriptions/{row['id']}/" in elsewhere.repair
    assert "restart chartwire" in (await at.found("subscription")).repair
    row["deleted_date"] = "2026-01-01T00:00:00Z"
    at.clinic.ehr.faults.clear()
    await at.restart()
    await at.gone("subscription")
    await at.gone("subscription-elsewhere")
    assert target in [one["target"] for one in at.clinic.ehr.subscriptions.values() if one["deleted_date"] is None]


@pytest.mark.asyncio(loop_scope="module")
async def test_deliveries_that_are_not_taken(at: Installation) -> None:
    """Elation's own list of what it sent says so."""
    FrontDesk(at.clinic).elation_patient(at.clinic.offices[1])
    await at.clinic.ehr.webhooks.quiet(timeout=30)
    events = [one for one in at.clinic.ehr.state.tables["published_events"].values() if one["status_code"] == 200]
    assert events
    for one in events:
        one["status_code"] = 502
    assert "502" in (await at.found("deliveries")).text
    for one in events:
        one["status_code"] = 200
    await at.gone("deliveries")


# -- practices ------------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio(loop_scope="module")
async def test_places_without_a_counterpart(at: Installation) -> None:
    """The line that is advised is put into the file and read again; what only a person knows is filled in."""
    finding = next(one for one in await at.findings() if one.code == "unmapped" and one.practice == "oak")
    office = at.clinic.offices[1]
    assert finding.key == f"practice.maps.locations.{office.annex}"
    assert f"location {office.annex} has no counterpart" in finding.text
    assert "add the location in Kareo first" in finding.repair
    line = finding.repair.partition(" in [practice.maps]")[0].replace(" ID", f" {office.place[1]}")
    text = at.file.read_text()
    at.file.write_text(f"{text}\n[practice.maps]\n{line}\n")
    assert "oak" not in {one.practice for one in await at.findings() if one.code == "unmapped"}
    at.file.write_text(text)


@pytest.mark.asyncio(loop_scope="module")
async def test_something_that_waits_too_long(at: Installation) -> None:
    await at.execute(
        "INSERT INTO chartwire.waiting (practice, patient_key, slot, code, since) "
        "VALUES ('oak', 'K:1', 'link', 'chart-not-read', now() - interval '9 days')"
    )
    finding = await at.found("waits-long")
    assert (finding.severity, "9 days" in finding.text) == (Severity.WARNING, True)
    await at.follow(finding)
    await at.execute("DELETE FROM chartwire.waiting WHERE since < now() - interval '1 day'")
    await at.gone("waits-long")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_system_that_was_silent_and_a_pass_that_fails(at: Installation) -> None:
    at.clinic.billing.faults.add("*", "cut_before", times=1_000_000)

    async def silent_for_an_hour() -> bool:
        """A pass that was under way may end after the first try."""
        aged = "UPDATE chartwire.checkpoint SET updated_at = now() - interval '1 hour' WHERE source LIKE 'kareo%'"
        await at.execute(aged)
        return "silent" in {one.code for one in await at.findings()}

    await until(silent_for_an_hour, 60.0)
    silent = await at.found("silent")
    await at.found("pass-failing")
    at.clinic.billing.faults.clear()
    await at.follow(silent)
    await at.gone("silent")
    await at.gone("pass-failing")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_practice_that_nobody_has(at: Installation) -> None:
    at.worker.stop()
    await until(lambda: not at.worker.practices, 60.0)
    await at.execute("UPDATE chartwire.report SET reported_at = now() - interval '1 hour'")
    finding = await at.found("no-owner")
    assert (finding.repair, "60 min" in finding.text) == ("systemctl start chartwire", True)
    await at.restart()
    await at.gone("no-owner")


@pytest.mark.asyncio(loop_scope="module")
async def test_kafka_is_lost_and_recovery_is_begun_by_hand(at: Installation) -> None:
    """The worker that has the practice is fenced, takes it again, looks first, and says so until both systems were read."""
    (servers,) = re.findall('bootstrap_servers = "(.*)"', at.file.read_text())
    async with EmbeddedBroker() as empty:
        at.edit(servers, empty.bootstrap_servers)
        try:
            finding = await at.found("unwitnessed")
            assert "Kafka was lost or made anew" in finding.text
            await at.follow(finding)
        finally:
            at.edit(empty.bootstrap_servers, servers)
    await at.gone("unwitnessed")
    restarted = await at.found("history-restarted")
    assert restarted.practice == finding.practice

    async def over() -> bool:
        found = {one.code for one in await at.findings()}
        return "history-restarted" not in found and "no-owner" not in found

    await until(over, 240.0)


REFUSALS = {
    value for value in vars(postgres_refusal).values() if isinstance(value, str) and re.fullmatch("postgres-[a-z-]+", value)
}
PROVOKED = REFUSALS | {
    code
    for module in (
        doctor,
        doctor_postgres,
        doctor_kafka,
        doctor_network,
        doctor_notify,
        doctor_practices,
        doctor_witness,
        of_elation,
        of_kareo,
    )
    for code in re.findall(r'(?:error|warning|note|make)\(\s*"([a-z-]+)"', Path(str(module.__file__)).read_text())
}
ELSEWHERE = {
    "notify-mail": "tests/integration/test_doctor_notify.py",
    "notify-webhook": "tests/integration/test_doctor_notify.py",
    "notify-nobody": "tests/integration/test_doctor_notify.py",
    "postgres-tls": "tests/unit/test_postgres_refusal.py",
    "postgres-pooler": "tests/unit/test_doctor_parts.py",
    "topic-missing": "tests/kafka/test_operator_doctor_topics.py",
    "topic-replicas-away": "tests/unit/test_doctor_parts.py",
    "kafka-session": "tests/unit/test_doctor_parts.py",
    "certificate": "tests/unit/test_doctor_parts.py",
    "stands-still": "tests/unit/test_doctor_parts.py",
}


def test_every_code_is_provoked_here_or_named() -> None:
    """A code is looked for as tests name it: in quotes, as an argument or in a set."""
    here, folder = Path(__file__), Path(__file__).parents[2]
    tests = here.read_text().partition("\nELSEWHERE = ")[0] + (folder / "tests/unit/test_cli_doctor.py").read_text()
    tests += here.with_name("test_operator_doctor_servers.py").read_text()
    assert {code for code in PROVOKED if f'"{code}"' not in tests} == ELSEWHERE.keys()
    assert [code for code, file in ELSEWHERE.items() if f'"{code}"' not in (folder / file).read_text()] == []
