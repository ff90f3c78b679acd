"""Data keys wrapped by key files: pure functions over bytes.

The 32 bytes of a key file never wrap by themselves, what wraps is derived from them: under the old format the same bytes sealed
bodies. The practice, the id and the purpose of a data key are associated data, so a wrapped key cannot be taken for another.
"""

from __future__ import annotations

import os
from datetime import datetime
from enum import StrEnum

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE = 12
KEY = 32
_INFO = b"chartwire wraps data keys"


class NotUnwrapped(Exception):
    """The key file is another one than the one that wrapped, or the wrapped key was changed."""


class Purpose(StrEnum):
    """What a data key is for: bodies are sealed with several in the course of time, names are hashed with one for ever."""

    BODY = "body"
    HASH = "hash"


class Wrapped(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `chartwire.data_key`. `wrapped_by` is the name of a key file without `.key`."""

    key_id: str
    purpose: Purpose
    wrapped_by: str
    wrapped: bytes


class KeysInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A practice's data keys as they lie in the database, in the order they were made; `changes` counts their changes."""

    practice: str
    changes: int
    wrapped: tuple[Wrapped, ...] = ()
    shredded_at: datetime | None = None


def wrap(practice: str, key_id: str, purpose: Purpose, key: bytes, *, by: str, file_key: bytes) -> Wrapped:
    """`key` wrapped by the key file `by`, which holds `file_key`."""
    nonce = os.urandom(NONCE)
    wrapped = nonce + AESGCM(_derived(file_key)).encrypt(nonce, key, _identity(practice, key_id, purpose))
    return Wrapped(key_id=key_id, purpose=purpose, wrapped_by=by, wrapped=wrapped)


def unwrap(practice: str, one: Wrapped, file_key: bytes) -> bytes:
    """The data key itself. Raises NotUnwrapped."""
    identity = _identity(practice, one.key_id, one.purpose)
    try:
        return AESGCM(_derived(file_key)).decrypt(one.wrapped[:NONCE], one.wrapped[NONCE:], identity)
    except (InvalidTag, ValueError):  # ValueError: shorter than a nonce
        raise NotUnwrapped(one.key_id) from None


def _identity(practice: str, key_id: str, purpose: Purpose) -> bytes:
    return f"data key|{practice}|{key_id}|{purpose.value}".encode()


def _derived(file_key: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY, salt=None, info=_INFO).derive(file_key)
