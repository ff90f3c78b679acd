"""Rows of a practice's maps that a person has saved, as bodies of events: such a row goes before the row of the configuration.

A row is named by its kind and the id of the record that it maps; the default physician has no such record, and the id 0.
"""

from __future__ import annotations

from enum import StrEnum

from events.records import Value


class MapKind(StrEnum):
    """What a row maps, and to what."""

    PROVIDER = "provider"
    """A physician of the chart side, to the provider of the billing side."""
    CALENDAR = "calendar"
    """A provider of the billing side, to the physician of the chart side in whose calendar the appointments stand."""
    LOCATION = "location"
    """A service location of the chart side, to the one of the billing side."""
    PLACE = "place-of-service"
    """A service location of the chart side, to its code of two digits."""
    PHYSICIAN = "default-physician"
    """The physician of a chart that is created for a patient without a mapped provider."""


NO_RECORD = 0
"""The id of a row that maps no record."""


class MapSaved(Value, frozen=True, kw_only=True):
    """From now on the row leads to `to`, whatever the configuration says of it."""

    kind: MapKind
    id: int
    to: str
    who: str
    reason: str = ""


class MapGivenBack(Value, frozen=True, kw_only=True):
    """From now on the row is as the configuration has it, or as NPI and name tell."""

    kind: MapKind
    id: int
    who: str
    reason: str = ""


MapChange = MapSaved | MapGivenBack
"""What a person has made of a row."""


def map_key(kind: MapKind, id_: int) -> str:
    """What names a row: there is one of each."""
    return f"{kind.value}:{id_}"
