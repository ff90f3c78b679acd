"""Events as bytes: msgspec for shape, AES-256-GCM for secrecy, upcasters for age.

A body is encrypted with its practice's key wherever it rests or travels; what identifies the event is associated data, so that
a body cannot be moved to another event unnoticed. Unknown newer members are ignored, older versions are brought up to date.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events.decoding import decoding, named
from events.ids import BillingPatientId, EhrChartId, EventId, PatientKey, PracticeId
from events.schema import TYPES, VERSIONS, Body, Event, Origin

NONCE = 12
KEY = 32
_NUMBER = re.compile(r"[0-9]+")

Upcaster = Callable[[dict[str, object]], dict[str, object]]
UPCASTERS: dict[tuple[str, int], Upcaster] = {}

B = TypeVar("B", bound=msgspec.Struct)


class UnreadableEvent(Exception):
    """An event that this version cannot read; the message names type, version and why, never content."""


class KeyMissing(Exception):
    """No key for a practice; the message says which file is looked for."""


class Keyring:
    """The practices' keys: files `<practice>.<n>.key`, each the base64 of 32 bytes. The highest n writes, all read."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._keys: dict[str, bytes] = {}
        self._ciphers: dict[str, AESGCM] = {}
        self._newest: dict[str, tuple[int, str]] = {}
        self._add(keys)

    def _add(self, keys: Mapping[str, bytes]) -> None:
        self._keys |= keys
        self._ciphers |= {name: AESGCM(key) for name, key in keys.items()}
        for name in keys:
            practice, _, number = name.rpartition(".")
            self._newest[practice] = max(self._newest.get(practice, (0, "")), (int(number), name))

    def renew(self, later: Keyring) -> None:
        """Take the keys of `later` in; one that is missing there stays, what it encrypted may still be under way."""
        self._add(later._keys)

    @classmethod
    def from_directory(cls, path: Path) -> Keyring:
        """Read every key file of a folder. Raises ValueError naming the file that holds no key."""
        keys: dict[str, bytes] = {}
        for file in sorted(path.glob("*.key")):
            try:
                key = base64.b64decode(file.read_text().strip(), validate=True)
            except (ValueError, UnicodeDecodeError):
                key = b""
            practice, _, number = file.stem.rpartition(".")
            if len(key) != KEY or not practice or not _NUMBER.fullmatch(number):
                raise ValueError(f"{file.name}: must be <practice>.<n>.key and hold the base64 of {KEY} bytes")
            keys[file.stem] = key
        return cls(keys)

    @staticmethod
    def create_key(path: Path, practice: PracticeId) -> Path:
        """Make the practice's next key in the folder `path`, readable by its owner only; returns the file."""
        parts = [file.stem.rpartition(".") for file in path.glob("*.key")]
        numbers = [int(number) for owner, _, number in parts if owner == practice and _NUMBER.fullmatch(number)]
        file = path / f"{practice}.{max(numbers, default=0) + 1}.key"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(base64.b64encode(AESGCM.generate_key(bit_length=8 * KEY)).decode() + "\n")
        return file

    def keys_of(self, practice: str) -> dict[str, bytes]:
        """All keys of a practice by key id: what its archive takes along."""
        return {name: key for name, key in self._keys.items() if name.rpartition(".")[0] == practice}

    def has(self, practice: str) -> bool:
        return practice in self._newest

    def takes_unsigned(self, practice: str) -> bool:
        """Whether a message that nobody signed may be the practice's: workers before signatures may still publish."""
        return True

    def seal(self, practice: PracticeId, identity: bytes, plain: bytes) -> tuple[str, bytes]:
        """Encrypt with the practice's newest key, bound to `identity`: (key id, nonce and ciphertext)."""
        if practice not in self._newest:
            raise KeyMissing(f"no key for practice {practice}: expected a file {practice}.1.key")
        name = self._newest[practice][1]
        nonce = os.urandom(NONCE)
        return name, nonce + self._ciphers[name].encrypt(nonce, plain, identity)

    def open_sealed(self, key_id: str, identity: bytes, sealed: bytes) -> bytes:
        """Decrypt. Raises KeyMissing, or UnreadableEvent when content or identity was changed."""
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise KeyMissing(f"no key {key_id}: expected a file {key_id}.key")
        try:
            return cipher.decrypt(sealed[:NONCE], sealed[NONCE:], identity)
        except (InvalidTag, ValueError):  # ValueError: shorter than a nonce
            raise UnreadableEvent("content or identity was changed after encryption") from None


def is_key_of(key_id: str, practice: str) -> bool:
    """Whether a key of this id is the practice's."""
    return key_id.rpartition(".")[0] == practice


# -- bodies ---------------------------------------------------------------------------------------------------------------

_ENCODER = msgspec.msgpack.Encoder()
_DECODERS: dict[str, msgspec.msgpack.Decoder[Body]] = {name: msgspec.msgpack.Decoder(kind) for name, kind in TYPES.items()}


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
    decoder = _DECODERS.get(type_name)
    if decoder is None or version > VERSIONS[type_name]:
        raise UnreadableEvent(f"{type_name} version {version} is newer than this version of chartwire")
    with decoding(named(UnreadableEvent, f"{type_name} version {version} does not decode")):
        if version < VERSIONS[type_name]:
            mapping = msgspec.msgpack.decode(encoded)
            for step in range(version, VERSIONS[type_name]):
                mapping = UPCASTERS[type_name, step](mapping)
            return msgspec.convert(mapping, TYPES[type_name])
        return decoder.decode(encoded)


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
