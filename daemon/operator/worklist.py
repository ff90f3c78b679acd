"""The work list: what waits in a practice, from the list beside the documents, so that nobody's body is opened to count or to sort.

The console's pages and `chartwire waiting` are both made of it (`work_of`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from daemon.tables import documents as tables
from daemon.tables.queries import CONSOLE
from events.codes import WaitCode
from events.connection import Connection
from events.ids import PRACTICE, BillingPatientId, PatientKey, PracticeId, billing_key
from events.slots import SlotKind, parse_slot
from events.store import Store
from projections.rules.accepted import shown_as
from projections.state.directory import Directory
from projections.state.open_intents import Waiting
from projections.state.patient import Patient, decode_patient, is_barred
from projections.terms.names import Names
from projections.terms.policy import Policy
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


async def work_of(
    connection: Connection,
    practice: PracticeId,
    *,
    codes: Collection[str] | None = None,
    kind: SlotKind | None = None,
    out: Collection[PatientKey] = (),
    first: int = 0,
    most: int | None = None,
) -> list[Work]:
    """What waits, the oldest first; nothing is opened for it. Without more all of it, else what is asked for:

    what waits under these `codes`, in slots of this `kind` (of those that name a record), without the undecided items of the patients
    `out`, and of that `most` items from number `first` on.
    """
    begins = "" if kind is None else f"{kind.value}:"
    wanted = (None if codes is None else list(codes), begins, WaitCode.CANDIDATES.value, list(out), first, most)
    return [Work._make(row) for row in await connection.fetch(CONSOLE["waiting_some"], practice, *wanted)]


async def work_at(connection: Connection, practice: PracticeId, key: PatientKey, slot: str) -> Work | None:
    """The item in this slot; None where it does not wait (any more)."""
    row = await connection.fetchrow(CONSOLE["waiting_one"], practice, key, slot)
    return None if row is None else Work._make(row)


async def count_of(connection: Connection, practice: PracticeId, kind: SlotKind) -> int:
    """How much waits in slots of this kind."""
    return int(await connection.fetchval(CONSOLE["waiting_in"], practice, f"{kind.value}:"))


class WorkKind(NamedTuple):
    """How much waits under a code, whom it is for, and since when the first of it waits."""

    code: str
    audience: Audience
    items: int
    since: datetime


async def kinds_of(connection: Connection, practice: PracticeId) -> list[WorkKind]:
    """All that waits by code, the most frequent first, counted in PostgreSQL."""
    rows = await connection.fetch(CONSOLE["waiting_kinds"], practice)
    return [WorkKind(row["code"], meaning_of(row["code"]).audience, row["count"], row["since"]) for row in rows]


# -- a pair is one item ----------------------------------------------------------------------------------------------------

PAIRS_AT_ONCE = 1000
"""Charts that wait for a link and are opened to see which of them wait for one another."""

Others = tuple[PatientKey, ...] | None
"""The billing patients whom a chart waits for; None where its own item is the one that is listed."""


class Doubled:
    """Which items say what another one says. Of a document only keys are remembered, for as long as it is as it was."""

    def __init__(self) -> None:
        self._known: dict[PracticeId, dict[PatientKey, tuple[int, Others]]] = {}

    async def of(self, store: Store, practice: PracticeId, undecided: Collection[PatientKey]) -> frozenset[PatientKey]:
        """Of these patients, who wait for a link, those whose item is left out. Opens the documents that have changed."""
        rows = await store.pool.fetch(CONSOLE["patient_sequences"], practice, list(undecided))
        sequences = {PatientKey(row["patient_key"]): row["sequence"] for row in rows}
        before = self._known.get(practice, {})
        known = {key: before[key] for key, sequence in sequences.items() if key in before and before[key][0] == sequence}
        changed = [key for key in sequences if key not in known]
        documents = await tables.shown_patients(store.pool, practice, changed, store.keyring) if changed else {}
        known |= {key: (sequence, _others(decode_patient(doc))) for key, (sequence, doc) in documents.items()}
        self._known[practice] = known
        waiting = set(undecided)
        return frozenset(
            key for key, (_, others) in known.items() if others is not None and all(one in waiting for one in others)
        )


def _others(patient: Patient) -> Others:
    found = patient.search.candidates if patient.search else ()
    if patient.in_billing or not found:
        return None
    wanted = (one.id for one in found if not is_barred(patient, one.id, patient.in_billing))
    return tuple(billing_key(BillingPatientId(one)) for one in wanted)


async def once_each(
    store: Store, practice: PracticeId, kinds: Sequence[WorkKind], doubled: Doubled
) -> tuple[list[WorkKind], frozenset[PatientKey]]:
    """The kinds with one item for a pair of charts that wait for one another, the billing patient's, and whose item is left out.

    Opens bodies: for who may see patients.
    """
    undecided = [one for one in kinds if one.code == WaitCode.CANDIDATES and one.items <= PAIRS_AT_ONCE]
    if not undecided:
        return list(kinds), frozenset()
    work = await work_of(store.pool, practice, codes=[WaitCode.CANDIDATES], most=PAIRS_AT_ONCE)
    out = await doubled.of(store, practice, {one.key for one in work if one.key})
    left = [one for one in work if one.key not in out]
    others = [one for one in kinds if one not in undecided]
    if left:
        others.append(undecided[0]._replace(items=len(left), since=left[0].since))
    return sorted(others, key=lambda one: (-one.items, one.code)), out


# -- what an item says ------------------------------------------------------------------------------------------------------


async def opened(
    store: Store, practice: PracticeId, work: Collection[Work]
) -> tuple[Mapping[PatientKey, Patient], Directory]:
    """The patients of these items, and the directory: for who may see them."""
    keys = sorted({one.key for one in work if one.key})
    documents = await tables.shown_patients(store.pool, practice, keys, store.keyring)
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


LOOKED_AT = frozenset({Remedy.BY_HAND, Remedy.SEEN, Remedy.REMOVE_POLICY})
"""Remedies by which somebody answers for what is there: the others make it anew of what is there by then."""


def shown_of(one: Work, patient: Patient | None, directory: Directory, policy: Policy) -> str:
    """What an item that somebody answers for is about as it is now, "" for any other.

    A page sends it along with the deed, so that nobody accepts what came after the page was shown.
    """
    if one.remedy not in LOOKED_AT:
        return ""
    return shown_as(one.code, one.slot, patient, directory, policy)
