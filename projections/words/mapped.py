"""Rows of the practice's maps, in words: what maps to what, where a row comes from, and what a change of one would come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from events.maps import MapChange, MapKind, MapSaved
from events.writes import Resource, System
from projections.state.maps import MapSource
from projections.terms.names import Names
from projections.words.headings import heading_of
from projections.words.shown import Shown
from projections.words.subject import RESOURCES

TITLES: Mapping[MapKind, str] = {
    MapKind.PROVIDER: "Providers: who of {ehr} is who in {billing}",
    MapKind.CALENDAR: "Calendars: in whose calendar of {ehr} the appointments of a provider of {billing} stand",
    MapKind.LOCATION: "Service locations: which of {ehr} is which in {billing}",
    MapKind.PLACE: "Places of service: the code that a service location of {ehr} is billed with",
    MapKind.PHYSICIAN: "Default physician: whose a chart of {ehr} becomes where the patient has no provider",
}
"""What the rows of a kind are, by the names of both systems."""

SOURCES: Mapping[MapSource, str] = {
    MapSource.PERSON: "saved by a person",
    MapSource.FILE: "the configuration",
    MapSource.NPI: "same NPI",
    MapSource.NAME: "same name",
    MapSource.RECORD: "as the record says",
    MapSource.NOTHING: "not mapped",
}


def source_in_words(source: MapSource) -> str:
    """Where a row comes from."""
    return SOURCES[source]


def effect_in_words(
    goes_on: Mapping[str, int],
    written: Mapping[str, int],
    names: Names,
    *,
    everybody: bool,
    all_seen: bool,
    observing: bool,
) -> Iterator[str]:
    """What a change of a row would come to: the items that go on by code, and the writes that follow by resource."""
    total = sum(goes_on.values())
    codes = ", ".join(f"{heading_of(code, names)} ({count})" for code, count in sorted(goes_on.items()))
    if total:
        yield f"{total} {'item goes' if total == 1 else 'items go'} on that {'waits' if total == 1 else 'wait'} now: {codes}"
    else:
        yield "nothing that waits now goes on"
    writes = sum(written.values())
    by_resource = ", ".join(f"{count} of {RESOURCES[Resource(resource)]}" for resource, count in sorted(written.items()))
    if writes:
        yield f"{writes} {'write follows' if writes == 1 else 'writes follow'}: {by_resource}"
    elif all_seen or not everybody:
        yield "nothing is written because of it"
    if everybody and all_seen:
        yield "it led elsewhere before: every patient of the practice is looked at again, and that is counted above"
    elif everybody:
        yield "it led elsewhere before: every patient is looked at again, and what it was used for is written anew; only those who wait are counted here"
    if observing:
        yield "the practice is only observed: nothing is written before it is live"


def row_in_words(kind: MapKind, id_: int, shown: Shown) -> str:
    """What a row maps."""
    ehr, billing = shown.label(System.EHR), shown.label(System.BILLING)
    match kind:
        case MapKind.PROVIDER:
            return f"{ehr} provider {id_}"
        case MapKind.CALENDAR:
            return f"the calendar of {billing} provider {id_}"
        case MapKind.LOCATION:
            return f"{ehr} service location {id_}"
        case MapKind.PLACE:
            return f"the place of service of {ehr} service location {id_}"
        case MapKind.PHYSICIAN:
            return f"the default physician of {ehr}"


def target_in_words(kind: MapKind, to: str, shown: Shown) -> str:
    """What a row leads to."""
    match kind:
        case MapKind.PROVIDER:
            return f"{shown.label(System.BILLING)} provider {to}"
        case MapKind.LOCATION:
            return f"{shown.label(System.BILLING)} service location {to}"
        case MapKind.PLACE:
            return f"code {to}"
        case MapKind.CALENDAR | MapKind.PHYSICIAN:
            return f"{shown.label(System.EHR)} provider {to}"


def map_change(body: MapChange, shown: Shown) -> str:
    """What a person has made of a row, and why."""
    row, why = row_in_words(body.kind, body.id, shown), f": {body.reason}" if body.reason else ""
    if isinstance(body, MapSaved):
        return f"{row} maps to {target_in_words(body.kind, body.to, shown)} from now on, says {body.who}{why}"
    return f"{row} is given back to the configuration, says {body.who}{why}"
