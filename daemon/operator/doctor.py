"""`chartwire doctor`: everything that can be looked at, side by side, as findings. It changes nothing, and asks as the daemon would."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from daemon.config import Config, ConfigError, keyring_of
from daemon.file_lines import FileLines
from daemon.findings import Finding, Severity, error
from daemon.operator.doctor_kafka import look_at_kafka
from daemon.operator.doctor_network import look_at_certificates, look_at_vendors
from daemon.operator.doctor_notify import look_at_notify
from daemon.operator.doctor_postgres import look_at_postgres, refused
from daemon.operator.doctor_practices import look_at_practices
from daemon.operator.doctor_witness import look_at_witness
from daemon.operator.postgres_refusal import NO_WAY_IN
from daemon.runtime.surroundings import session
from daemon.telemetry import Meter
from daemon.vendors.ports.vendor import Means
from daemon.vendors.registry import Registry
from events.keys import Keyring
from events.pool import AWAY

NO_STORE = NO_WAY_IN | {"schema-missing", "schema-old", "postgres-role", "postgres-right"}
"""Findings after which the store cannot be asked about practices."""

ORDER = tuple(Severity)

COMMAND = re.compile(r": ((?:chmod|chown|install|sed) [^,;]+|`chartwire [^`]+`)")
"""What a problem of the configuration says to do."""


def of_file(problems: ConfigError, file: Path) -> list[Finding]:
    """What is wrong with the configuration; nothing else can be looked at then."""
    lines, found = FileLines(file), []
    for key, text in problems.problems:
        where = lines.place(key) if key != str(file) else key
        command = COMMAND.search(text)
        named = text.partition(" ")[0] if text.startswith("/") else ""
        repair = f"change it there: {named}, as {where} names it" if named else f"change it there: {where}"
        repair = f"{command[1]}  # {where}" if command else repair
        found.append(error("configuration", key, text, repair, lines.practice(key)))
    return found


async def examine(
    config: Config,
    beside: Path,
    *,
    practices: Collection[str] = (),
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    vendors: Registry | None = None,
) -> list[Finding]:
    """All findings, the worst first. Of `practices`, where any are given, and of what all share."""
    async with session() as http:
        means = Means(session=http, folder=beside, now=now, meter=Meter(), public_url=config.http.public_url)
        of_database, *rest = await asyncio.gather(
            look_at_postgres(config, now),
            look_at_kafka(config, beside),
            look_at_vendors(config, means, vendors or Registry()),
            look_at_certificates(config, now()),
            look_at_notify(config, beside, http, now),
        )
    keyring, found = _keys(config, beside)
    found += [*of_database, *(one for each in rest for one in each)]
    if keyring is not None and not NO_STORE & {one.code for one in of_database}:
        try:
            found += await look_at_practices(config, beside, keyring, now())
            found += await look_at_witness(config, beside, keyring, found)
        except (asyncpg.PostgresError, *AWAY) as failure:  # what was found so far is told all the same
            found.append(refused(failure, config))
    kept = [one for one in found if not practices or one.practice in ("", *practices)]
    return sorted(kept, key=lambda one: (ORDER.index(one.severity), one.practice, one.code, one.key))


def _keys(config: Config, beside: Path) -> tuple[Keyring | None, list[Finding]]:
    try:
        return keyring_of(config, beside), []
    except (OSError, ValueError) as failure:
        text = f"the keys cannot be read: {failure}"
        repair = "put the key file back from its backup (32 bytes in base64, readable for the service: chown chartwire, chmod 0600)"
        return None, [error("keys-unreadable", "keys.directory", text, repair)]
