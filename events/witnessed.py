"""The head of each practice as it is known outside of PostgreSQL: the witness by which a restored store is told.

A practice's owner publishes it (compacted topic `chartwire.heads.v1`) when it takes the practice over, while it records, and before
each creation at a vendor. It is published after the commit, so it is never ahead of the store that it is about. A store that lacks
what the witness names is older than it was. A topic that was made anew has no witness, or an older one, and says nothing.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from events.codec import is_key_of
from events.decoding import decoding, named
from events.ids import PracticeId
from events.keys import Keyring, UnreadableEvent
from events.restarts import HistoryRestarted
from events.store import Head

HEADS = "chartwire.heads.v1"
NEVER_OWNED = Head(0, 0, None)
HIGHEST_EPOCH = 1_000_000
"""A number of take-overs that no practice comes to: whoever is above it would count for ever."""


class Witnessed(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A practice's head at the moment `at`; `chain` is the link of event `sequence`, empty where it has none."""

    practice: PracticeId
    sequence: int
    epoch: int
    chain: bytes
    at: datetime


class _Signed(msgspec.Struct, frozen=True, array_like=True):
    """`signed_by` is a key file of the practice: unlike data keys, those are not lost with a database."""

    said: bytes
    signed_by: str
    signature: bytes


_ENCODER = msgspec.msgpack.Encoder()
_SAID = msgspec.msgpack.Decoder(Witnessed)
_SIGNED = msgspec.msgpack.Decoder(_Signed)


def encode_witnessed(witnessed: Witnessed, keyring: Keyring) -> bytes:
    """Signed with the practice's newest key file. Raises KeyMissing."""
    said = _ENCODER.encode(witnessed)
    return _ENCODER.encode(_Signed(said, *keyring.sign(witnessed.practice, _to_sign(said))))


def decode_witnessed(message: bytes | None, keyring: Keyring) -> Witnessed:
    """Raises UnreadableEvent for what the practice's workers have not written, as far as the key files here can tell."""
    with decoding(named(UnreadableEvent, "not a head"), UnreadableEvent):
        signed = _SIGNED.decode(message or b"")
        witnessed = _SAID.decode(signed.said)
        if not is_key_of(signed.signed_by, witnessed.practice):
            raise UnreadableEvent("the head is not signed by its practice")
        if not keyring.is_signed(signed.signed_by, _to_sign(signed.said), signed.signature):
            raise UnreadableEvent("the head is not signed with a key file that is there")
        if not (witnessed.sequence >= 0 and 0 <= witnessed.epoch <= HIGHEST_EPOCH):
            raise UnreadableEvent("the head counts what cannot be counted")
        return witnessed


def _to_sign(said: bytes) -> bytes:
    return HEADS.encode() + b"\x00" + said


def restart_of(witnessed: Witnessed | None, epoch: int, head: Head, link: bytes | None) -> HistoryRestarted | None:
    """What the store has lost; None where nothing is known to be missing.

    `epoch` is the practice's before this owner took it over, `head` its head now, `link` the store's own link of the witnessed
    event. The store is older where it lacks that event, holds another in its place, or knows of fewer take-overs.
    """
    if witnessed is None:
        return None
    another = bool(witnessed.chain and link) and witnessed.chain != link
    if head.sequence >= witnessed.sequence and epoch >= witnessed.epoch and not another:
        return None
    return HistoryRestarted(kept=head.sequence, witnessed=witnessed.sequence, epoch=witnessed.epoch, until=witnessed.at)
