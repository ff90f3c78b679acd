"""Why PostgreSQL does not do what it is asked: which kind of trouble, a sentence for people, and what repairs it.

Of its own messages only those are repeated that name roles, hosts and databases: on who is let in (SQLSTATE 28, 53300).
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import asyncpg

from daemon.sections import LOCAL

AWAY, LOGIN, DATABASE, CONNECTIONS = "postgres-away", "postgres-login", "postgres-database", "postgres-connections"
READ_ONLY, DISK, TLS, REFUSED = "postgres-read-only", "postgres-disk", "postgres-tls", "postgres-refused"
OLD = "postgres-old"

OLDEST = 150_000
"""PostgreSQL 15."""

NO_WAY_IN = frozenset({AWAY, LOGIN, DATABASE, CONNECTIONS, TLS, REFUSED})
"""With these nothing can be asked at all."""

OWNER = "chartwire_owner"
"""Who owns the database where `migrate_dsn` names nobody (deploy/README.md)."""


@dataclass(frozen=True)
class Refusal:
    """`code` is the finding's; `text` says it with the place, `repair` is a line or a command, and `passes` whether it may pass by itself."""

    code: str
    text: str
    repair: str
    passes: bool = False


def place_of(dsn: str) -> tuple[str, str]:
    """Where an address of PostgreSQL leads, and as whom."""
    parts = urlsplit(dsn)
    asked = parse_qs(parts.query)
    name = parts.path.lstrip("/") or asked.get("dbname", [""])[0]
    role = parts.username or asked.get("user", [""])[0]
    try:
        host = parts.hostname or asked.get("host", ["localhost"])[0]
        where = f"{host}:{parts.port or asked.get('port', ['5432'])[0]}"
    except ValueError:  # several hosts, each with its port
        where = parts.netloc.rpartition("@")[2]
    return f"PostgreSQL at {where}{f', database {name}' if name else ''}", f"role {role}" if role else "the role"


def too_old(version: int) -> Refusal | None:
    """What is said of a server of this number (140020 is 14.20); None where it is new enough."""
    if version >= OLDEST:
        return None
    number = version // 10_000
    repair = f"apt-get install postgresql, then pg_upgradecluster {number} main, as root on the server"
    return Refusal(OLD, f"PostgreSQL {number} is too old: {OLDEST // 10_000} or newer is needed", repair)


def refusal_of(error: BaseException, dsn: str, key: str = "postgres.dsn", *, owner: str = "") -> Refusal | None:
    """What an error of asyncpg or of the way to PostgreSQL means; None for an answer to a query that is none of this.

    `key` is where the configuration names the address, `owner` the role that owns the database.
    """
    place, role = place_of(dsn)
    state = str(getattr(error, "sqlstate", None) or "")
    if state.startswith("28"):
        return _login(error, place, role, key)
    if state == "3D000":
        name = urlsplit(dsn).path.lstrip("/") or "chartwire"
        repair = f"CREATE DATABASE {name} OWNER {owner or OWNER} (as its superuser: sudo -u postgres psql), then `chartwire migrate`"
        return Refusal(DATABASE, f"{place}: there is no such database", repair)
    if (found := _BY_STATE.get(state)) is not None:
        code, said, repair = found
        message = getattr(error, "message", None)
        said += f" ({message})" if code == CONNECTIONS and message else ""
        return Refusal(code, f"{place}: {said}", repair, passes=True)
    if isinstance(error, asyncpg.PostgresError) and not isinstance(error, asyncpg.PostgresConnectionError):
        return None
    return _of_the_way(error, dsn, place, key)


def _login(error: BaseException, place: str, role: str, key: str) -> Refusal:
    said = getattr(error, "message", None) or str(error) or type(error).__name__
    name = role.removeprefix("role ")
    group = "chartwire_console" if key.startswith("console") else "chartwire_daemon"
    repair = (
        f"the right password in {key}, or ALTER ROLE {name} PASSWORD '...' as the superuser"
        if isinstance(error, asyncpg.InvalidPasswordError)
        else f"correct the role in {key}, or have it let in: CREATE ROLE {name} LOGIN IN ROLE {group}; a line in pg_hba.conf, "
        "then SELECT pg_reload_conf()"
    )
    return Refusal(LOGIN, f"{place}: {role} is not let in ({said})", repair)


_STARTING = "it is starting, stopping or recovering"
_WAIT = "nothing for a minute; then journalctl -u postgresql says what it waits for"
_BY_STATE = {
    "53300": (
        CONNECTIONS,
        "all of its connections are taken",
        "as the superuser: SELECT usename, count(*) FROM pg_stat_activity GROUP BY 1; says by whom. A smaller pool in [postgres], or a "
        "larger max_connections in postgresql.conf and systemctl restart postgresql",
    ),
    "53100": (
        DISK,
        "its disk is full",
        "make room there (df -h; old logs first, never pg_wal), it goes on by itself",
    ),
    "25006": (
        READ_ONLY,
        "it takes no writes",
        "the primary's address instead of a standby's, or ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf()",
    ),
    "57P01": (AWAY, _STARTING, _WAIT),
    "57P02": (AWAY, _STARTING, _WAIT),
    "57P03": (AWAY, _STARTING, _WAIT),
}


def _of_the_way(error: BaseException, dsn: str, place: str, key: str) -> Refusal | None:
    host = urlsplit(dsn).hostname or ""
    name = type(error).__name__
    if isinstance(error, ssl.SSLError):
        why = getattr(error, "verify_message", "") or error.reason or name
        repair = f"sslrootcert=FILE in {key} that names who signed its certificate, and the host as the certificate has it"
        return Refusal(TLS, f"{place}: TLS with it fails ({why})", repair)
    if isinstance(error, ConnectionError) and "SSL upgrade" in str(error):
        return Refusal(TLS, f"{place} speaks no TLS", "ssl = on in its postgresql.conf, then systemctl restart postgresql")
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
        return Refusal(REFUSED, f"{place}: the address cannot be used ({name})", f"correct {key}")
    if isinstance(error, socket.gaierror):
        return Refusal(
            AWAY,
            f"{place} cannot be reached ({name}): nobody knows the host {host}",
            f"correct the host in {key}, or the DNS",
            passes=True,
        )
    if isinstance(error, TimeoutError):
        repair = f"a firewall between, or another host or port in {key}; systemctl status postgresql there"
        return Refusal(AWAY, f"{place} cannot be reached ({name}): it does not answer", repair, passes=True)
    if isinstance(error, OSError | asyncpg.PostgresConnectionError | asyncpg.InterfaceError | asyncpg.InternalClientError):
        there = "" if host in LOCAL or host.startswith("127.") else f" on {host}"
        return Refusal(
            AWAY, f"{place} cannot be reached ({name})", f"systemctl start postgresql{there}, or correct {key}", passes=True
        )
    return None
