"""Hashes and ids that tell nothing to those without the practice's hash key.

The hash of a record that is nearly known (a name, and one of 36,500 birth dates) is found by trying. So the hashes that connectors
compare by, and the ids of observations, are keyed, with a key that a rotation never changes.

The keyed form is a MAC of the plain one. That is why an upgrade loses nothing. Where the plain form
is stored, the keyed one follows from it: stored hashes are replaced without their records. And a change that is told again, perhaps
months after the upgrade (a webhook), is known by either id: whoever publishes it has its plain id and sends that along, sealed,
and the recorder looks for both. No moment has to be agreed upon from which only one of them counts. The ids of events that were
recorded before stay as they are: the chain covers them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from uuid import RFC_4122, UUID

import msgspec

from events.ids import EventId
from events.keys import Keyring
from events.schema import CounterpartsFound, Event, Origin

MARK = "k."
VERSION = 8
"""Of UUIDs that their maker defines (RFC 9562); plain ids have 5."""


def keyed_hash(key: bytes, plain: str) -> str:
    """The keyed form of a hash. None ("") stays none, and what is keyed already stays as it is."""
    if not plain or plain.startswith(MARK):
        return plain
    return MARK + blake2b(plain.encode(), digest_size=16, key=key, person=b"chartwire.hash").hexdigest()


def keyed_id(key: bytes, plain: EventId) -> EventId:
    """The keyed form of an id; what is keyed already stays as it is."""
    if is_keyed(plain):
        return plain
    digest = bytearray(blake2b(plain.bytes, digest_size=16, key=key, person=b"chartwire.id").digest())
    digest[6] = VERSION << 4 | digest[6] & 0x0F
    digest[8] = 0x80 | digest[8] & 0x3F
    return EventId(UUID(bytes=bytes(digest)))


def is_keyed(id_: EventId) -> bool:
    return id_.variant == RFC_4122 and id_.version == VERSION


def hashed(keyring: Keyring, practice: str, plain: str) -> str:
    """The form in which a hash is stored now."""
    key = keyring.hash_key(practice)
    return plain if key is None else keyed_hash(key, plain)


def tells_content(event: Event) -> bool:
    """Whether the event's plain id is a digest of what it says."""
    return event.origin in (Origin.EHR, Origin.BILLING) or isinstance(event.body, CounterpartsFound)


def keyed_event(keyring: Keyring, event: Event) -> Event:
    """The event under the id that it is recorded by now."""
    key = keyring.hash_key(event.practice)
    if key is None or not tells_content(event):
        return event
    return msgspec.structs.replace(event, id=keyed_id(key, event.id))


@dataclass(frozen=True)
class Identified:
    """Events under the ids that they are recorded by now, each with all the ids under which it may have been recorded before."""

    events: tuple[Event, ...]
    forms: Mapping[EventId, frozenset[EventId]]

    @classmethod
    def of(cls, keyring: Keyring, events: Iterable[Event], plain: Mapping[EventId, EventId]) -> Identified:
        """`plain` has the plain ids of those that came under keyed ones."""
        came = list(events)
        now = tuple(keyed_event(keyring, one) for one in came)
        forms: dict[EventId, frozenset[EventId]] = {}
        for before, one in zip(came, now, strict=True):
            same = {before.id, one.id} | ({plain[before.id]} if before.id in plain else set())
            for id_ in same:
                forms[id_] = frozenset(same) | forms.get(id_, frozenset())
        return cls(now, forms)

    def is_known(self, id_: EventId, stored: set[EventId]) -> bool:
        """Whether the event that came under `id_`, or is recorded under it, is stored under any of its ids."""
        return not stored.isdisjoint(self.forms.get(id_, (id_,)))
