"""What the doctor looks at in PostgreSQL. It asks as the daemon's own role, and changes nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from daemon.config import Config
from daemon.findings import Finding, error, note, warning
from daemon.operator.postgres_refusal import READ_ONLY, REFUSED, place_of, refusal_of, too_old
from daemon.tables.queries import SQL
from events.formats import OlderVersion, demand_format

CLOCKS_APART = 5.0
"""Seconds. A poll comes every few minutes; NTP keeps machines within milliseconds."""

LEAST_FREE = 0.1
"""Of the disk that the data lie on."""

IDLE_MOST = 60
"""Seconds that a worker suspended in a transaction may hold a practice's row."""

ROLE = "chartwire_daemon"
_GRANTED = re.compile(rf"^(GRANT|REVOKE)\s+([A-Z, ]+?)\s+ON\s+([\w., \n]+?)\s+(?:TO|FROM)\s+{ROLE};", re.MULTILINE)


def migrations() -> list[tuple[str, str]]:
    """The migrations of this version in their order, each with its text."""
    found = [one for one in files("events").joinpath("migrations").iterdir() if one.name.endswith(".sql")]
    return [(one.name, one.read_text()) for one in sorted(found, key=lambda one: one.name)]


def granted() -> dict[str, set[str]]:
    """What the migrations grant to the daemon's role, by table."""
    rights: dict[str, set[str]] = {}
    for _, text in migrations():
        for verb, privileges, tables in _GRANTED.findall(text):
            for table in (one.strip() for one in tables.split(",")):
                if table.startswith("chartwire."):
                    given = {one.strip() for one in privileges.split(",")}
                    known = rights.setdefault(table, set())
                    rights[table] = known | given if verb == "GRANT" else known - given
    return rights


def _now() -> datetime:
    return datetime.now(UTC)


async def look_at_postgres(
    config: Config, now: Callable[[], datetime] = _now, *, least_free: float = LEAST_FREE
) -> list[Finding]:
    """Everything about the database; one finding where it cannot be reached."""
    try:
        connection = await asyncpg.connect(config.postgres.dsn, timeout=10, server_settings={"timezone": "UTC"})
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError, ValueError) as failure:
        return [refused(failure, config)]
    found: list[Finding] = []
    try:
        found += [*await _server(connection, config), *await _clock(connection, now)]
        found += [*await _writes(connection), *await _disk(connection, least_free)]
        found += (schema := await _schema(connection))
        return [*found, *await _rights(connection)] if not schema else found
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as failure:
        return [*found, refused(failure, config)]
    finally:
        await connection.close()


def refused(failure: BaseException, config: Config) -> Finding:
    """What PostgreSQL's refusal means."""
    owner = place_of(config.postgres.migrate_dsn)[1].partition("role ")[2]
    found = refusal_of(failure, config.postgres.dsn, owner=owner)
    if found is not None:
        return error(found.code, "postgres.dsn", found.text, found.repair)
    state = f"SQLSTATE {failure.sqlstate}" if isinstance(failure, asyncpg.PostgresError) else type(failure).__name__
    text = f"{place_of(config.postgres.dsn)[0]} refuses to be examined ({state})"
    return error(REFUSED, "postgres.dsn", text, "journalctl -u postgresql says what it refused and why")


async def _writes(connection: Any) -> list[Finding]:
    """Whether it takes any: nothing at all can be recorded otherwise."""
    standby, read_only, source = await connection.fetchrow(SQL["server_writes"])
    if standby:
        text = "this is a standby, which takes no writes: nothing can be recorded"
        repair = "the primary's address in postgres.dsn, or sudo -u postgres pg_ctlcluster VERSION CLUSTER promote where it is to be the primary"
        return [error(READ_ONLY, "postgres.dsn", text, repair)]
    if not read_only:
        return []
    role, name = _quoted(await connection.fetchval(SQL["own_role"])), await connection.fetchval(SQL["own_database"])
    repair = {
        "user": f"ALTER ROLE {role} RESET default_transaction_read_only",
        "database": f"ALTER DATABASE {_quoted(name)} RESET default_transaction_read_only",
        "database user": f"ALTER ROLE {role} IN DATABASE {_quoted(name)} RESET default_transaction_read_only",
    }.get(source, "ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf()")
    text = (
        f"PostgreSQL takes no writes of this role: default_transaction_read_only is on ({source}); nothing can be recorded"
    )
    return [error(READ_ONLY, "postgres.dsn", text, repair)]


async def _server(connection: Any, config: Config) -> list[Finding]:
    found = []
    old = too_old(int(await connection.fetchval(SQL["server_version"])))
    if old is not None:
        found.append(error(old.code, "postgres.dsn", old.text, old.repair))
    role = await connection.fetchval(SQL["own_role"])
    idle = await connection.fetchval(SQL["server_idle"])
    if not 0 < idle <= IDLE_MOST * 1000:
        text = "a worker that is suspended in a transaction holds its practice for ever: idle_in_transaction_session_timeout is off"
        line = f"ALTER ROLE {_quoted(role)} SET idle_in_transaction_session_timeout = '10s'"
        found.append(warning("postgres-idle", "postgres.dsn", text, line))
    if await connection.fetchval(SQL["is_superuser"]):
        text = f"the daemon connects as the superuser {role}, who may change events"
        line = f"CREATE ROLE chartwire LOGIN IN ROLE {ROLE}; and postgres.dsn with that role"
        found.append(warning("postgres-superuser", "postgres.dsn", text, line))
    pids = {await connection.fetchval(SQL["server_process"]) for _ in range(3)}
    if len(pids) > 1:
        text = "a pooler hands out another connection for each transaction: LISTEN and prepared statements do not work through it"
        found.append(
            error("postgres-pooler", "postgres.dsn", text, "pool_mode = session, or PostgreSQL's own port in postgres.dsn")
        )
    port, asked = await connection.fetchval(SQL["server_port"]), urlsplit(config.postgres.dsn).port
    if port is not None and asked is not None and port != asked and len(pids) == 1:
        text = f"something stands between: postgres.dsn leads to port {asked}, PostgreSQL listens on {port}"
        found.append(
            note(
                "postgres-between",
                "postgres.dsn",
                text,
                f"port {port} in postgres.dsn, unless a pooler is meant (session mode)",
            )
        )
    most = int(await connection.fetchval(SQL["server_connections"]))
    if config.postgres.pool > most // 2:
        text = f"one worker's pool of {config.postgres.pool} may take more than half of the server's {most} connections"
        found.append(warning("postgres-pool", "postgres.pool", text, f"pool = {max(1, most // 4)} in [postgres]"))
    return found


async def _clock(connection: Any, now: Callable[[], datetime]) -> list[Finding]:
    """Ours is read on both sides of the question, so that a slow way there is no difference."""
    before, theirs, after = now(), await connection.fetchval(SQL["server_time"]), now()
    apart = max((before - theirs).total_seconds(), (theirs - after).total_seconds(), 0.0)
    if apart <= CLOCKS_APART:
        return []
    text = f"PostgreSQL's clock and this machine's are {apart:.0f} s apart"
    return [error("postgres-clock", "postgres.dsn", text, "timedatectl set-ntp true, on both machines")]


async def _disk(connection: Any, least_free: float) -> list[Finding]:
    """Where PostgreSQL is on this machine and says where its data lie."""
    if not await connection.fetchval(SQL["server_tells_settings"]):
        return []
    folder = Path(await connection.fetchval(SQL["server_data"]))
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return []
    if usage.free / usage.total >= least_free:
        return []
    text = f"the disk of {folder} is full to {1 - usage.free / usage.total:.0%}"
    repair = f"df -h {folder}, then make room there (old logs first, never pg_wal), or move the data to a larger disk"
    return [error("postgres-disk", "postgres.dsn", text, repair)]


async def _schema(connection: Any) -> list[Finding]:
    if not await connection.fetchval(SQL["schema_is_there"]):
        text = "the database has no schema of chartwire"
        return [error("schema-missing", "postgres.dsn", text, "`chartwire migrate`")]
    role = await connection.fetchval(SQL["own_role"])
    if not await connection.fetchval(SQL["is_member"], ROLE):
        return [
            error(
                "postgres-role",
                "postgres.dsn",
                f"role {role} has no rights on chartwire's tables",
                f"GRANT {ROLE} TO {_quoted(role)}",
            )
        ]
    if not await connection.fetchval(SQL["has_right"], "chartwire.schema_migration", "SELECT"):
        return [
            error(
                "postgres-right",
                "chartwire.schema_migration",
                f"{ROLE} may not SELECT it",
                f"GRANT SELECT ON chartwire.schema_migration TO {ROLE}",
            )
        ]
    done = {row["name"] for row in await connection.fetch(SQL["migrations_done"])}
    known = [name for name, _ in migrations()]
    if late := [name for name in known if name not in done]:
        text = f"{len(late)} migrations of this version are not applied yet ({late[0]} first)"
        return [error("schema-old", "postgres.dsn", text, "`chartwire migrate`")]
    try:
        await demand_format(connection)
    except OlderVersion as older:
        return [error("version-old", "postgres.dsn", str(older), "pip install --upgrade chartwire")]
    if newer := sorted(done - set(known)):
        text = f"a newer chartwire has migrated this database ({newer[-1]}): this one is the older"
        return [warning("schema-new", "postgres.dsn", text, "pip install --upgrade chartwire")]
    return []


async def _rights(connection: Any) -> list[Finding]:
    found = []
    for table, wanted in sorted(granted().items()):
        lacking = [one for one in sorted(wanted) if not await connection.fetchval(SQL["has_right"], table, one)]
        if lacking:
            rights = ", ".join(lacking)
            found.append(
                error("postgres-right", table, f"{ROLE} may not {rights} it", f"GRANT {rights} ON {table} TO {ROLE}")
            )
    superuser = await connection.fetchval(SQL["is_superuser"])
    for right in ("UPDATE", "DELETE", "TRUNCATE") if not superuser else ():
        if await connection.fetchval(SQL["has_right"], "chartwire.event", right):
            role = await connection.fetchval(SQL["own_role"])
            text = f"role {role} may {right} events, which nobody should"
            found.append(
                error(
                    "postgres-event",
                    "chartwire.event",
                    text,
                    f"REVOKE {right} ON chartwire.event FROM {_quoted(role)}, {ROLE}",
                )
            )
    return found


def _quoted(role: str) -> str:
    return role if re.fullmatch(r"[a-z_][a-z0-9_]*", role) else '"' + role.replace('"', '""') + '"'
