"""Events as bytes: msgspec for shape, AES-256-GCM for secrecy (events/keys.py), upcasters for age.

A body is encrypted with its practice's key wherever it rests or travels; what identifies the event is associated data, so that
a body cannot be moved to another event unnoticed. Unknown newer members are ignored, older versions are brought up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import msgspec

from events.decoding import decoding, named
from events.ids import BillingPatientId, EhrChartId, EventId, PatientKey, PracticeId
from events.keys import KeyMissing as KeyMissing
from events.keys import Keyring as Keyring
from events.keys import UnreadableEvent as UnreadableEvent
from events.schema import TYPES, VERSIONS, Body, Event, Origin

Upcaster = Callable[[dict[str, object]], dict[str, object]]
UPCASTERS: dict[tuple[str, int], Upcaster] = {}

B = TypeVar("B", bound=msgspec.Struct)


def is_key_of(key_id: str, practice: str) -> bool:
    """Whether a key of this id is the practice's."""
    return key_id.rpartition(".")[0] == practice


# -- bodies ---------------------------------------------------------------------------------------------------------------

_ENCODER = msgspec.msgpack.Encoder()


@cache
def _decoder_of(type_name: str) -> msgspec.msgpack.Decoder[Body]:
    """Made when the first of its bodies is read: the decoders of all types take longer than a short command has."""
    return msgspec.msgpack.Decoder(TYPES[type_name])


def upcaster(type_name: str, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Register how a body of an older version, as a plain mapping, becomes the next version's."""

    def register(function: Upcaster) -> Upcaster:
        UPCASTERS[type_name, from_version] = function
        return function

    return register


def encode_body(body: Body) -> bytes:
    return _ENCODER.encode(body)


def decode_body(type_name: str, version: int, encoded: bytes) -> Body:
    """The body; older versions are upcast. Raises UnreadableEvent for what this version does not know."""
    if type_name not in TYPES or version > VERSIONS[type_name]:
        raise UnreadableEvent(f"{type_name} version {version} is newer than this version of chartwire")
    with decoding(named(UnreadableEvent, f"{type_name} version {version} does not decode")):
        if version < VERSIONS[type_name]:
            mapping = msgspec.msgpack.decode(encoded)
            for step in range(version, VERSIONS[type_name]):
                mapping = UPCASTERS[type_name, step](mapping)
            return msgspec.convert(mapping, TYPES[type_name])
        return _decoder_of(type_name).decode(encoded)


# -- envelopes ------------------------------------------------------------------------------------------------------------


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, array_like=True, gc=False):
    """What travels in the clear."""

    id: EventId
    practice: PracticeId
    type: str
    version: int
    origin: Origin
    observed: datetime
    ehr: EhrChartId | None = None
    billing: BillingPatientId | None = None
    patient: PatientKey = PatientKey("")
    modified: datetime | None = None
    cause: EventId | None = None
    correlation: EventId | None = None


class _Sealed(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    envelope: Envelope
    key_id: str
    body: bytes


_SEALED = msgspec.msgpack.Decoder(_Sealed)


def _envelope(event: Event, version: int) -> Envelope:
    return Envelope(
        id=event.id,
        practice=event.practice,
        type=event.type,
        version=version,
        origin=event.origin,
        observed=event.observed,
        ehr=event.ehr,
        billing=event.billing,
        patient=event.patient,
        modified=event.modified,
        cause=event.cause,
        correlation=event.correlation,
    )


def identity(event: Event, version: int) -> bytes:
    """What a body is bound to: everything in its envelope, as its values in order (which encode alike)."""
    return _ENCODER.encode(
        (
            event.id, event.practice, event.type, version, event.origin, event.observed, event.ehr, event.billing,
            event.patient, event.modified, event.cause, event.correlation,
        )
    )  # fmt: skip


def seal_event(event: Event, keyring: Keyring) -> tuple[int, str, bytes]:
    """The body encrypted: (version, key id, sealed)."""
    version = VERSIONS[event.type]
    key_id, sealed = keyring.seal(event.practice, identity(event, version), encode_body(event.body))
    return version, key_id, sealed


def open_body(
    clear: Envelope | tuple[object, ...], type_name: str, version: int, key_id: str, sealed: bytes, keyring: Keyring
) -> Body:
    """A body from its envelope, or the values of one in order, which encode alike. Raises as `open_event` does."""
    try:
        plain = keyring.open_sealed(key_id, _ENCODER.encode(clear), sealed)
    except UnreadableEvent as error:
        raise UnreadableEvent(f"{type_name} version {version}: {error}") from None
    return decode_body(type_name, version, plain)


def reseal(row: Mapping[str, Any], keyring: Keyring, other: Keyring) -> tuple[str, bytes]:
    """The body of a row of `chartwire.event` sealed with the key of another ring: (key id, sealed). Raises as `open_event` does."""
    clear = _ENCODER.encode(
        (
            row["event_id"], row["practice"], row["type"], row["version"], row["origin"], row["observed_at"],
            row["elation_chart"], row["kareo_patient"], row["patient_key"], row["modified_at"], row["cause"],
            row["correlation"],
        )
    )  # fmt: skip
    return other.seal(row["practice"], clear, keyring.open_sealed(row["key_id"], clear, row["body"]))


def open_event(clear: Envelope, key_id: str, sealed: bytes, keyring: Keyring) -> Event:
    """An event from its envelope and its encrypted body. Raises KeyMissing, or UnreadableEvent when either was changed."""
    return Event(
        id=clear.id,
        practice=clear.practice,
        origin=clear.origin,
        observed=clear.observed,
        body=open_body(clear, clear.type, clear.version, key_id, sealed, keyring),
        ehr=clear.ehr,
        billing=clear.billing,
        patient=clear.patient,
        modified=clear.modified,
        cause=clear.cause,
        correlation=clear.correlation,
    )


def encode_event(event: Event, keyring: Keyring) -> bytes:
    """The form on Kafka."""
    version, key_id, sealed = seal_event(event, keyring)
    return _ENCODER.encode(_Sealed(envelope=_envelope(event, version), key_id=key_id, body=sealed))


def decode_event(encoded: bytes, keyring: Keyring) -> Event:
    """Raises UnreadableEvent."""
    with decoding(named(UnreadableEvent, "not an event")):
        sealed = _SEALED.decode(encoded)
    if not is_key_of(sealed.key_id, sealed.envelope.practice):
        raise UnreadableEvent("sealed with another practice's key")
    return open_event(sealed.envelope, sealed.key_id, sealed.body, keyring)
