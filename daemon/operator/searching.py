"""Searching the history: by chart, field, person and time, from what events are found by; and who looked, from the access log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from daemon.operator.find import charts_known, find_patient
from daemon.tables import access, history_terms
from daemon.tables.access import AccessRecord
from daemon.tables.queries import SQL
from events.ids import Charts, PatientKey, PracticeId, keys_named
from events.schema import Recorded
from events.store import ALL, Store, open_row
from projections.words.terms_of import SEARCHABLE, field_term, who_term

MOST = 100


ANYBODY = Charts()


class NoSuchField(ValueError):
    """What was asked for is nothing that can be searched by."""


@dataclass(frozen=True)
class Sought:
    """What is searched for; whatever is left out is anything. `since` counts, `until` does not."""

    charts: Charts = ANYBODY
    field: str = ""
    who: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class FoundEvents:
    """The last of what was found, the last first; `more` whether there are others before. `up_to` is how far events can be found by a field
    or a person, of `head`."""

    events: tuple[Recorded, ...]
    more: bool
    up_to: int
    head: int

    @property
    def behind(self) -> int:
        """Events that cannot be found by a field or a person yet."""
        return max(0, self.head - self.up_to)


async def search_history(
    store: Store, practice: PracticeId, sought: Sought, *, before: int = ALL, most: int = MOST
) -> FoundEvents:
    """Events before one, as far as they are what is sought. Raises NoSuchField or KeyMissing."""
    if sought.field not in ("", *SEARCHABLE):
        raise NoSuchField(f"{sought.field}: unknown; known are {', '.join(SEARCHABLE)}")
    head, up_to = await store.head(practice), await history_terms.kept_up_to(store.pool, practice)
    after, before = await _between(store, practice, sought, min(before, head + 1), head)
    wanted = [field_term(sought.field)] if sought.field else []
    wanted += [who_term(sought.who)] if sought.who.strip() else []
    terms = [history_terms.hash_of(store.keyring, practice, one) for one in wanted]
    if sought.charts != ANYBODY:
        found = await find_patient(store, practice, sought.charts)
        charts = charts_known(found.patient) if found is not None else sought.charts
        rows = await store.pool.fetch(SQL["history_of_charts"], practice, *charts, terms, after, before, most + 1)
    elif terms:
        rows = await store.pool.fetch(SQL["history_by_term"], practice, terms[0], terms[-1], after, before, most + 1)
    else:
        rows = await store.pool.fetch(SQL["history_between"], practice, after, before, most + 1)
    events = tuple(open_row(row, store.keyring) for row in rows[:most])
    return FoundEvents(events, len(rows) > most, up_to, head)


async def _between(store: Store, practice: PracticeId, sought: Sought, before: int, head: int) -> tuple[int, int]:
    """The events between which all are of the times that are sought: events are recorded in the order of their times."""

    async def at(sequence: int) -> datetime | None:
        found: datetime | None = await store.pool.fetchval(SQL["recorded_at"], practice, sequence)
        return found

    after = 0 if sought.since is None else await _first(at, sought.since, head) - 1
    if sought.until is not None:
        before = min(before, await _first(at, sought.until, head))
    return after, before


async def _first(at: Callable[[int], Awaitable[datetime | None]], time: datetime, last: int) -> int:
    """The first of the numbers up to `last` that is at or after a time; the one after `last` where none is."""
    low, high = 1, last + 1
    while low < high:
        middle = (low + high) // 2
        found = await at(middle)
        low, high = (middle + 1, high) if found is None or found < time else (low, middle)
    return low


async def search_access(store: Store, practice: PracticeId, sought: Sought, *, most: int = MOST) -> list[AccessRecord]:
    """Who looked and did what, the last first; a field is nothing that somebody looks at."""
    keys: tuple[PatientKey, ...] = ()
    if sought.charts != ANYBODY:
        found = await find_patient(store, practice, sought.charts)
        if found is None:
            return []
        keys = (found.patient.key, *keys_named(charts_known(found.patient)))
    kept: list[AccessRecord] = []
    before = access.LAST
    while len(kept) < most:
        page = await _page(store, practice, keys, sought.who.strip(), before)
        for one in page:
            if sought.since is not None and one.at < sought.since:
                return kept[:most]
            if (sought.until is None or one.at < sought.until) and sought.who.strip() in ("", one.who):
                kept.append(one)
        if len(page) < access.PAGE:
            break
        before = page[-1].sequence
    return kept[:most]


async def _page(
    store: Store, practice: PracticeId, keys: tuple[PatientKey, ...], who: str, before: int
) -> list[AccessRecord]:
    if keys:
        return await access.of_patient(store.pool, practice, *keys, before=before, most=access.PAGE)
    if who:
        return await access.of_who(store.pool, practice, who, before=before, most=access.PAGE)
    return await access.last(store.pool, practice, before=before, most=access.PAGE)
