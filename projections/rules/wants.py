"""What the rules want: writes by slot, items that wait by slot, and facts to record, at a moment given from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from events.calendar import local_day
from events.codes import WaitCode
from events.schema import Body
from events.writes import AnyWrite, CreateEhrChart, Resource, UpdateEhrChart
from projections.state.open_intents import Waiting


@dataclass(frozen=True)
class Moment:
    """The time of a decision, given from outside: `now` UTC, `today` the practice's local day."""

    now: datetime
    today: date

    @classmethod
    def at(cls, now: datetime, time_zone: str) -> Moment:
        """The moment `now`, and the day it is where the practice is."""
        return cls(now=now, today=local_day(now, ZoneInfo(time_zone)))


@dataclass(frozen=True)
class Wish:
    """A write wanted, the row of the table it falls under, and what was adapted."""

    write: AnyWrite
    resource: Resource
    rule: str
    notes: tuple[str, ...] = ()


def same_write(wanted: AnyWrite, before: AnyWrite) -> bool:
    """Whether a write is wanted that was asked for before: what an older worker did not say of it makes it no other one."""
    match wanted, before:
        case UpdateEhrChart(), UpdateEhrChart(replaces=None):
            wanted = replace(wanted, replaces=None)
        case CreateEhrChart(fields=fields), CreateEhrChart(fields=known) if "provider" not in known:
            wanted = replace(wanted, fields={name: value for name, value in fields.items() if name != "provider"})
    return wanted == before


@dataclass
class Wants:
    """`writes` are the patient's, `shared` the practice's (carriers and plans), `facts` are recorded as they are.

    `shared_facts` are the practice's.
    """

    writes: dict[str, Wish] = field(default_factory=dict)
    shared: dict[str, Wish] = field(default_factory=dict)
    waits: dict[str, Waiting] = field(default_factory=dict)
    facts: list[Body] = field(default_factory=list)
    shared_facts: list[Body] = field(default_factory=list)

    def wait(self, slot: str, code: WaitCode, text: str, *depends_on: str) -> None:
        self.waits[slot] = Waiting(code=code.value, text=text, depends_on=depends_on)
