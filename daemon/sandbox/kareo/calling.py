"""What an operation is given and may answer with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from daemon.sandbox.kareo.records import Customer, Practice
from daemon.sandbox.kareo.state import State
from daemon.sandbox.kareo.switches import KareoSwitches
from daemon.sandbox.kareo.values import filter_time, list_time, squeeze, wall_time
from daemon.sandbox.kareo.wire import RefusedError, Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: who asks, and the world it asks about. `now` is to the second."""

    state: State
    switches: KareoSwitches
    customer: Customer
    now: datetime

    def rows(self, request: Values, rows: list[Values]) -> list[Values | None]:
        """As the list calls answer: ticked Fields only, and a phantom row for none."""
        ticked = {name for name, value in request.get("Fields", {}).items() if value}
        if ticked and self.switches.ticks == "empty_row":
            return [None]
        if not rows and self.switches.phantom_rows:
            return [None]
        if not ticked:
            return list(rows)
        return [{name: value for name, value in row.items() if name in ticked} for row in rows]

    def practices(self, name: str | None, id_: str | int | None = None) -> list[Practice]:
        """Those that the filter names: the name exactly; none named: all of the key."""
        found = self.state.practices_of(self.customer)
        if name:
            found = [one for one in found if one.name == name]
        if id_:
            found = [one for one in found if str(one.id) == str(id_)]
        return found

    def practice(self, reference: Values | None) -> Practice:
        """The one that a write names. Raises `RefusedError`."""
        reference = reference or {}
        id_, name = reference.get("PracticeID"), reference.get("PracticeName")
        found = self.practices(name, id_) if id_ or name else []
        if len(found) != 1:
            raise RefusedError("Could not find the practice.")
        return found[0]

    def name_matches(self, wanted: str | None, actual: str) -> bool:
        """A name filter; absent or empty lets everything through. What it means is not documented."""
        if not wanted:
            return True
        want, have = squeeze(wanted), squeeze(actual)
        if self.switches.name_filters == "prefix":
            return have.startswith(want)
        return want in have if self.switches.name_filters == "contains" else want == have

    def within(self, filter_: Values, created: datetime, modified: datetime) -> bool:
        """The created and modified ranges, compared on the wall clock of the list zone, both ends included."""
        zone = self.switches.list_zone
        return in_range(filter_, "CreatedDate", wall_time(created, zone)) and in_range(
            filter_, "LastModifiedDate", wall_time(modified, zone)
        )

    def stamp(self, instant: datetime) -> str:
        """An instant as CreatedDate and LastModifiedDate show it."""
        return list_time(wall_time(instant, self.switches.list_zone))


Handler = Callable[[Call, Values], Values]
"""Request members in, result members out. Raises `RefusedError` or `wire.FaultError`."""


def in_range(
    filter_: Values, name: str, value: datetime, *, exclusive: bool = False, completed: timedelta | None = None
) -> bool:
    """`From<name>` and `To<name>`. `completed`: a half-given pair is completed to this length."""
    low = filter_time(filter_["From" + name]) if filter_.get("From" + name) else None
    high = filter_time(filter_["To" + name]) if filter_.get("To" + name) else None
    if completed is not None and low is not None and high is None:
        high = low + completed
    if completed is not None and high is not None and low is None:
        low = high - completed
    return (low is None or low <= value) and (high is None or value < high or (value == high and not exclusive))


def only(filter_: Values, name: str, actual: Any) -> bool:
    """An equality filter on a text; absent or empty lets everything through."""
    wanted = filter_.get(name)
    return not wanted or str(wanted).casefold() == str("" if actual is None else actual).casefold()
