"""The fixture: what the database held of a practice after a clinic day of b260bfb, and what that code read out of it.

All of it is addressed by the names it is stored under. How the files were made: `tests/stored/write.py`.
"""

from __future__ import annotations

import base64
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events.codec import Keyring

FOLDER = Path(__file__).parent
ARCHIVE = FOLDER / "clinic_day.archive"
NONCE = 12

EVENT_COLUMNS = {
    "practice": str,
    "sequence": int,
    "event_id": UUID,
    "type": str,
    "version": int,
    "origin": str,
    "patient_key": str,
    "elation_chart": int | None,
    "kareo_patient": int | None,
    "observed_at": datetime,
    "modified_at": datetime | None,
    "recorded_at": datetime,
    "cause": UUID | None,
    "correlation": UUID | None,
    "key_id": str,
    "body": bytes,
    "epoch": int,
    "chain": bytes | None,
}
"""The columns of `chartwire.event` in their order, which is that of the chain and of archives."""
BOUND = (
    "event_id", "practice", "type", "version", "origin", "observed_at", "elation_chart", "kareo_patient", "patient_key",
    "modified_at", "cause", "correlation",
)  # fmt: skip
"""The columns that a sealed body is bound to, in order."""

MIGRATED = """
CREATE SCHEMA chartwire;
CREATE TABLE chartwire.schema_migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
"""


@dataclass(frozen=True)
class ClinicDay:
    """`stored` is what lay in the database and on the topics, `expected` what was read out of it then."""

    stored: dict[str, Any]
    expected: dict[str, Any]

    @property
    def practice(self) -> Any:
        return self.stored["practice"]

    @property
    def today(self) -> date:
        """The practice's day: nothing depends on when the tests run."""
        return date.fromisoformat(self.stored["today"])

    def rows(self, table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.stored["tables"][table]
        return found

    @property
    def keys(self) -> dict[str, bytes]:
        return {name: base64.b64decode(key) for name, key in self.stored["keys"].items()}

    @property
    def keyring(self) -> Keyring:
        return Keyring(self.keys)

    def events(self) -> list[dict[str, Any]]:
        """The stored events as the database gives them: column by column, in order."""
        return [
            {name: msgspec.convert(_unhexed(row[name]), kind, strict=False) for name, kind in EVENT_COLUMNS.items()}
            for row in self.rows("event")
        ]

    def body(self, row: Mapping[str, Any]) -> bytes:
        """The encoded body of a stored event, opened without the product's code."""
        bound = msgspec.msgpack.encode([row[name] for name in BOUND])
        return self._opened(row["key_id"], row["body"], bound)

    def documents(self) -> dict[str, bytes]:
        """The encoded documents of the patients by key; the directory's is under ""."""
        found = {}
        for row in (*self.rows("patient"), *({**one, "patient_key": ""} for one in self.rows("directory"))):
            bound = f"patient|{self.practice}|{row['patient_key']}".encode()
            found[row["patient_key"]] = self._opened(row["key_id"], _unhexed(row["doc"]), bound)
        return found

    def _opened(self, key_id: str, sealed: bytes, bound: bytes) -> bytes:
        return AESGCM(self.keys[key_id]).decrypt(sealed[:NONCE], sealed[NONCE:], bound)


def _unhexed(value: Any) -> Any:
    """PostgreSQL's text of bytes as these bytes; anything else as it is."""
    return bytes.fromhex(value[2:]) if isinstance(value, str) and value.startswith("\\x") else value


@cache
def clinic_day() -> ClinicDay:
    stored, expected = (
        msgspec.json.decode(lzma.decompress((FOLDER / f"{name}.json.xz").read_bytes()))
        for name in ("clinic_day", "expected")
    )
    return ClinicDay(stored, expected)


async def restore(day: ClinicDay, owner_dsn: str) -> None:
    """Make an empty database what it was that evening: that version's schema, and every row of the practice."""
    owner = await asyncpg.connect(owner_dsn, server_settings={"timezone": "UTC"})
    try:
        await owner.execute(MIGRATED)
        for name, script in day.stored["migrations"].items():
            await owner.execute(script)
            await owner.execute("INSERT INTO chartwire.schema_migration (name) VALUES ($1)", name)
        for table, rows in day.stored["tables"].items():
            columns = ", ".join(sorted(rows[0]))
            await owner.execute(
                f"INSERT INTO chartwire.{table} ({columns}) "
                f"SELECT {columns} FROM jsonb_populate_recordset(NULL::chartwire.{table}, $1)",
                msgspec.json.encode(rows).decode(),
            )
    finally:
        await owner.close()
