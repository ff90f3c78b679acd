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
    return hashlib.sha256(previous + _ENCODER.encode([_plain(value) for value in row])).digest()


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is int or kind is bytes or value is None:
        return value
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND
    return value.bytes
