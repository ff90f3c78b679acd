"""Findings of the doctor that no installation of a test can be brought to: from the servers' answers as they are documented."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from daemon.config import Config, load
from daemon.demo.embedded import free_port
from daemon.findings import Severity
from daemon.operator.doctor_kafka import _sessions, _topics, _versions
from daemon.operator.doctor_network import AT_ONCE, PATIENCE, look_at_certificates
from daemon.operator.doctor_postgres import _server, granted, migrations
from daemon.operator.doctor_practices import _owner, _restarted
from daemon.sandbox.clinic import Clinic
from daemon.tables.status import PracticeStatus, Report
from daemon.vendors.kareo.limiter import IntervalLimiter
from daemon.vendors.kareo.opening import EXAMINED_TRIES
from daemon.vendors.sections import SECTIONS
from events.heads import SETTINGS
from events.ids import PracticeId
from events.topics import CHANGES, EVENTS
from events.witnessed import HEADS
from projections.state.directory import Directory
from projections.state.restart import Restarted

NOW = datetime.now(UTC)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    clinic = Clinic(offices=1)
    asyncio.run(_started(clinic))
    file = clinic.write_config(
        tmp_path, dsn="postgresql://localhost:6000/x", bootstrap_servers="127.0.0.1:1", listen="127.0.0.1:1"
    )
    return load(file, SECTIONS)


async def _started(clinic: Clinic) -> None:
    await clinic.start()
    await clinic.stop()


class Pooled:
    """PgBouncer in transaction mode: each statement may come to another backend."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.pid = 0

    async def fetchval(self, query: str) -> Any:
        if "pg_backend_pid" in query:
            self.pid += 1
            return self.pid
        answers = {
            "server_version_num": str(self.version),
            "rolsuper": False,
            "current_user": "chartwire",
            "idle_in_transaction": 10_000,
            "inet_server_port": 5432,
            "max_connections": "100",
        }
        return next(answer for name, answer in answers.items() if name in query)


def test_a_pooler_in_transaction_mode_and_an_old_server(config: Config) -> None:
    found = {one.code: one for one in asyncio.run(_server(Pooled(140_009), config))}
    assert set(found) == {"postgres-old", "postgres-pooler"}
    assert "PostgreSQL 14" in found["postgres-old"].text
    assert "pool_mode = session" in found["postgres-pooler"].repair


@pytest.mark.parametrize(("version", "old"), [(149_999, True), (150_000, False)])
def test_the_oldest_server_that_is_taken_is_15(config: Config, version: int, old: bool) -> None:
    assert ("postgres-old" in {one.code for one in asyncio.run(_server(Pooled(version), config))}) is old


def test_the_doctors_patience_does_for_practices_of_one_key_that_is_throttled_at_each_try() -> None:
    """They are examined at once and call one after the other, each with as much of a pause as a throttled call asks for."""
    pause = 2 * IntervalLimiter().interval("GetPractices")
    assert AT_ONCE * EXAMINED_TRIES * pause < PATIENCE


def test_the_rights_are_those_of_the_migrations() -> None:
    rights = granted()
    assert rights["chartwire.event"] == {"SELECT", "INSERT"}
    tables = {line.split()[2] for _, text in migrations() for line in text.splitlines() if line.startswith("CREATE TABLE")}
    own = {one for one in tables if one.startswith("chartwire.")}
    assert rights.keys() - own == {"chartwire.schema_migration"}
    assert own - rights.keys() == set(), "each table is granted"


def partition(number: int, replicas: int = 3, behind: int = 0) -> dict[str, Any]:
    return {"partition": number, "replicas": list(range(replicas)), "isr": list(range(replicas - behind))}


def test_topics_that_are_missing_or_whose_replicas_are_away(config: Config) -> None:
    kafka = msgspec.structs.replace(config.kafka, partitions=2, replication=3)
    asked = msgspec.structs.replace(config, kafka=kafka)
    healthy = {name: [partition(0), partition(1)] for name in (CHANGES, EVENTS, HEADS)}
    assert _topics(asked, healthy) == []
    (missing,) = _topics(asked, {name: healthy[name] for name in (CHANGES, HEADS)})
    assert (missing.code, missing.key) == ("topic-missing", EVENTS)
    assert missing.repair.endswith(f"--create --topic {EVENTS} --partitions 2 --replication-factor 3")
    (headless,) = _topics(asked, {name: healthy[name] for name in (CHANGES, EVENTS)})
    assert f"--topic {HEADS} --partitions 1 --replication-factor 3 --config cleanup.policy=compact" in headless.repair
    assert {
        name: value for name, _, value in (one.partition("=") for one in headless.repair.split(" --config ")[1:])
    } == SETTINGS
    (away,) = _topics(asked, healthy | {CHANGES: [partition(0), partition(1, behind=1)]})
    assert away.code == "topic-replicas-away"
    (thin,) = _topics(asked, healthy | {EVENTS: [partition(0, replicas=1), partition(1)]})
    assert thin.code == "topic-replication"
    assert (
        _topics(
            msgspec.structs.replace(asked, kafka=msgspec.structs.replace(kafka, feed=False)),
            {name: healthy[name] for name in (CHANGES, HEADS)},
        )
        == []
    )


def test_the_oldest_broker_that_is_taken_is_of_3_7(config: Config) -> None:
    assert _versions(config, {1: 16, 2: 17}) == []
    (finding,) = _versions(config, {1: 16, 2: 15, 3: 11})
    assert (finding.code, finding.text) == ("kafka-old", "broker 2, 3 is older than Apache Kafka 3.7")


@pytest.mark.parametrize(("low", "high", "line"), [("10000", "1800000", "10"), ("1000", "5000", "5")])
def test_a_session_that_the_brokers_do_not_take(config: Config, low: str, high: str, line: str) -> None:
    settings = {"group.min.session.timeout.ms": low, "group.max.session.timeout.ms": high}
    (finding,) = _sessions(config, settings)
    assert (finding.code, finding.repair) == ("kafka-session", f"session_timeout_seconds = {line} in [kafka]")
    repaired = msgspec.structs.replace(config.kafka, session_timeout_seconds=float(line))
    assert _sessions(msgspec.structs.replace(config, kafka=repaired), settings) == []
    assert _sessions(config, {}) == [], "a broker that does not tell"


def test_a_practice_that_stands_still() -> None:
    status = PracticeStatus(practice="elm", report=Report(standing="KeyMissing since 10:00"), report_age=3.0)
    (finding,) = _owner(PracticeId("elm"), status, {})
    assert (finding.code, finding.severity) == ("stands-still", Severity.ERROR)
    assert _owner(PracticeId("elm"), msgspec.structs.replace(status, report=Report()), {}) == []


def test_a_restored_database_is_a_finding_until_the_lost_time_is_settled() -> None:
    lasts = Directory(restarted=Restarted(kept=7, at=NOW))
    (finding,) = _restarted(PracticeId("elm"), lasts)
    assert (finding.code, finding.severity) == ("history-restarted", Severity.WARNING)
    assert "history restarts after #7" in finding.text
    assert "`chartwire audit verify elm`" in finding.repair
    assert _restarted(PracticeId("elm"), Directory(restarted=Restarted(kept=7, at=NOW, over=NOW))) == []
    assert _restarted(PracticeId("elm"), Directory()) == []


# -- certificates ---------------------------------------------------------------------------------------------------------


def certificate(folder: Path, days: int) -> ssl.SSLContext:
    """A server's context with a certificate of its own that ends in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(NOW - timedelta(days=100))
    signed = made.not_valid_after(NOW + timedelta(days=days, hours=1)).sign(key, hashes.SHA256())
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    (folder / "certificate.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize(("days", "severity"), [(-2, Severity.ERROR), (5, Severity.WARNING), (90, None)])
def test_a_certificate_that_ends(config: Config, tmp_path: Path, days: int, severity: Severity | None) -> None:
    port = free_port()
    http = msgspec.structs.replace(config.http, public_url=f"https://localhost:{port}")

    async def asked() -> list[Any]:
        async def served(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(served, "127.0.0.1", port, ssl=certificate(tmp_path, days))
        async with server:
            return await look_at_certificates(msgspec.structs.replace(config, http=http), NOW)

    found = asyncio.run(asked())
    assert [(one.code, one.severity) for one in found] == ([] if severity is None else [("certificate", severity)])
    assert all("certbot renew" in one.repair for one in found)


def test_every_finding_is_explained() -> None:
    from tests.acceptance.test_operator_doctor import PROVOKED

    page = (Path(__file__).parents[2] / "deploy" / "DOCTOR.md").read_text()
    assert {code for code in PROVOKED if f"`{code}`" not in page} == set()
