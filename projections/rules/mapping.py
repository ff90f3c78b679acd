"""Which rows of the practice's maps are missed by what waits, and who may be the counterpart of a record that has none. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from events.maps import NO_RECORD, MapKind
from events.records import Location, Provider
from events.slots import SlotKind, parse_slot
from projections.matching import Level, Person, names_level, normalize
from projections.matching.levels import MISTYPED, SAID
from projections.rules.appointments import billing_provider
from projections.rules.encounters import rows_missed_by
from projections.state.directory import Directory
from projections.state.maps import calendar_for, default_physician, physician_for, provider_for, same_npi
from projections.state.patient import Patient
from projections.terms.policy import Policy

DIRECTORY = "directory"
"""What waits for a map depends on this, as what waits for a record of the directory does."""


class MapRow(NamedTuple):
    """A row of the maps, by what names it."""

    kind: MapKind
    id: int


# -- what waits -----------------------------------------------------------------------------------------------------------


def rows_missed(patient: Patient, slot: str, directory: Directory, policy: Policy) -> tuple[MapRow, ...]:
    """The rows that a waiting item of the patient misses: with them it would go on. None for what waits for something else."""
    waits = patient.waiting.get(slot)
    if waits is None or DIRECTORY not in waits.depends_on:
        return ()
    kind, id_ = parse_slot(slot)
    match kind:
        case SlotKind.BILL if id_ in patient.bills:
            return tuple(MapRow(*one) for one in rows_missed_by(patient.bills[id_].bill, directory, policy))
        case SlotKind.APPOINTMENT if id_ in patient.appointments:
            provider = billing_provider(patient.appointments[id_].seen, directory)
            missed = provider is not None and calendar_for(provider, directory, policy) is None
            return (MapRow(MapKind.CALENDAR, provider),) if provider is not None and missed else ()
        case SlotKind.FIELD:
            return tuple(_providers_missed(patient, directory, policy))
        case SlotKind.CHART:
            found = tuple(_providers_missed(patient, directory, policy))
            none = default_physician(directory, policy) is None
            return (*found, MapRow(MapKind.PHYSICIAN, NO_RECORD)) if none else found
    return ()


def _providers_missed(patient: Patient, directory: Directory, policy: Policy) -> Iterable[MapRow]:
    physician = patient.ehr.chart.physician if patient.ehr else None
    if physician and provider_for(physician, directory, policy) is None:
        yield MapRow(MapKind.PROVIDER, physician)
    provider = patient.billing.chart.provider if patient.billing else None
    if provider and physician_for(provider, directory, policy) is None:
        yield MapRow(MapKind.CALENDAR, provider)


def better_row(kind: MapKind, id_: int, to: str, directory: Directory, policy: Policy) -> tuple[MapRow, str]:
    """What to save so that `id_` leads to `to`: of a calendar whose physician has no provider yet that the two are one person."""
    if kind is MapKind.CALENDAR and to.isascii() and to.isdecimal() and provider_for(int(to), directory, policy) is None:
        return MapRow(MapKind.PROVIDER, int(to)), str(id_)
    return MapRow(kind, id_), to


# -- who may be meant -----------------------------------------------------------------------------------------------------


class Suggestion(NamedTuple):
    """A record of the other system that may be meant, and why."""

    id: int
    why: str


def suggestions(kind: MapKind, id_: int, directory: Directory) -> tuple[Suggestion, ...]:
    """Who may be meant, the likeliest first: by NPI, then by name as people misspell it."""
    match kind:
        case MapKind.PROVIDER:
            return _people_like(id_, directory.physicians, directory.providers)
        case MapKind.CALENDAR:
            return _people_like(id_, directory.providers, directory.physicians)
        case MapKind.LOCATION:
            return _places_like(id_, directory.ehr_locations, directory.billing_locations)
    return ()


def _people_like(id_: int, ours: tuple[Provider, ...], theirs: tuple[Provider, ...]) -> tuple[Suggestion, ...]:
    mine = next((one for one in ours if one.id == id_), None)
    if mine is None:
        return ()
    active = [one for one in theirs if one.active]
    by_npi = [Suggestion(one.id, "same NPI") for one in active if same_npi(one, mine)]
    named = {one.id for one in by_npi}
    ranked = sorted((rank, one.id, why) for one in active if one.id not in named for rank, why in _alike_by_name(mine, one))
    return (*by_npi, *(Suggestion(other, why) for _, other, why in ranked))


def _alike_by_name(one: Provider, other: Provider) -> list[tuple[int, str]]:
    """How alike the names are, the more alike first; nothing where they are not."""
    here, there = (
        normalize(Person(id="", first_name=each.first_name, last_name=each.last_name)).names for each in (one, other)
    )
    levels = names_level(here, there)
    if levels == (Level.EXACT, Level.EXACT):
        return [(0, "same name")]
    if all(level in SAID | MISTYPED for level in levels):
        return [(1, "name alike")]
    return [(2, "same last name")] if levels[1] is Level.EXACT else []


def _places_like(id_: int, ours: tuple[Location, ...], theirs: tuple[Location, ...]) -> tuple[Suggestion, ...]:
    mine = next((one for one in ours if one.id == id_), None)
    if mine is None:
        return ()
    words = _words(mine.name)
    alike = sorted((-len(words & _words(one.name)), one.id) for one in theirs if one.active and words & _words(one.name))
    same = {one.id for one in theirs if _words(one.name) == words}
    return tuple(Suggestion(other, "same name" if other in same else "name alike") for _, other in alike)


def _words(name: str) -> frozenset[str]:
    clean = "".join(char if char.isalnum() else " " for char in name.casefold())
    return frozenset(clean.split())
