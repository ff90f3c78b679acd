"""Days on which people save rows of the practices' maps and give them back, while everything else goes on."""

from __future__ import annotations

from tests.simulation.more_deeds import with_more
from tests.simulation.plan import Plan

MAPPING: dict[str, int] = {
    "maps a provider": 3,
    "chooses a calendar": 3,
    "maps the annex": 2,
    "chooses a default physician": 1,
    "gives a row of the maps back": 4,
    "books an appointment in Kareo": 4,
    "signs a note in Elation": 4,
    "signs a note with a faulty bill in Elation": 3,
    "registers a patient in Kareo": 2,
    "edits a chart in Elation": 2,
}


def mapping(seed: int) -> Plan:
    """The plan of a seed on whose day people map."""
    return with_more(seed, "mapping", MAPPING)
