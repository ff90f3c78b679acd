"""The work list: what waits in a practice, from the list beside the documents, so that nobody's body is opened to count or to sort.

The console's pages and `chartwire waiting` are both made of it (`work_of`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

from daemon.tables import documents as tables
from daemon.tables.accounts import SQL as CONSOLE
from daemon.tables.queries import SQL
from events.codes import WaitCode
from events.connection import Connection
from events.ids import PRACTICE, BillingPatientId, PatientKey, PracticeId, billing_key
from events.slots import parse_slot
from events.store import Store
from projections.state.directory import Directory
from projections.state.open_intents import Waiting
from projections.state.patient import Patient, decode_patient, is_barred
from projections.terms.names import Names
from projections.words.kept_aside import waiting_in_words
from projections.words.remedy import Audience, Remedy, meaning_of, remedy_of


class Work(NamedTuple):
    """An item by what the list knows of it; `key` is "" for the practice's own."""

    key: PatientKey
    slot: str
    code: str
    since: datetime

    @property
    def audience(self) -> Audience:
        """Who can do something about it."""
        return meaning_of(self.code).audience

    @property
    def remedy(self) -> Remedy:
        """What resolves it: the command that `chartwire waiting` prints is of the same."""
        return remedy_of(self.slot, self.code, of_patient=bool(self.key))

    @property
    def about(self) -> str:
        """What its slot names: a field, a bill."""
        return parse_slot(self.slot)[1]


async def work_of(connection: Connection, practice: PracticeId) -> list[Work]:
    """All that waits, the oldest first; nothing is opened for it."""
    rows = await connection.fetch(SQL["all_waiting"], practice)
    return sorted(map(Work._make, rows), key=itemgetter(3, 0, 1))


PAIRS_AT_ONCE = 1000
"""Charts that wait for a link and are opened to see which of them wait for one another."""


class Doubled:
    """Which items of a practice say what another one says, as of an event of it. Only keys are remembered."""

    def __init__(self) -> None:
        self._known: dict[PracticeId, tuple[int, frozenset[PatientKey]]] = {}

    async def of(self, store: Store, practice: PracticeId, undecided: Sequence[Work], at: int) -> frozenset[PatientKey]:
        """Of these items, read not before event `at`, those that are left out. Opens their bodies where that was not done yet."""
        known = self._known.get(practice)
        if known is None or known[0] != at:
            known = self._known[practice] = at, await _doubled(store, practice, undecided)
        return known[1]


async def once_each(store: Store, practice: PracticeId, work: Sequence[Work], doubled: Doubled, at: int) -> list[Work]:
    """The work, read not before event `at`, with one item for a pair of charts that wait for one another: the billing patient's."""
    undecided = [one for one in work if one.code == WaitCode.CANDIDATES]
    if not undecided or len(undecided) > PAIRS_AT_ONCE:
        return list(work)
    out = await doubled.of(store, practice, undecided, at)
    return [one for one in work if one.code != WaitCode.CANDIDATES or one.key not in out]


async def _doubled(store: Store, practice: PracticeId, undecided: Sequence[Work]) -> frozenset[PatientKey]:
    waiting = {one.key for one in undecided}
    patients, _ = await opened(store, practice, undecided)
    return frozenset(
        key
        for key, patient in patients.items()
        if not patient.in_billing
        and (found := patient.search.candidates if patient.search else ())
        and all(
            billing_key(BillingPatientId(one.id)) in waiting or is_barred(patient, one.id, patient.in_billing)
            for one in found
        )
    )


def by_code(work: Sequence[Work]) -> list[tuple[str, Audience, int, datetime]]:
    """Code, whom it is for, how many and the oldest, the most frequent first."""
    counts = Counter(one.code for one in work)
    oldest: dict[str, datetime] = {}
    for one in work:
        oldest.setdefault(one.code, one.since)
    return [(code, meaning_of(code).audience, count, oldest[code]) for code, count in counts.most_common()]


async def kinds_of(connection: Connection, practice: PracticeId) -> list[tuple[str, Audience, int, datetime]]:
    """As `by_code` of all that waits, counted in PostgreSQL."""
    rows = await connection.fetch(CONSOLE["waiting_kinds"], practice)
    return [(row["code"], meaning_of(row["code"]).audience, row["count"], row["since"]) for row in rows]


async def opened(
    store: Store, practice: PracticeId, work: Collection[Work]
) -> tuple[Mapping[PatientKey, Patient], Directory]:
    """The patients of these items, and the directory: for who may see them."""
    keys = sorted({one.key for one in work if one.key})
    documents = await tables.load_patients(store.pool, practice, keys, store.keyring)
    directory = await tables.directory(store.pool, practice, store.keyring)
    return {key: decode_patient(doc) for key, (_, doc) in documents.items()}, directory


def entry(one: Work, patients: Mapping[PatientKey, Patient], directory: Directory) -> Waiting | None:
    """The item as the documents have it; None where it does not wait any more."""
    waiting = directory.waiting if one.key == PRACTICE else patients[one.key].waiting if one.key in patients else {}
    return waiting.get(one.slot)


def reason(one: Work, patients: Mapping[PatientKey, Patient], directory: Directory, names: Names) -> str:
    """Why it waits, in words for people; "" where it does not wait any more."""
    known = entry(one, patients, directory)
    return waiting_in_words(one.slot, known.text, names) if known is not None else ""
