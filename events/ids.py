"""The identifiers of the field, kept apart by type, and the deterministic event id.

An event id is a digest of what identifies the event, so that observing the same thing twice gives one event (DESIGN 1.3).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NewType
from uuid import UUID

PracticeId = NewType("PracticeId", str)
EhrChartId = NewType("EhrChartId", int)
BillingPatientId = NewType("BillingPatientId", int)
EventId = NewType("EventId", UUID)
IntentId = NewType("IntentId", str)
PatientKey = NewType("PatientKey", str)


PRACTICE = PatientKey("")
"""Stands for the practice itself where a patient's key is asked for."""


def event_id(practice: PracticeId, kind: str, *parts: object) -> EventId:
    """The id of the event of `kind` that `parts` identify within `practice`; the same parts always give the same id."""
    digest = blake2b(digest_size=16, person=b"chartwire.event")
    for part in (practice, kind, *parts):
        text = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(text).to_bytes(4, "big"))
        digest.update(text)
    return EventId(UUID(bytes=digest.digest(), version=5))


def content_hash(content: bytes) -> str:
    """A short digest of an encoded value, for "has it changed" (32 hex digits)."""
    return blake2b(content, digest_size=16).hexdigest()


def ehr_key(chart: EhrChartId) -> PatientKey:
    """Key of a patient known in Elation only."""
    return PatientKey(f"E:{chart}")


def billing_key(patient: BillingPatientId) -> PatientKey:
    """Key of a patient known in Kareo, linked or not: the Kareo number never changes, an Elation chart may be merged."""
    return PatientKey(f"K:{patient}")


def charts_of(key: PatientKey) -> tuple[EhrChartId | None, BillingPatientId | None]:
    """The chart that a patient's key is made of, on the side it is of: (chart side, billing side)."""
    if not key:
        return None, None
    return (None, BillingPatientId(int(key[2:]))) if key.startswith("K:") else (EhrChartId(int(key[2:])), None)
