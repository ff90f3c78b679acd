"""The identifiers of the field, kept apart by type, and the deterministic event id.

An event id is a digest of what identifies the event, so that observing the same thing twice gives one event (deploy/DESIGN.md, The flow).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple, NewType
from uuid import UUID

PracticeId = NewType("PracticeId", str)
EhrChartId = NewType("EhrChartId", int)
BillingPatientId = NewType("BillingPatientId", int)
EventId = NewType("EventId", UUID)
IntentId = NewType("IntentId", str)
PatientKey = NewType("PatientKey", str)

PRACTICE = PatientKey("")
"""The key of what is about the practice itself and no patient."""

_OF_EHR = "E:"
_OF_BILLING = "K:"


class Charts(NamedTuple):
    """The charts that something is about: of either system, of both when they are linked, of neither for the practice."""

    ehr: EhrChartId | None = None
    billing: BillingPatientId | None = None


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
    """Key of a patient known in the EHR only."""
    return PatientKey(f"{_OF_EHR}{chart}")


def billing_key(patient: BillingPatientId) -> PatientKey:
    """Key of a patient known in the billing system, linked or not: its number never changes, a chart of the EHR may be merged."""
    return PatientKey(f"{_OF_BILLING}{patient}")


def charts_of(key: PatientKey) -> Charts:
    """The chart that a patient's key names."""
    if key.startswith(_OF_BILLING):
        return Charts(billing=BillingPatientId(int(key[len(_OF_BILLING) :])))
    if key.startswith(_OF_EHR):
        return Charts(ehr=EhrChartId(int(key[len(_OF_EHR) :])))
    return Charts()


def keys_named(charts: Charts) -> tuple[PatientKey, ...]:
    """Each of the charts as the key of a patient who has no other."""
    ehr = () if charts.ehr is None else (ehr_key(charts.ehr),)
    return ehr if charts.billing is None else (*ehr, billing_key(charts.billing))


def is_billing_key(key: PatientKey) -> bool:
    """Whether the key is of a patient known in the billing system, linked or not."""
    return key.startswith(_OF_BILLING)


def number_of(key: PatientKey) -> int:
    """The number of the chart that a patient's key names, in its own system."""
    return int(key[len(_OF_BILLING) :])
