"""What connectors compare with: what the store knows of a practice's records, by the system they come from."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from daemon.tables import documents as tables
from daemon.tables import observed
from daemon.vendors.ports.intake import KnownRecords
from events.connection import Connection
from events.ids import PracticeId
from events.keyed import MARK
from events.keys import Keyring
from events.topics import Seen, is_record
from events.writes import System


class RecordedMemory:
    """The `Memory` of one practice's side (daemon/vendors/ports/vendor.py).

    With `linked`, the linked charts that a search found and nobody read count as known patients, too. Such a chart may meanwhile
    be deleted; no list shows that, so it is asked for by id.
    """

    def __init__(self, pool: Connection, practice: PracticeId, system: System, keyring: Keyring, *, linked: bool) -> None:
        self._pool = pool
        self._practice = practice
        self._system = system
        self._linked = linked
        self.subscriptions = observed.StoredSubscriptions(pool, practice, keyring)

    async def known(self, resource: str) -> list[tuple[str, str]]:
        """The recorded records of a resource, as (record, whose); a row that cannot be one is passed over."""
        rows = await observed.observed_records(self._pool, self._practice, self._system, resource)
        found = {record: parent for record, _, parent in rows if is_record(resource, record, parent)}
        if resource == "patients" and self._linked:
            for ehr, billing in await tables.links(self._pool, self._practice):
                chart = str(ehr if self._system is System.EHR else billing)
                found.setdefault(chart, chart)
        return list(found.items())

    async def watermark(self, source: str) -> str | None:
        return await observed.get_checkpoint(self._pool, self._practice, source)


def seen_records(
    pool: Connection, practice: PracticeId, system: System, keyring: Keyring | None = None, *, hashes: bool = True
) -> KnownRecords:
    """What an intake asks: what was recorded of records. Without `hashes` nothing counts as read, so that all is read again.

    Where hashes are keyed and `keyring` does not know of it yet, it learns it first: nothing would compare equal.
    """

    async def known(records: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        rows = await observed.lookup_observed(pool, practice, system, records)
        keyed = any(row.content_hash.startswith(MARK) for row in rows.values())
        if keyed and keyring is not None and keyring.hash_key(practice) is None:
            await keyring.refresh([practice])
        usable = {key: row for key, row in rows.items() if is_record(*key, row.parent)}
        return usable if hashes else {key: replace(row, content_hash="") for key, row in usable.items()}

    return known
