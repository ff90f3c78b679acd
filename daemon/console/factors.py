"""The second factor: a code that a device shows for half a minute (TOTP, RFC 6238), or one of ten recovery codes. Each works once.

Secrets lie in the database sealed with a key of the console's own. Which code lets somebody in is settled there, so two processes never
take the same one.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pyotp
import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from daemon.tables import accounts, identity

STEP_SECONDS = 30
AROUND = (0, -1, 1)
"""The steps that are looked at: clocks differ, and people type."""

WINDOW_SECONDS, TRIES = 900.0, 5
"""Wrong codes with the right password within the window; then even the right code has to wait."""

RECOVERY_CODES = 10
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
ISSUER = "chartwire"
NONCE = 12
NOBODYS = pyotp.random_base32()
"""What is checked where there is no second factor, so that the answer takes as long."""


@dataclass(frozen=True)
class Offer:
    """A secret to be taken over into a device: as text, and as a picture of `size` modules a side, drawn by one path."""

    secret: str
    size: int
    path: str


def offer_of(name: str, secret: str) -> Offer:
    """The picture of a secret, as apps read it."""
    code = segno.make(pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER), error="m", micro=False)
    rows = list(code.matrix_iter(border=4))
    dark = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, one in enumerate(row) if one)
    return Offer(secret, len(rows), "".join(dark))


def step_of(secret: str, code: str, now: float) -> int | None:
    """The time step whose code this is, None for a code of no step that counts now."""
    totp, current = pyotp.TOTP(secret, interval=STEP_SECONDS), int(now // STEP_SECONDS)
    found = [current + one for one in AROUND if hmac.compare_digest(totp.generate_otp(current + one), code)]
    return found[0] if found else None


def typed(code: str) -> str:
    """A code as people type it: blanks and dashes do not count."""
    return code.replace(" ", "").replace("-", "").lower()[:40] if code.isascii() else ""


def new_recovery_codes() -> list[str]:
    """Each of some 49 random bits, in two groups."""
    texts = ("".join(secrets.choice(ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES))
    return [f"{one[:5]}-{one[5:]}" for one in texts]


class Factors:
    """The second factors of all users. `key` is what the console's key file holds; without one nobody can have a second factor."""

    def __init__(self, pool: Any, key: str, now: Callable[[], float]) -> None:
        self._pool = pool
        self._sealing = AESGCM(hmac.digest(key.encode(), b"chartwire console second factor", sha256)) if key else None
        self.now = now

    @property
    def possible(self) -> bool:
        return self._sealing is not None

    def _sealed(self, name: str, secret: str) -> bytes:
        assert self._sealing is not None
        nonce = os.urandom(NONCE)
        return nonce + self._sealing.encrypt(nonce, secret.encode(), name.encode())

    def _opened(self, name: str, sealed: bytes) -> str | None:
        """The secret; None where the key is another one by now, or the row is somebody else's."""
        if self._sealing is None:
            return None
        try:
            return self._sealing.decrypt(sealed[:NONCE], sealed[NONCE:], name.encode()).decode()
        except (InvalidTag, ValueError):
            return None

    async def passes(self, name: str, code: str) -> bool:
        """Whether the code that came with the right password lets the user in; it is used up. Without a second factor none is needed."""
        kept = await identity.second_factor(self._pool, name)
        if kept is None or not kept.confirmed:
            step_of(NOBODYS, "", self.now())
            return True
        bucket = f"code:{name}"
        one = await accounts.tried(self._pool, bucket, WINDOW_SECONDS)
        if one.number > TRIES or not await self._used(name, kept, typed(code)):
            return False
        await accounts.clear_tries(self._pool, bucket)
        return True

    async def _used(self, name: str, kept: identity.SecondFactor, code: str) -> bool:
        secret = self._opened(name, kept.secret)
        step = step_of(secret, code, self.now()) if secret is not None else None
        if step is not None:
            return await identity.use_step(self._pool, name, step)
        return bool(code) and await identity.use_recovery_code(self._pool, name, code)

    async def offered(self, name: str) -> Offer | None:
        """What the user was offered and has not confirmed; None where there is nothing, or all is confirmed."""
        kept = await identity.second_factor(self._pool, name)
        secret = self._opened(name, kept.secret) if kept is not None and not kept.confirmed else None
        return None if secret is None else offer_of(name, secret)

    async def offer(self, name: str) -> bool:
        """Offer a new secret; False where the user has a second factor."""
        return await identity.offer_factor(self._pool, name, self._sealed(name, pyotp.random_base32()))

    async def confirm(self, name: str, code: str, session: str) -> list[str] | None:
        """The recovery codes, once the code is of what was offered; None for another code, or too many of them."""
        bucket = f"code:{name}"
        one = await accounts.tried(self._pool, bucket, WINDOW_SECONDS)
        offer = await self.offered(name)
        step = step_of(offer.secret, typed(code), self.now()) if offer is not None else None
        if step is None or one.number > TRIES:
            return None
        codes = new_recovery_codes()
        if not await identity.confirm_factor(self._pool, name, step, map(typed, codes), session):
            return None
        await accounts.clear_tries(self._pool, bucket)
        return codes
