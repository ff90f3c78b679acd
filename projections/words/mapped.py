"""Rows of the practice's maps, in words: what maps to what, by the names of the systems and the ids of the records."""

from __future__ import annotations

from events.maps import MapChange, MapKind, MapSaved
from events.writes import System
from projections.words.shown import Shown


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
