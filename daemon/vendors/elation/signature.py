"""Is this webhook really from Elation?"""

from __future__ import annotations

from base64 import b64decode
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HEADER = "El8-Ed25519-Signature"


def verify(raw_body: bytes, header: str | None, public_key_b64: str) -> bool:
    """Whether `header` is base64(Ed25519 over the bytes received) by the subscription's `signing_pub_key`.

    Give the body as it came: serializing it again changes the bytes. A missing header, text that is not base64 and keys or
    signatures of a wrong length are all simply False. No time is signed, so replays must be caught by event id.
    """
    if header is None:
        return False
    try:
        _key(public_key_b64).verify(b64decode(header.strip(), validate=True), raw_body)
    except (ValueError, InvalidSignature):
        return False
    return True


@lru_cache(maxsize=4096)
def _key(public_key_b64: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(b64decode(public_key_b64.strip(), validate=True))
