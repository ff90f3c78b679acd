"""Every finding of the doctor about servers, keys and rights is provoked on real servers and the sandboxes, and gone after what it advises was done."""

from __future__ import annotations

import argparse
import asyncio
import base64
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from daemon.cli.check import reach_own
from daemon.cli.migrate import migrate
from daemon.config import load
from daemon.findings import Severity
from daemon.operator import doctor_postgres
from daemon.operator.doctor_postgres import look_at_postgres
from daemon.runtime.supervision import failed_again
from daemon.runtime.surroundings import surroundings
from daemon.runtime.taking import take_over
from daemon.sandbox.clinic import write_private
from daemon.vendors.sections import SECTIONS
from events.formats import FORMAT, OlderVersion
from events.ids import PracticeId
from tests.acceptance.installation import Installation
from tests.conftest import until
from tests.faults.proxy import Proxy

pytest_plugins = ("tests.acceptance.installation",)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_installation_at_work_has_nothing_but_what_the_sandboxes_lack(at: Installation) -> None:
    """The clinic's annex is in Elation alone, and the embedded PostgreSQL has no time-out for idle transactions."""

    async def calm() -> bool:
        bad = {one.code for one in await at.findings() if one.severity is not Severity.NOTE}
        return bad == {"postgres-idle", "unmapped"}

    await until(calm, 60.0)
    assert {one.code for one in await at.findings()} == {"postgres-idle", "unmapped", "not-finished"}


# -- PostgreSQL -----------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio(loop_scope="module")
async def test_no_limit_for_idle_transactions(at: Installation) -> None:
    finding = await at.found("postgres-idle")
    await at.follow(finding)
    await at.gone("postgres-idle")


@pytest.mark.parametrize(
    "right", ["INSERT ON chartwire.checkpoint", "SELECT ON chartwire.event", "UPDATE ON chartwire.practice_head"]
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_right_that_is_missing(at: Installation, right: str) -> None:
    await at.execute(f"REVOKE {right} FROM chartwire_daemon")
    finding = await at.found("postgres-right")
    assert finding.repair == f"GRANT {right} TO chartwire_daemon"
    await at.follow(finding)
    await at.gone("postgres-right")


@pytest.mark.asyncio(loop_scope="module")
async def test_events_that_may_be_changed(at: Installation) -> None:
    await at.execute("GRANT UPDATE ON chartwire.event TO chartwire_daemon")
    await at.follow(await at.found("postgres-event"))
    await at.gone("postgres-event")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_role_without_rights(at: Installation) -> None:
    await at.execute("REVOKE chartwire_daemon FROM chartwire")
    await at.follow(await at.found("postgres-role"))
    await at.gone("postgres-role")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_superuser(at: Installation) -> None:
    dsn = load(at.file, SECTIONS).postgres.dsn
    at.edit(f'dsn = "{dsn}"', f'dsn = "{at.owner}"')
    text = at.file.read_text()
    try:
        finding = await at.found("postgres-superuser")
        assert "postgres.dsn with that role" in finding.repair
    finally:
        at.file.write_text(text.replace(f'\ndsn = "{at.owner}"', f'\ndsn = "{dsn}"', 1))
    await at.gone("postgres-superuser")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_migration_that_is_not_applied_and_one_of_a_newer_version(at: Installation) -> None:
    last, text = doctor_postgres.migrations()[-1]
    await at.execute(f"UPDATE chartwire.schema_migration SET name = '9999_of_tomorrow.sql' WHERE name = '{last}'")
    assert last in (await at.found("schema-old")).text
    await at.execute(f"INSERT INTO chartwire.schema_migration (name) VALUES ('{last}')")
    assert (await at.found("schema-new")).severity is Severity.WARNING
    await at.execute("DELETE FROM chartwire.schema_migration WHERE name = '9999_of_tomorrow.sql'")
    await at.gone("schema-new")
    assert text


@pytest.mark.asyncio(loop_scope="module")
async def test_a_database_that_a_newer_version_has_finished(at: Installation) -> None:
    """The worker refuses with the sentence that the doctor says; one at work that loses a practice cannot take it again, and says it."""
    await at.execute(f"INSERT INTO chartwire.least_format (format) VALUES ({FORMAT + 1})")
    try:
        finding = await at.found("version-old")
        command = [sys.executable, "-m", "daemon", "run", "--config", str(at.file)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, f"postgres.dsn: {pasteable(finding.text, at.file)}  ({at.file}:3)\n")
        async with surroundings(load(at.file, SECTIONS), at.file.parent) as around:
            with pytest.raises(OlderVersion) as refused:
                await take_over(around, PracticeId("oak"), "late:9")
        assert failed_again(None, refused.value, datetime.now(UTC), 0.0).reason == finding.text
    finally:
        await at.execute("DELETE FROM chartwire.least_format")
    await at.gone("version-old")


def pasteable(text: str, file: Path) -> str:
    return text.replace("`chartwire migrate --finish`", f"`chartwire migrate --finish --config {file}`")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_database_without_a_schema_is_migrated_as_advised(at: Installation) -> None:
    await at.execute("CREATE DATABASE bare")
    text = at.file.read_text()
    at.file.write_text(re.sub(r"/chartwire\"$", '/bare"', text, flags=re.MULTILINE))
    try:
        await at.follow(await at.found("schema-missing"))
        await at.gone("schema-missing")
    finally:
        at.file.write_text(text)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_server_that_is_away(at: Installation) -> None:
    text = at.file.read_text()
    at.file.write_text(re.sub(rf":{at.port}/", ":1/", text))
    assert (await at.found("postgres-away")).severity is Severity.ERROR
    at.file.write_text(text)
    await at.gone("postgres-away")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_role_that_is_not_let_in_is_not_a_server_that_is_away(at: Installation) -> None:
    at.edit("//chartwire@", "//stranger@")
    try:
        finding = await at.found("postgres-login")
        assert 'role "stranger" does not exist' in finding.text
        assert "systemctl start" not in finding.repair
        created = re.search(r"CREATE ROLE [^;]+", finding.repair)
        assert created is not None
        await at.execute(created[0])
        await at.gone("postgres-login")
    finally:
        at.edit("//stranger@", "//chartwire@")
        await at.execute("DROP ROLE IF EXISTS stranger")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_database_that_is_not_there(at: Installation) -> None:
    text = at.file.read_text()
    at.file.write_text(re.sub(r"(dsn = .*)/chartwire\"$", r'\1/elsewhere"', text, flags=re.MULTILINE))
    try:
        finding = await at.found("postgres-database")
        await at.execute(finding.repair.partition(" (")[0])
        await at.gone("postgres-database")
        assert (await at.found("schema-missing")).repair == "`chartwire migrate`"
    finally:
        at.file.write_text(text)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_address_that_cannot_be_used(at: Installation) -> None:
    dsn = load(at.file, SECTIONS).postgres.dsn
    at.edit(f'\ndsn = "{dsn}"', f'\ndsn = "{dsn}?sslmode=full"')
    try:
        finding = await at.found("postgres-refused")
        assert (finding.key, finding.repair) == ("postgres.dsn", "correct postgres.dsn")
    finally:
        at.edit(f"{dsn}?sslmode=full", dsn)
    await at.gone("postgres-refused")


@pytest.mark.asyncio(loop_scope="module")
async def test_connections_that_are_all_taken(at: Installation) -> None:
    await at.execute("ALTER ROLE chartwire CONNECTION LIMIT 0")
    try:
        finding = await at.found("postgres-connections")
        assert "too many connections for role" in finding.text
        query = re.search(r"SELECT [^;]+", finding.repair)
        assert query is not None
        await at.execute(query[0])
    finally:
        await at.execute("ALTER ROLE chartwire CONNECTION LIMIT -1")
    await at.gone("postgres-connections")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_database_that_takes_no_writes(at: Installation) -> None:
    """Everything else is looked at all the same, and a start is refused with the same sentence."""
    await at.execute("ALTER ROLE chartwire SET default_transaction_read_only = on")
    finding = await at.found("postgres-read-only")
    ((key, said),) = await reach_own(load(at.file, SECTIONS), at.file.parent)
    assert (key, "takes no writes" in said) == ("postgres.dsn", True)
    await at.follow(finding)
    await at.gone("postgres-read-only")
    assert await reach_own(load(at.file, SECTIONS), at.file.parent) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_something_stands_between(at: Installation) -> None:
    proxy = Proxy(at.port)
    await proxy.start()
    text = at.file.read_text()
    at.file.write_text(re.sub(rf":{at.port}/", f":{proxy.port}/", text))
    try:
        finding = await at.found("postgres-between")
        assert finding.repair.startswith(f"port {at.port} in postgres.dsn")
    finally:
        at.file.write_text(text)
        await proxy.stop()
    await at.gone("postgres-between")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_server_that_is_too_old(at: Installation) -> None:
    """The server here is new enough: what it says of its version is changed on the way, until it is upgraded."""
    version = str(await at.value("SELECT current_setting('server_version_num')"))
    proxy = Proxy(at.port)
    proxy.instead = {version.encode(): b"140020"}
    await proxy.start()
    text = at.file.read_text()
    at.file.write_text(re.sub(rf":{at.port}/", f":{proxy.port}/", text))
    try:
        finding = await at.found("postgres-old")
        assert (finding.severity, finding.text.partition(":")[0]) == (Severity.ERROR, "PostgreSQL 14 is too old")
        assert "pg_upgradecluster 14 main" in finding.repair
        ((key, said),) = await reach_own(load(at.file, SECTIONS), at.file.parent)
        assert (key, said) == ("postgres.dsn", f"{finding.text}; {finding.repair}"), "a start is refused, too"
        assert await asyncio.to_thread(migrate, argparse.Namespace(config=at.file, finish=False)) == 1, "nor is it migrated"
        proxy.instead.clear()
        await at.gone("postgres-old")
        assert await reach_own(load(at.file, SECTIONS), at.file.parent) == []
    finally:
        at.file.write_text(text)
        await proxy.stop()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_pool_that_is_too_large(at: Installation) -> None:
    at.edit("[postgres]\n", "[postgres]\npool = 150\n")
    finding = await at.found("postgres-pool")
    at.edit("pool = 150", finding.repair.removesuffix(" in [postgres]"))
    await at.gone("postgres-pool")
    at.edit(f"{finding.repair.removesuffix(' in [postgres]')}\n", "")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_disk_that_is_full(at: Installation) -> None:
    """What counts as full is moved instead of the disk; the role may only ask where it has the right."""
    config = load(at.file, SECTIONS)
    assert "postgres-disk" not in {one.code for one in await look_at_postgres(config, least_free=2.0)}
    await at.execute("GRANT pg_read_all_settings TO chartwire")
    assert "postgres-disk" in {one.code for one in await look_at_postgres(config, least_free=2.0)}
    assert "postgres-disk" not in {one.code for one in await look_at_postgres(config, least_free=0.0)}
    await at.execute("REVOKE pg_read_all_settings FROM chartwire")


@pytest.mark.asyncio(loop_scope="module")
async def test_the_clock(at: Installation) -> None:
    at.ahead = timedelta(minutes=3)
    found = {one.code: one for one in await at.findings()}
    at.ahead = timedelta()
    assert re.search(r"1(79|80) s apart", found["postgres-clock"].text)
    assert re.search(r"1(79|80|81) s ahead of (Elation|Kareo)", found["vendor-clock"].text)
    assert "timedatectl set-ntp true" in found["vendor-clock"].repair
    assert not {"postgres-clock", "vendor-clock"} & {one.code for one in await at.findings()}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_head_that_names_another_event(at: Installation) -> None:
    connection = await asyncpg.connect(at.owner)
    chain = await connection.fetchval("SELECT chain FROM chartwire.practice_head WHERE practice = 'oak'")
    await connection.execute("UPDATE chartwire.practice_head SET chain = '\\x00' WHERE practice = 'oak'")
    finding = await at.found("chain-head")
    assert (finding.practice, finding.repair.startswith("`chartwire audit verify oak`")) == ("oak", True)
    await connection.execute("UPDATE chartwire.practice_head SET chain = $1 WHERE practice = 'oak'", chain)
    await connection.close()
    await at.gone("chain-head")


# -- keys -----------------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio(loop_scope="module")
async def test_a_key_that_is_not_there(at: Installation) -> None:
    key = at.file.parent / "keys" / "oak.1.key"
    kept = key.read_text()
    key.unlink()
    finding = await at.found("key-lost")
    assert finding.practice == "oak"
    assert "new-key" not in finding.repair, "a new key opens nothing that is stored"
    ((_, said),) = await reach_own(load(at.file, SECTIONS), at.file.parent)
    assert "put its key files back from their backup" in said
    write_private(key, base64.b64encode(bytes(32)).decode())
    wrong = await at.found("key-wrong")
    assert (wrong.practice, "from their backup" in wrong.repair) == ("oak", True)
    write_private(key, kept)
    await at.gone("key-lost")
    await at.gone("key-wrong")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_key_of_a_practice_that_is_new(at: Installation) -> None:
    text = at.file.read_text()
    at.file.write_text(text.replace('id = "oak"', 'id = "ash"'))
    try:
        finding = await at.found("key-missing")
        assert finding.practice == "ash"
        await at.follow(finding)
        await at.gone("key-missing")
    finally:
        at.file.write_text(text)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_key_that_is_none(at: Installation) -> None:
    key = at.file.parent / "keys" / "oak.1.key"
    kept = key.read_text()
    write_private(key, "short")
    assert (await at.found("keys-unreadable")).severity is Severity.ERROR
    write_private(key, kept)
    await at.gone("keys-unreadable")


@pytest.mark.asyncio(loop_scope="module")
async def test_keys_that_are_not_in_use_yet(at: Installation) -> None:
    assert (await at.found("not-finished")).severity is Severity.NOTE


# -- Kafka ----------------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio(loop_scope="module")
async def test_a_broker_that_is_away(at: Installation) -> None:
    servers_ = load(at.file, SECTIONS).kafka.bootstrap_servers
    at.edit(servers_, "127.0.0.1:9")
    assert (await at.found("kafka-away")).key == "kafka.bootstrap_servers"
    at.edit("127.0.0.1:9", servers_)
    await at.gone("kafka-away")


@pytest.mark.asyncio(loop_scope="module")
async def test_brokers_that_are_too_old(at: Installation) -> None:
    """What the broker says of Fetch (17 is the newest it takes) is changed on the way, until it is upgraded; each broker leads to the proxy."""
    servers_ = load(at.file, SECTIONS).kafka.bootstrap_servers
    host, port = servers_.split(":")
    proxy = Proxy(int(port))
    place, fetch = host.encode(), b"\x00\x01\x00\x00\x00\x11"
    proxy.instead = {place + int(port).to_bytes(4): place + proxy.port.to_bytes(4), fetch: fetch[:-1] + b"\x0f"}
    await proxy.start()
    at.edit(servers_, f"{host}:{proxy.port}")
    try:
        finding = await at.found("kafka-old")
        assert (finding.severity, "older than Apache Kafka 3.7" in finding.text) == (Severity.ERROR, True)
        del proxy.instead[fetch]
        await at.gone("kafka-old")
    finally:
        at.edit(f"{host}:{proxy.port}", servers_)
        await proxy.stop()


@pytest.mark.asyncio(loop_scope="module")
async def test_another_number_of_partitions_and_of_replicas(at: Installation) -> None:
    for code, old, new in (
        ("topic-partitions", "partitions = 4", "partitions = 12"),
        ("topic-replication", "idempotent = false", "idempotent = false\nreplication = 3"),
    ):
        text = at.file.read_text()
        at.edit(old, new)
        finding = await at.found(code)
        line = re.search(r"(\w+ = \d+) in \[kafka\]", finding.repair)
        assert line is not None
        name = line[1].partition(" ")[0]
        at.file.write_text(re.sub(rf"^{name} = \d+$", line[1], at.file.read_text(), flags=re.MULTILINE))
        await at.gone(code)
        at.file.write_text(text)
