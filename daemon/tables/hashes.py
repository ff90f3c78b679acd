"""Keyed hashes, by which a practice's rows are found in PostgreSQL and which tell nothing without a secret of the practice."""

from __future__ import annotations

import hashlib
import hmac

from events.codec import KeyMissing, Keyring
from events.ids import PracticeId
from projections.matching import Normal, keys_of

FORM = "4"
"""Another one wherever keys or counted values of the same chart become others: the tables are then filled anew, once."""


def match_secret(keyring: Keyring, practice: PracticeId) -> bytes:
    """What a practice's hashes are made with: never changed by a rotation. Raises KeyMissing.

    Before the practice has data keys it is the first of its key files; afterwards the tables are filled anew, once.
    """
    if (kept := keyring.hash_key(practice)) is not None:
        return hmac.digest(kept, b"chartwire match keys", hashlib.sha256)
    keys = keyring.keys_of(practice)
    if not keys:
        raise KeyMissing(f"no key for practice {practice}: expected a file {practice}.1.key")
    first = min(keys, key=lambda name: int(name.rpartition(".")[2]))
    return hmac.digest(keys[first], b"chartwire match keys", hashlib.sha256)


class Hashes:
    """The hashes of one practice."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.complete = self.of(f"complete:{FORM}")

    def of(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode(), digest_size=16, key=self._secret).digest()

    def keys(self, one: Normal) -> set[bytes]:
        """What a person is found by."""
        return {self.of(key) for key in keys_of(one)}

    def value(self, value: str) -> bytes:
        """The hash under which one value of `values_of` is counted."""
        return self.of(f"value:{value}")


def hashes_of(keyring: Keyring, practice: PracticeId) -> Hashes:
    """The hashes of a practice. Raises KeyMissing."""
    return Hashes(match_secret(keyring, practice))
