"""What a command could not do, as one line: what is wrong, where, and what to do about it.

Of exceptions' own texts only those are repeated that name no content: PostgreSQL's on rights, and of events that cannot be opened.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import tomllib
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.cli.advice import advice

WRONG, SERVER_AWAY = 1, 3
"""Exit codes: something is wrong and stays so; a server is away and the command may be tried again."""

TRACEBACK = "CHARTWIRE_TRACEBACK"
"""The environment variable with which a failure is raised as it is, to look for a fault of chartwire."""

AS_OWNER = ("migrate", "rotate-key", "shred")
"""Commands that connect as the schema's owner (postgres.migrate_dsn)."""

AS_CONSOLE = ("console", "user")
"""Commands that connect as the console does (console.dsn)."""

LISTENS = {"run": "http.listen", "console": "console.listen"}
LISTENING = (errno.EADDRINUSE, errno.EADDRNOTAVAIL)

NO_SCHEMA = ("42P01", "42703", "42883", "3F000")
NO_SUCH_DATABASE, NO_RIGHT = "3D000", "42501"


@dataclass(frozen=True)
class Failure:
    """One line for stderr, and the exit code."""

    text: str
    code: int = WRONG


@dataclass(frozen=True)
class Servers:
    """What the configuration of a command names: the servers, without their passwords, and PostgreSQL's role."""

    dsn: str = ""
    postgres: str = "PostgreSQL"
    key: str = "postgres.dsn"
    role: str = "the role"
    kafka: str = "Kafka"

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Servers:
        """As good as the configuration can be read."""
        from daemon.operator.postgres_refusal import place_of

        path: Path | None = getattr(arguments, "config", None)
        try:
            document = tomllib.loads(path.read_text()) if path is not None else {}
            section = document.get("postgres", {})
            dsn = section.get("dsn", "")
            if arguments.command in AS_OWNER:
                dsn = section.get("migrate_dsn") or dsn
            console = arguments.command in AS_CONSOLE
            dsn = document.get("console", {}).get("dsn", "") if console else dsn
            place, role = place_of(dsn)
            key = "console.dsn" if console else cls.key
            return cls(dsn, place, key, role, f"Kafka at {document.get('kafka', {}).get('bootstrap_servers', '?')}")
        except (OSError, ValueError, AttributeError):
            return cls()


def failure(error: BaseException, arguments: argparse.Namespace) -> Failure:
    """The line and the exit code for whatever ended a command."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OSError) and error.errno in LISTENING:
        return _of_listening(error, arguments)
    servers = Servers.of(arguments)
    return _of_kafka(error, servers) or _of_postgres(error, servers, arguments) or _of_the_rest(error, arguments)


def _of_listening(error: OSError, arguments: argparse.Namespace) -> Failure:
    """An address of this machine that cannot be had: no server is away."""
    key = LISTENS.get(arguments.command, "the port")
    bound = re.search(r"\('([^']+)', (\d+)", str(error))
    address = error.filename if isinstance(error.filename, str) else ":".join(bound.groups()) if bound else ""
    port = address.rpartition(":")[2] or "PORT"
    what = f"{key}: {address or 'it'} cannot be listened at"
    if error.errno == errno.EADDRINUSE:
        return Failure(f"{what}: another process does; ss -ltnp 'sport = :{port}' says which. End it, or name another port")
    return Failure(f"{what} ({os.strerror(error.errno or 0)}): ip address lists the addresses of this machine")


def _of_kafka(error: BaseException, servers: Servers) -> Failure | None:
    from aiokafka.errors import KafkaError

    from daemon.cli.common import KafkaAway

    if not isinstance(error, KafkaError | KafkaAway):
        return None
    cause = error.__cause__ if isinstance(error, KafkaAway) and error.__cause__ is not None else error
    said = f"kafka.bootstrap_servers: {servers.kafka} cannot be reached ({type(cause).__name__}); try again when it is back"
    return Failure(said, SERVER_AWAY)


def _of_postgres(error: BaseException, servers: Servers, arguments: argparse.Namespace) -> Failure | None:
    import asyncpg

    from daemon.operator.postgres_refusal import LOGIN, TLS, refusal_of
    from events.pool import AWAY, PoolerBetween

    if isinstance(error, PoolerBetween):
        return Failure(f"postgres.dsn: {servers.postgres}: {error}")
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
        return Failure(f"{servers.key}: {servers.postgres} cannot be asked this: an address or a value is out of its range")
    if isinstance(error, OSError) and error.filename is not None:
        return None
    if not isinstance(error, (asyncpg.PostgresError, *AWAY)):
        return None
    found = refusal_of(error, servers.dsn, servers.key) if servers.dsn else None
    if found is not None and found.passes:
        return Failure(f"{servers.key}: {found.text}; {found.repair}; try again when it is back", SERVER_AWAY)
    if found is not None and found.code in (LOGIN, TLS):
        return Failure(f"{servers.key}: {found.text}; {found.repair}")
    if isinstance(error, AWAY):
        what = f"{servers.postgres} cannot be reached ({type(error).__name__}); try again when it is back"
        return Failure(f"{servers.key}: {what}", SERVER_AWAY)
    return Failure(f"{servers.key}: {servers.postgres}: {_refusal(error, servers, arguments)}")


def _refusal(error: Any, servers: Servers, arguments: argparse.Namespace) -> str:
    state, migrates = error.sqlstate or "", f"`{advice('migrate', arguments)}`"
    if state in NO_SCHEMA:
        return f"the database has no schema of chartwire, or an older one; run {migrates}"
    if state == NO_SUCH_DATABASE:
        return f"there is no such database; create it (sudo -u postgres createdb -O OWNER NAME), then run {migrates}"
    if state != NO_RIGHT:
        return f"it refused ({type(error).__name__}, SQLSTATE {state})"
    if arguments.command in AS_OWNER:
        return f"{error.message}; postgres.migrate_dsn needs a role that owns the database and may CREATEROLE"
    group = "chartwire_console" if arguments.command in AS_CONSOLE else "chartwire_daemon"
    grant = f"GRANT {group} TO {servers.role.removeprefix('role ')}"
    return f"{servers.role} lacks a right ({error.message}); as the schema's owner run `{grant}`, and {migrates}"


def _of_the_rest(error: BaseException, arguments: argparse.Namespace) -> Failure:
    from events.codec import KeyMissing, UnreadableEvent

    practice = getattr(arguments, "practice", None)
    audit = advice(f"audit verify {practice}" if isinstance(practice, str) else "audit verify", arguments)
    if isinstance(error, KeyMissing):
        return Failure(f"keys.directory: {error}; put the practice's key file back, from its backup")
    if isinstance(error, UnreadableEvent):
        said = f"{error}: the keys there are others, or it was changed; put the practice's own key files back"
        return Failure(f"keys.directory: {said}, then run `{audit}`")
    if isinstance(error, OSError) and error.filename is not None:
        return Failure(f"{error.filename}: cannot be used ({error.strerror})")
    places = " < ".join(_places(error))
    return Failure(
        f"unexpected {type(error).__name__} ({places}); this is a fault of chartwire: report it, {TRACEBACK}=1 shows all"
    )


def _places(error: BaseException) -> Iterator[str]:
    """Where it was raised, the innermost place first: files and lines, nothing that was worked on."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)[-3:]):
        yield f"{Path(frame.filename).name}:{frame.lineno}"
