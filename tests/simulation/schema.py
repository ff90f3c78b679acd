"""The tables of `events/migrations` as the stand-in for PostgreSQL has them."""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.rows import Table

_TABLES = (
    Table(
        "practice_head",
        columns=(
            "practice", "sequence", "epoch", "chain", "owner", "taken_at", "rebuilt", "keys", "reader_epoch",
            "shredded_at", "format", "format_epoch", "projected",
        ),
        key=("practice",),
        nullable=frozenset({"chain", "taken_at", "shredded_at"}),
        defaults={"sequence": 0, "epoch": 0, "owner": "", "rebuilt": 0, "keys": 0, "reader_epoch": 0, "format": 1, "format_epoch": 0, "projected": 1},
    ),
    Table(
        "event",
        columns=(
            "practice", "sequence", "event_id", "type", "version", "origin", "patient_key", "elation_chart",
            "kareo_patient", "observed_at", "modified_at", "recorded_at", "cause", "correlation", "key_id", "body",
            "epoch", "chain",
        ),
        key=("practice", "sequence"),
        nullable=frozenset({"elation_chart", "kareo_patient", "modified_at", "cause", "correlation", "chain"}),
        unique=(("practice", "event_id"),),
        defaults={"recorded_at": "clock"},
    ),
    Table(
        "patient",
        columns=("practice", "patient_key", "sequence", "revisit_on", "key_id", "doc", "matched", "dayed"),
        key=("practice", "patient_key"),
        nullable=frozenset({"revisit_on"}),
        defaults={"matched": 0, "dayed": 0},
    ),
    Table(
        "look_up",
        columns=("practice", "period", "looked_at", "key_id", "doc"),
        key=("practice", "period"),
        defaults={"looked_at": "clock"},
    ),
    Table("patient_day", columns=("practice", "day", "patient_key"), key=("practice", "day", "patient_key")),
    Table(
        "directory",
        columns=("practice", "sequence", "key_id", "doc", "folded"),
        key=("practice",),
        defaults={"folded": 0},
    ),
    Table("chart", columns=("practice", "elation_chart", "patient_key"), key=("practice", "elation_chart")),
    Table(
        "link",
        columns=("practice", "elation_chart", "kareo_patient"),
        key=("practice", "kareo_patient"),
        unique=(("practice", "elation_chart"),),
    ),
    Table(
        "open_intent",
        columns=("practice", "patient_key", "slot", "intent", "system", "state", "since"),
        key=("practice", "patient_key", "slot"),
        nullable=frozenset({"since"}),
    ),
    Table(
        "waiting",
        columns=("practice", "patient_key", "slot", "code", "since"),
        key=("practice", "patient_key", "slot"),
    ),
    Table(
        "dependency",
        columns=("practice", "depends_on", "patient_key"),
        key=("practice", "depends_on", "patient_key"),
    ),
    Table(
        "match_key",
        columns=("practice", "system", "key", "chart"),
        key=("practice", "system", "key", "chart"),
    ),
    Table(
        "match_count",
        columns=("practice", "system", "value", "charts"),
        key=("practice", "system", "value"),
    ),
    Table(
        "observed",
        columns=("practice", "system", "resource", "record", "content_hash", "revision", "parent", "seen_at"),
        key=("practice", "system", "resource", "record"),
        defaults={"seen_at": "clock"},
    ),
    Table(
        "checkpoint",
        columns=("practice", "source", "value", "updated_at"),
        key=("practice", "source"),
        defaults={"updated_at": "clock"},
    ),
    Table(
        "subscription",
        columns=("practice", "resource", "subscription", "target", "signing_key", "created_at"),
        key=("practice", "resource"),
        defaults={"created_at": "clock"},
    ),
    Table(
        "report",
        columns=("practice", "epoch", "reported_at", "doc"),
        key=("practice",),
        defaults={"reported_at": "clock"},
    ),
    Table(
        "notice",
        columns=("practice", "audience", "epoch", "doc", "updated_at"),
        key=("practice", "audience"),
        defaults={"updated_at": "clock"},
    ),
    Table(
        "data_key",
        columns=("practice", "key_id", "purpose", "wrapped_by", "wrapped", "made_at"),
        key=("practice", "key_id"),
        defaults={"made_at": "clock"},
    ),
    Table(
        "duplicate",
        columns=("practice", "system", "one", "other", "likeness"),
        key=("practice", "system", "one", "other"),
    ),
    Table("duplicate_head", columns=("practice", "sequence", "charts", "rules"), key=("practice",)),
    Table("switch", columns=("name", "set_at"), key=("name",), defaults={"set_at": "clock"}),
)  # fmt: skip


def tables() -> dict[str, Table]:
    """The empty tables of the migrations."""
    return {table.name: table for table in map(replace, _TABLES)}
