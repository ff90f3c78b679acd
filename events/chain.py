"""The hash chain over a practice's events: whoever changes, removes, inserts or reorders one breaks every link after it.

A link covers all columns of the stored row, the sealed body as it lies in the table included, so checking needs no keys.
A chain can be recomputed by whoever may write to the table: what proves the past is a link that was exported before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

GENESIS = b""
COVERED = (
    "practice", "sequence", "event_id", "type", "version", "origin", "patient_key", "elation_chart", "kareo_patient",
    "observed_at", "modified_at", "recorded_at", "cause", "correlation", "key_id", "body", "epoch",
)  # fmt: skip
"""The columns of `chartwire.event` that a link covers, in this order."""

_ENCODER = msgspec.msgpack.Encoder()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def link(previous: bytes, row: Sequence[Any]) -> bytes:
    """SHA-256 over the link before (GENESIS for the first) and the values of COVERED. 32 bytes.

    Values are encoded as a MessagePack array: numbers, text and bytes as they are, times as microseconds since 1970 UTC,
    UUIDs as their 16 bytes, nothing as nil.
    """
    (
        practice, sequence, id_, type_, version, origin, patient, ehr, billing,
        observed, modified, recorded, cause, correlation, key_id, body, epoch,
    ) = row  # fmt: skip
    plain = (
        practice, sequence, id_.bytes, type_, version, origin, patient, ehr, billing,
        (observed - _EPOCH) // _MICROSECOND,
        None if modified is None else (modified - _EPOCH) // _MICROSECOND,
        (recorded - _EPOCH) // _MICROSECOND,
        None if cause is None else cause.bytes,
        None if correlation is None else correlation.bytes,
        key_id, body, epoch,
    )  # fmt: skip
    return hashlib.sha256(previous + _ENCODER.encode(plain)).digest()
