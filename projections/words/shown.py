"""How much of a person a sentence may show, and what it calls the two systems. Nothing of a person is shown unless asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from events.writes import System
from projections.terms.names import NAMES, Names
from projections.words.moment import UTC, clock_of_the_trade, in_zone_to_the_minute
from projections.words.written import NOTHING_THERE, as_written, day_as_written

PERSONS_NAMES = frozenset({"first_name", "middle_name", "last_name"})
MASK = "•••"


@dataclass(frozen=True)
class Shown:
    """What may be shown: the values of fields, and persons' names. `systems` are the names of the two systems.

    Times are shown in `zone`, the practice's; `spoken`: dates, times and phones as people of the trade write them. On the command line
    they are written so that they sort. `providers` names the values of that field (`provider_names`).
    """

    values: bool = False
    names: bool = False
    systems: Names = NAMES
    zone: ZoneInfo = UTC
    spoken: bool = False
    providers: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def all(self) -> bool:
        """Also words that may quote anything of a record: a vendor's refusal, a Bill Error."""
        return self.values and self.names

    @property
    def any(self) -> bool:
        """Whether a field is worth more than its name here."""
        return self.values or self.names

    def value(self, field: str, text: str) -> str:
        """The value of a field, or a mask where it is not to be shown; nothing stays nothing."""
        allowed = self.names if field in PERSONS_NAMES else self.values
        return text if allowed or not text else MASK

    def with_values(self, text: str, otherwise: str = "") -> str:
        """Words that hold values of fields, or what stands in for them."""
        return text if self.values else otherwise

    def with_names(self, text: str, otherwise: str = "") -> str:
        """Words that hold a person's name, or what stands in for them."""
        return text if self.names else otherwise

    def quoting(self, text: str, otherwise: str = "") -> str:
        """Words that may quote anything of a record, or what stands in for them."""
        return text if self.all else otherwise

    def written(self, field: str, text: str) -> str:
        """As `value`, in a sentence; an empty one is named, too."""
        known = self.value(field, text)
        if not known or known is MASK:
            return known or NOTHING_THERE
        said = as_written(known, field, self.providers) if self.spoken or field == "provider" else known
        return f"“{said}”"

    def time(self, time: datetime) -> str:
        """A time that has no seconds, with its zone."""
        return clock_of_the_trade(time, self.zone) if self.spoken else in_zone_to_the_minute(time, self.zone)

    def day(self, day: date | None) -> str:
        """A day."""
        return day_as_written(day) if self.spoken else str(day)

    def label(self, system: System) -> str:
        """A system in a sentence."""
        return self.systems.label(system)

    def prefix(self, system: System) -> str:
        """A system as it stands before its ids."""
        return self.systems.of(system).prefix


NOTHING = Shown()
EVERYTHING = Shown(values=True, names=True)
