"""How both systems are read, in words: what a pass reads, what a call is for, and why one fails."""

from __future__ import annotations

from collections.abc import Mapping

from daemon.config import PracticeConfig, names_of
from daemon.runtime.reporter import FEED, HEAD, RECORDING
from events.store import AWAY
from events.writes import System

OWN: Mapping[str, str] = {
    RECORDING: "what was read is to be recorded",
    FEED: "what was recorded is to be published to those who listen",
    HEAD: "how far the practice has come is to be published, for a database that is restored",
}
"""Work of the practice's own that fails, by the name under which its owner reports it."""

FAILURES: Mapping[str, str] = {
    "credentials": "it does not let us in",
    "Throttled": "it asks us to slow down",
    "Troubled": "it answers with errors",
    "Unreachable": "it cannot be reached",
    "OutcomeUnknown": "its answer was lost",
    "Malformed": "its answers cannot be used",
    "Refused": "it refuses",
    "NotForAccount": "its account is not set up for that",
    "PracticeHidden": "it does not show the practice of that name",
    "Defect": "it could not read what chartwire sent",
    "NotFound": "what is asked for is not there",
    "Gone": "what is asked for was deleted",
    "Moved": "what is asked for was merged into another",
    "Duplicate": "it has that already",
    "NotAsWritten": "it does not hold what was written",
    "ChangedMeanwhile": "somebody was faster",
    **dict.fromkeys(sorted(one.__name__ for one in AWAY), "chartwire's own servers cannot be reached"),
}
"""Why a pass fails, by what its owner reports."""


def reading_in_words(source: str, practice: PracticeConfig) -> str:
    """What a pass reads, `kareo.sweep`: `Kareo: all patients`."""
    prefix, _, name = source.partition(".")
    for role in System:
        section = practice.section(role)
        if section.system.prefix == prefix:
            return f"{names_of(practice).label(role)}: {section.passes.get(name, name)}"
    return OWN.get(source, source)


def failure_in_words(why: str) -> str:
    """Why it fails; what is in no table is no trouble of a system's."""
    return FAILURES.get(why, f"chartwire cannot do it ({why}): whoever looks after it has to see its log")


def operation_in_words(operation: str, practice: PracticeConfig) -> str:
    """What a call is for whose share of the limits is told."""
    for role in System:
        if words := practice.section(role).operations.get(operation):
            return words
    return operation
