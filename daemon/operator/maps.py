"""The maps of a practice as people see them: both sides with names, where each row comes from, what waits for it, and who may be meant.

The names are those of the directory that the daemon has read: no vendor is asked. What saving a row would lead to is rehearsed in
memory with the deciding code itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.tables import documents as tables
from daemon.tables.maps import first_patients, patients_waiting_for
from events.commands import MapGiveBackRequested, MapRequested
from events.ids import PatientKey
from events.maps import NO_RECORD, MapKind, map_key
from events.records import Location, Provider
from events.store import Store
from projections.rules.mapping import DIRECTORY, MapRow, better_row, rows_missed, suggestions
from projections.state.directory import Directory, SavedRow
from projections.state.maps import Mapped, MapSource, carrier_for, carrier_of, counterpart, provider_name, without_saved
from projections.state.patient import Patient, decode_patient
from projections.terms.policy import Policy
from projections.trial.dry_run import DryRun, Planned, rehearse_map

MOST_WAITING = 2000
"""Patients that wait for the maps and are opened to see which row each misses."""
MOST_PATIENTS = 1000
"""Where a practice has no more, all are looked at to say what a row that leads elsewhere would have written anew."""


@dataclass(frozen=True)
class MapRecord:
    """A record that is mapped, or mapped to, as its system calls it."""

    id: str
    name: str
    more: str = ""
    active: bool = True


@dataclass(frozen=True)
class MapLine:
    """A row: `there` is what it leads to, `without` what it would lead to if nobody had saved it. `waits` are items by code."""

    row: MapRow
    here: MapRecord
    there: MapRecord | None
    source: MapSource
    saved: SavedRow | None
    without: Mapped
    without_name: str
    waits: Mapping[str, int]
    suggested: tuple[tuple[MapRecord, str], ...] = ()

    @property
    def missing(self) -> bool:
        """Whether somebody should see to it: it leads nowhere, and is in use or waited for."""
        return self.there is None and (self.here.active or bool(self.waits))


@dataclass(frozen=True)
class CarrierLine:
    """An insurance company of the billing side and the carrier of the chart side that it is, None where one is created when needed."""

    company: MapRecord
    carrier: MapRecord | None
    source: str


@dataclass(frozen=True)
class Maps:
    """All rows by kind; `choices` are the records that a row of a kind may lead to. `complete`: everybody who waits was opened."""

    lines: Mapping[MapKind, tuple[MapLine, ...]]
    carriers: tuple[CarrierLine, ...]
    choices: Mapping[MapKind, tuple[MapRecord, ...]]
    read: bool
    complete: bool = True

    def line(self, row: MapRow) -> MapLine | None:
        return next((one for one in self.lines.get(row.kind, ()) if one.row == row), None)


# -- the rows ---------------------------------------------------------------------------------------------------------------


async def maps_of(store: Store, policy: Policy) -> Maps:
    """The maps of a practice as they stand."""
    return _maps(*await _read(store, policy), policy)


def _maps(directory: Directory, waiting: Mapping[PatientKey, Patient], policy: Policy) -> Maps:
    waits: dict[MapRow, Counter[str]] = {}
    for patient, slot, rows in missed_by(waiting.values(), directory, policy):
        for row in rows:
            waits.setdefault(row, Counter())[patient.waiting[slot].code] += 1
    return Maps(
        lines={kind: tuple(_lines(kind, directory, policy, waits)) for kind in MapKind},
        carriers=tuple(_carriers(directory)),
        choices={kind: _choices(kind, directory) for kind in MapKind},
        read=directory.ehr_seen and directory.billing_seen,
        complete=len(waiting) < MOST_WAITING,
    )


def missed_by(
    patients: Iterable[Patient], directory: Directory, policy: Policy
) -> Iterator[tuple[Patient, str, tuple[MapRow, ...]]]:
    """Each item that waits for a row of the maps: the patient, the item's slot, and the rows."""
    for patient in patients:
        for slot in patient.waiting:
            if rows := rows_missed(patient, slot, directory, policy):
                yield patient, slot, rows


async def _read(store: Store, policy: Policy) -> tuple[Directory, dict[PatientKey, Patient]]:
    """The directory, and who waits for it."""
    practice = policy.practice
    directory = await tables.directory(store.pool, practice, store.keyring)
    keys = await patients_waiting_for(store.pool, practice, DIRECTORY, MOST_WAITING)
    return directory, await _opened(store, policy, keys)


async def _opened(store: Store, policy: Policy, keys: Sequence[PatientKey]) -> dict[PatientKey, Patient]:
    documents = await tables.shown_patients(store.pool, policy.practice, keys, store.keyring)
    return {key: decode_patient(doc) for key, (_, doc) in sorted(documents.items())}


def _lines(
    kind: MapKind, directory: Directory, policy: Policy, waits: Mapping[MapRow, Mapping[str, int]]
) -> Iterator[MapLine]:
    known = _records(kind, directory)
    choices = {one.id: one for one in _choices(kind, directory)}
    saved = {one.row.id for one in directory.mapped.values() if one.row.kind is kind}
    missed = {row.id for row in waits if row.kind is kind}
    by_file: dict[MapKind, Mapping[int, object]] = {
        MapKind.PROVIDER: policy.providers,
        MapKind.LOCATION: policy.locations,
        MapKind.PLACE: policy.places_of_service,
    }
    listed = {*known, *saved, *missed, *by_file.get(kind, ())}
    for id_ in sorted(listed, key=lambda one: (known[one].name.casefold() if one in known else "", one)):
        row, to = MapRow(kind, id_), counterpart(kind, id_, directory, policy)
        without = without_saved(kind, id_, directory, policy)
        yield MapLine(
            row=row,
            here=known.get(id_, MapRecord(str(id_), "", active=False)),
            there=_named(to.to, choices),
            source=to.source,
            saved=directory.mapped.get(map_key(kind, id_)),
            without=without,
            without_name=named.name if (named := _named(without.to, choices)) is not None else "",
            waits=dict(waits.get(row, {})),
            suggested=tuple(
                (choices[str(one.id)], one.why)
                for one in suggestions(kind, id_, directory)
                if str(one.id) in choices and str(one.id) != to.to
            ),
        )


def _named(to: str, choices: Mapping[str, MapRecord]) -> MapRecord | None:
    return choices.get(to, MapRecord(to, "")) if to else None


def _records(kind: MapKind, directory: Directory) -> dict[int, MapRecord]:
    """What is mapped, by its id."""
    match kind:
        case MapKind.PROVIDER:
            return {one.id: _person(one) for one in directory.physicians}
        case MapKind.CALENDAR:
            return {one.id: _person(one) for one in directory.providers}
        case MapKind.LOCATION | MapKind.PLACE:
            return {one.id: _place(one) for one in directory.ehr_locations}
    return {NO_RECORD: MapRecord("", "Default physician")}


def _choices(kind: MapKind, directory: Directory) -> tuple[MapRecord, ...]:
    """What a row of this kind may lead to, by name; a place of service has codes and no list."""
    if kind is MapKind.PLACE:
        return ()
    if kind is MapKind.LOCATION:
        found = [_place(one) for one in directory.billing_locations]
    else:
        found = [_person(one) for one in (directory.providers if kind is MapKind.PROVIDER else directory.physicians)]
    return tuple(sorted(found, key=lambda one: (one.name.casefold(), one.id)))


def _person(one: Provider) -> MapRecord:
    return MapRecord(str(one.id), provider_name(one), f"NPI {one.npi}" if one.npi.strip() else "", one.active)


def _place(one: Location) -> MapRecord:
    return MapRecord(
        str(one.id), one.name, f"place of service {one.place_of_service}" if one.place_of_service else "", one.active
    )


def _carriers(directory: Directory) -> Iterator[CarrierLine]:
    carriers = {one.id: MapRecord(str(one.id), one.name) for one in directory.carriers}
    companies = {one.company_id: one.company_name for one in directory.billing_plans.values() if one.company_id}
    for company, name in sorted(companies.items(), key=lambda one: (one[1].casefold(), one[0])):
        ours, found = carrier_of(company, directory), carrier_for(company, name, directory)
        made = found is not None and directory.created_carriers.get(company) == found
        source = "created for it" if made else "carries its id" if ours is not None else "name" if found else "nothing"
        there = None if found is None else carriers.get(found, MapRecord(str(found), ""))
        yield CarrierLine(MapRecord(company, name), there, source)


# -- what a change would come to ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GoesOn:
    """An item that would wait no longer."""

    patient: Patient
    slot: str
    code: str


@dataclass(frozen=True)
class MapEffect:
    """What saving a row (or, without `to`, giving it back) would come to, as everything stands now.

    `line` is the row as it is. `refused` says why it would not be done. `everybody`: the row led to somebody else before, so all patients
    are looked at again; `all_seen` says whether `writes` are those of all of them, or of those alone who wait.
    """

    line: MapLine
    to: MapRecord | None
    goes_on: tuple[GoesOn, ...]
    writes: tuple[Planned, ...]
    refused: str
    everybody: bool
    all_seen: bool
    observing: bool

    @property
    def was(self) -> str:
        """What the row led to when this was shown: goes into the command."""
        return self.line.there.id if self.line.there is not None else ""

    def counts(self) -> Counter[str]:
        """The items that would go on, by code."""
        return Counter(one.code for one in self.goes_on)

    def written(self) -> Counter[str]:
        """The writes that would follow, by resource."""
        return Counter(one.resource for one in self.writes)


async def effect_of(store: Store, policy: Policy, row: MapRow, to: str | None, now: datetime) -> MapEffect | None:
    """What it would come to if the row led to `to`, or (None) were given back; None where there is no such row.

    Where two people are one, that is what is saved: of a calendar whose physician has no provider yet it is the physician's row.
    """
    directory, waiting = await _read(store, policy)
    if to is not None:
        row, to = better_row(row.kind, row.id, to, directory, policy)
    line = _maps(directory, waiting, policy).line(row)
    if line is None:
        return None
    everybody = line.there is not None
    patients = waiting
    keys = await first_patients(store.pool, policy.practice, MOST_PATIENTS + 1) if everybody else []
    if all_seen := len(keys) <= MOST_PATIENTS and len(waiting) < MOST_WAITING:
        patients = waiting | await _opened(store, policy, [key for key in keys if key not in waiting])
    body: MapRequested | MapGiveBackRequested = MapGiveBackRequested(kind=row.kind, id=row.id, who="")
    if to is not None:
        body = MapRequested(kind=row.kind, id=row.id, to=to, who="")
    run = await asyncio.to_thread(rehearse_map, patients, directory, body, policy, now)
    found = () if run.refused is not None else tuple(_goes_on(waiting, run))
    choices = {one.id: one for one in _choices(row.kind, directory)}
    return MapEffect(
        line=line,
        to=_named(to or "", choices),
        goes_on=found,
        writes=() if run.refused is not None else tuple(run.writes),
        refused="" if run.refused is None else run.refused.text,
        everybody=everybody,
        all_seen=all_seen,
        observing=policy.observes or directory.observing,
    )


def _goes_on(waiting: Mapping[PatientKey, Patient], run: DryRun) -> Iterator[GoesOn]:
    """What waits for the directory now and would not any more."""
    for key, patient in waiting.items():
        then = run.patients.get(key)
        for slot, one in patient.waiting.items():
            if DIRECTORY in one.depends_on and (then is None or slot not in then.waiting):
                yield GoesOn(patient, slot, one.code)
