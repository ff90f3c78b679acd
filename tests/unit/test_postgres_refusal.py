"""What PostgreSQL's refusals mean, each with what repairs it: none is a server that is away but one that is."""

from __future__ import annotations

import socket
import ssl

import asyncpg
import pytest

from daemon.operator.postgres_refusal import place_of, refusal_of

DSN = "postgresql://chartwire:secret@db.example:5433/clinic"


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "code", "said", "repair", "passes"),
    [
        (ConnectionRefusedError(), "postgres-away", "cannot be reached", "systemctl start postgresql on db.example", True),
        (TimeoutError(), "postgres-away", "does not answer", "firewall", True),
        (socket.gaierror(), "postgres-away", "nobody knows the host db.example", "correct the host in postgres.dsn", True),
        (asyncpg.CannotConnectNowError("starting up"), "postgres-away", "is starting", "nothing for a minute", True),
        (asyncpg.InvalidPasswordError("failed for user"), "postgres-login", "role chartwire is not let in", "ALTER ROLE", False),
        (
            asyncpg.InvalidAuthorizationSpecificationError("no pg_hba.conf entry"),
            "postgres-login", "no pg_hba.conf entry", "CREATE ROLE chartwire LOGIN IN ROLE chartwire_daemon", False,
        ),
        (asyncpg.InvalidCatalogNameError("none"), "postgres-database", "no such database", "CREATE DATABASE clinic OWNER o", False),
        (asyncpg.TooManyConnectionsError("too many"), "postgres-connections", "are taken", "max_connections", True),
        (asyncpg.ReadOnlySQLTransactionError(), "postgres-read-only", "takes no writes", "ALTER SYSTEM RESET", True),
        (asyncpg.DiskFullError(), "postgres-disk", "disk is full", "df -h", True),
        (untrusted(), "postgres-tls", "self-signed certificate", "sslrootcert=FILE", False),
        (ConnectionError("PostgreSQL server rejected SSL upgrade"), "postgres-tls", "speaks no TLS", "ssl = on", False),
    ],
)  # fmt: skip
def test_each_kind_says_what_it_is_and_what_repairs_it(
    error: Exception, code: str, said: str, repair: str, passes: bool
) -> None:
    found = refusal_of(error, DSN, owner="owner")
    assert found is not None
    assert (found.code, found.passes) == (code, passes)
    assert said in found.text
    assert "PostgreSQL at db.example:5433, database clinic" in found.text
    assert repair in found.repair
    assert "secret" not in found.text + found.repair


def test_an_answer_to_a_query_is_none_of_this() -> None:
    assert refusal_of(asyncpg.UniqueViolationError("(last_name)=(Rivera)"), DSN) is None


def test_the_consoles_role_gets_the_consoles_rights() -> None:
    found = refusal_of(asyncpg.InvalidAuthorizationSpecificationError("none"), DSN, "console.dsn")
    assert found is not None
    assert "LOGIN IN ROLE chartwire_console" in found.repair
    assert "console.dsn" in found.repair


def test_an_address_of_several_hosts_has_a_place() -> None:
    place, role = place_of("postgresql://chartwire@one:5432,two:5432/clinic")
    assert (place, role) == ("PostgreSQL at one:5432,two:5432, database clinic", "role chartwire")
