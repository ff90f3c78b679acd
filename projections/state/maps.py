"""How the records of both systems map: providers and their calendars, locations and their places of service, carriers and plans.

What a person has saved goes first, then the configuration, then the NPI, then the exact name, only where unambiguous (guide: maps).
Anything unmapped is None here and a visible waiting item where it is needed. Pure, from the directory and the practice's rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from events.maps import NO_RECORD, MapKind, map_key
from events.records import BillingPlan, Provider
from projections.state.directory import Directory
from projections.terms.codecs import squeeze
from projections.terms.policy import Policy


class MapSource(StrEnum):
    """Where a row comes from."""

    PERSON = "person"
    FILE = "file"
    NPI = "NPI"
    NAME = "name"
    RECORD = "record"
    """As the record itself says."""
    NOTHING = "nothing"


class Mapped(NamedTuple):
    """What a row leads to, "" for nothing, and where it comes from."""

    to: str
    source: MapSource


UNMAPPED_ROW = Mapped("", MapSource.NOTHING)


def counterpart(kind: MapKind, id_: int, directory: Directory, policy: Policy) -> Mapped:
    """What a row of this kind leads to now: what everything here is decided by."""
    saved = _saved(kind, id_, directory)
    return Mapped(saved, MapSource.PERSON) if saved is not None else without_saved(kind, id_, directory, policy)


def without_saved(kind: MapKind, id_: int, directory: Directory, policy: Policy) -> Mapped:
    """What the row would lead to if no person had saved it."""
    match kind:
        case MapKind.PROVIDER:
            return _by_file(policy.providers, id_) or _alike(_of(id_, directory.physicians), directory.providers)
        case MapKind.CALENDAR:
            return _physician_of(id_, directory, policy)
        case MapKind.LOCATION:
            return _by_file(policy.locations, id_) or _location_alike(id_, directory)
        case MapKind.PLACE:
            return _by_file(policy.places_of_service, id_) or _place_told(id_, directory)
        case MapKind.PHYSICIAN:
            chosen = policy.default_physician
            return UNMAPPED_ROW if chosen is None else Mapped(str(chosen), MapSource.FILE)


def _saved(kind: MapKind, id_: int, directory: Directory) -> str | None:
    row = directory.mapped.get(map_key(kind, id_)) if directory.mapped else None
    return None if row is None else row.row.to


def _saved_id(kind: MapKind, id_: int, directory: Directory) -> int | None:
    saved = _saved(kind, id_, directory)
    return None if saved is None else int(saved)


def _by_file(rows: Mapping[int, int] | Mapping[int, str], id_: int) -> Mapped | None:
    return Mapped(str(rows[id_]), MapSource.FILE) if id_ in rows else None


# -- providers ------------------------------------------------------------------------------------------------------------


def provider_for(physician: int, directory: Directory, policy: Policy) -> int | None:
    """The billing side's provider of a physician of the chart side, None where unmapped or ambiguous."""
    if (saved := _saved_id(MapKind.PROVIDER, physician, directory)) is not None:
        return saved
    if physician in policy.providers:
        return policy.providers[physician]
    known = _of(physician, directory.physicians)
    return None if known is None else _number(_alike(known, directory.providers))


def provider_rows(directory: Directory, policy: Policy) -> Mapping[int, int]:
    """The physicians that a person or the configuration maps, with their providers."""
    if not directory.mapped:
        return policy.providers
    saved = (one.row for one in directory.mapped.values() if one.row.kind is MapKind.PROVIDER)
    return {**policy.providers, **{row.id: int(row.to) for row in saved}}


def physician_for(provider: int, directory: Directory, policy: Policy) -> int | None:
    """The chart side's physician of a provider of the billing side, None where unmapped or ambiguous."""
    return _number(_physician_of(provider, directory, policy))


def _physician_of(provider: int, directory: Directory, policy: Policy) -> Mapped:
    rows = provider_rows(directory, policy)
    by_hand = [ehr for ehr, billing in rows.items() if billing == provider]
    if by_hand:
        saved = _saved(MapKind.PROVIDER, by_hand[0], directory) is not None
        source = MapSource.PERSON if saved else MapSource.FILE
        return Mapped(str(by_hand[0]), source) if len(by_hand) == 1 else UNMAPPED_ROW
    return _alike(_of(provider, directory.providers), directory.physicians)


def calendar_for(provider: int, directory: Directory, policy: Policy) -> int | None:
    """The physician in whose calendar a provider's appointments stand: one that a person chose, else the provider's own."""
    chosen = _saved_id(MapKind.CALENDAR, provider, directory)
    return physician_for(provider, directory, policy) if chosen is None else chosen


def default_physician(directory: Directory, policy: Policy) -> int | None:
    """The physician of a chart that is created for a patient without a mapped provider."""
    chosen = _saved_id(MapKind.PHYSICIAN, NO_RECORD, directory)
    return policy.default_physician if chosen is None else chosen


class Unmapped(StrEnum):
    """Why a provider of the billing system has no calendar on the chart side."""

    UNKNOWN = "unknown"
    INACTIVE = "inactive"
    SEVERAL = "several"


def why_unmapped(provider: int, directory: Directory, policy: Policy) -> Unmapped:
    """Of a provider without a physician: nobody there is the provider, or several are, or only somebody who is not active."""
    if sum(billing == provider for billing in provider_rows(directory, policy).values()) > 1:
        return Unmapped.SEVERAL
    known = _of(provider, directory.providers)
    if known is None:
        return Unmapped.UNKNOWN
    alike = [one for one in directory.physicians if is_alike(one, known) or (_npi(one) and _npi(one) == _npi(known))]
    if not alike:
        return Unmapped.UNKNOWN
    return Unmapped.SEVERAL if any(one.active for one in alike) else Unmapped.INACTIVE


def provider_named(name: str, directory: Directory) -> int | None:
    """The billing side's provider with exactly this full name (lists of appointments give names only)."""
    found = (one.id for one in directory.providers if squeeze(one.full_name) == squeeze(name))
    return _number(_only(found, MapSource.NAME))


def _alike(provider: Provider | None, others: tuple[Provider, ...]) -> Mapped:
    if provider is None:
        return UNMAPPED_ROW
    active = [one for one in others if one.active]
    npi = _npi(provider)
    if npi:
        by_npi = [one.id for one in active if _npi(one) == npi]
        if by_npi:
            return _only(by_npi, MapSource.NPI)
    by_name = (one.id for one in active if is_alike(one, provider) and not (_npi(one) and npi and _npi(one) != npi))
    return _only(by_name, MapSource.NAME)


def provider_name(one: Provider) -> str:
    """What a provider is called in full, "" for one without any name."""
    return one.full_name or f"{one.first_name} {one.last_name}".strip()


def same_npi(one: Provider, other: Provider) -> bool:
    """Whether two providers say the same NPI."""
    return bool(_npi(one)) and _npi(one) == _npi(other)


def _npi(provider: Provider) -> str:
    """The NPI without the blanks that people type around and into it."""
    return "".join(provider.npi.split())


def is_alike(one: Provider, other: Provider) -> bool:
    """Whether two providers have the same names."""
    return _person(one) == _person(other)


def _person(provider: Provider) -> tuple[str, str]:
    return squeeze(provider.first_name).casefold(), squeeze(provider.last_name).casefold()


def _of(id_: int, known: tuple[Provider, ...]) -> Provider | None:
    return next((one for one in known if one.id == id_), None)


# -- locations ------------------------------------------------------------------------------------------------------------


def location_for(location: int, directory: Directory, policy: Policy) -> int | None:
    """The billing side's service location of the chart side's: by hand, by configuration, else by exact name."""
    if (saved := _saved_id(MapKind.LOCATION, location, directory)) is not None:
        return saved
    if location in policy.locations:
        return policy.locations[location]
    return _number(_location_alike(location, directory))


def _location_alike(location: int, directory: Directory) -> Mapped:
    known = next((one for one in directory.ehr_locations if one.id == location), None)
    if known is None:
        return UNMAPPED_ROW
    name = squeeze(known.name).casefold()
    return _only((one.id for one in directory.billing_locations if squeeze(one.name).casefold() == name), MapSource.NAME)


def place_of_service_of(location: int | None, directory: Directory, policy: Policy) -> str | None:
    """The code that a person or the configuration gives a service location of the chart side; None where the bill's own counts."""
    if location is None:
        return None
    saved = _saved(MapKind.PLACE, location, directory)
    return policy.places_of_service.get(location) if saved is None else saved


def _place_told(location: int, directory: Directory) -> Mapped:
    known = next((one for one in directory.ehr_locations if one.id == location), None)
    told = "" if known is None else known.place_of_service
    return Mapped(told, MapSource.RECORD) if told else UNMAPPED_ROW


# -- carriers and plans ---------------------------------------------------------------------------------------------------


def carrier_of(company_id: str, directory: Directory) -> int | None:
    """The Elation carrier that is ours: created for this company of Kareo's, or carrying its id."""
    if company_id and company_id in directory.created_carriers:
        return directory.created_carriers[company_id]
    return min((one.id for one in directory.carriers if company_id and one.external_id == company_id), default=None)


def carrier_for(company_id: str, name: str, directory: Directory) -> int | None:
    """The Elation carrier of a Kareo insurance company: by Kareo's id, else by name."""
    if (ours := carrier_of(company_id, directory)) is not None:
        return ours
    free = [one.id for one in directory.carriers if not one.external_id and _insurer(one.name) == _insurer(name)]
    return min(free) if free else None


def plan_for(billing_plan: str, name: str, carrier: int, directory: Directory) -> int | None:
    """The Elation plan of a Kareo plan within `carrier`: created by us, else by normalized name."""
    if billing_plan and billing_plan in directory.created_plans:
        return directory.created_plans[billing_plan]
    same = [one.id for one in directory.plans if one.carrier == carrier and _insurer(one.name) == _insurer(name)]
    return min(same) if same else None


def company_of(carrier: int | None, name: str, directory: Directory) -> str | None:
    """The billing side's insurance company of a chart side's carrier, by its id: one that a policy there has shown.

    By the id that the carrier carries or was created for, else by name where just one company has it.
    """
    known = {one.company_id: one.company_name for one in directory.billing_plans.values()}
    made = [company for company, id_ in directory.created_carriers.items() if id_ == carrier and company in known]
    told = [one.external_id for one in directory.carriers if one.id == carrier and one.external_id in known]
    if made or told:
        return _single((*made, *told))
    return _single(company for company, its in known.items() if _insurer(its) == _insurer(name) and _insurer(name))


def billing_plan_of(company: str, plan: int | None, name: str, directory: Directory) -> BillingPlan | None:
    """The billing side's plan, of `company`, of a chart side's plan: the one it was created for, else just one of its name."""
    known = [one for one in directory.billing_plans.values() if one.company_id == company]
    made = [one for one in known if plan is not None and directory.created_plans.get(one.plan_id) == plan]
    found = made or [one for one in known if _insurer(one.plan_name) == _insurer(name) and _insurer(name)]
    return found[0] if len(found) == 1 else None


def single_plan_of(company: str, directory: Directory) -> BillingPlan | None:
    """The only plan of `company` that a policy has shown."""
    known = [one for one in directory.billing_plans.values() if one.company_id == company]
    return known[0] if len(known) == 1 else None


def _insurer(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


def _single(ids: Iterable[str]) -> str | None:
    found = set(ids)
    return found.pop() if len(found) == 1 else None


def _only(ids: Iterable[int], source: MapSource) -> Mapped:
    found = set(ids)
    return Mapped(str(found.pop()), source) if len(found) == 1 else UNMAPPED_ROW


def _number(mapped: Mapped) -> int | None:
    return int(mapped.to) if mapped.to else None
