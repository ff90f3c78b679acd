"""What stands for a patient in an address: no id of a vendor's is in one, nor in a browser's history or a proxy's log.

The key is sealed so that the same patient has the same address, for as long as the practice has its keys; nobody can make one up.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from daemon.tables.hashes import match_secret
from events.ids import PatientKey, PracticeId
from events.keys import Keyring

LONGEST = 100


@dataclass(frozen=True)
class PracticeHandles:
    """Makes and reads the handles of one practice, for as long as a page is made: no longer than that is its key kept."""

    practice: PracticeId
    sealing: AESSIV

    def of(self, key: PatientKey) -> str:
        """The handle of a patient."""
        sealed = self.sealing.encrypt(key.encode(), [self.practice.encode()])
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def key(self, handle: str) -> PatientKey | None:
        """Whose handle it is; None for any other text."""
        if not handle or len(handle) > LONGEST or not handle.isascii():
            return None
        try:
            sealed = base64.b64decode(handle + "=" * (-len(handle) % 4), altchars=b"-_", validate=True)
            return PatientKey(self.sealing.decrypt(sealed, [self.practice.encode()]).decode())
        except (ValueError, InvalidTag):
            return None


class Handles:
    """Makes and reads the handles of all practices."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def within(self, practice: PracticeId) -> PracticeHandles:
        """Those of one practice. Raises KeyMissing."""
        secret = match_secret(self._keyring, practice)
        return PracticeHandles(practice, AESSIV(hmac.digest(secret, b"chartwire console handles", hashlib.sha512)))

    def of(self, practice: PracticeId, key: PatientKey) -> str:
        """The handle of a patient. Raises KeyMissing."""
        return self.within(practice).of(key)

    def key(self, practice: PracticeId, handle: str) -> PatientKey | None:
        """Whose handle it is; None for any other text. Raises KeyMissing."""
        return self.within(practice).key(handle)
