"""Searching the history: by chart, field, person and time; kept up batch by batch, made anew from the events alone, nothing in the clear."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from daemon.history import searchable
from daemon.history.rebuild import rebuild
from daemon.history.searchable import catch_up
from daemon.operator.searching import FoundEvents, NoSuchField, Sought, search_access, search_history
from daemon.tables import access, history_terms
from events.codec import Keyring
from events.commands import ConflictSeen, ResyncRequested
from events.ids import BillingPatientId, Charts, PatientKey
from events.schema import BillingAppointmentObserved, BillingChartObserved
from events.store import Store
from projections.words.terms_of import SEARCHABLE, field_term
from tests.conftest import OTHER, PRACTICE
from tests.integration.recorder_driver import POLICY, VISIT, RecorderDriver, ask
from tests.integration.test_days import bill
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GOOD_BILL

SOMEBODY = replace(ADA_THERE, id=BillingPatientId(950), last_name="Other")


async def opened(store: Store, keyring: Keyring) -> RecorderDriver:
    """Ada is linked, has an appointment and a bill, and moved twice; somebody else moved as well; ann asked for something."""
    desk = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await desk.open()
    await desk.link()
    await desk.see(BillingChartObserved(chart=SOMEBODY))
    await desk.see(BillingAppointmentObserved(appointment=VISIT))
    await bill(desk, GOOD_BILL)
    for city in ("Macon", "Athens"):
        await desk.see(BillingChartObserved(chart=replace(ADA_THERE, city=city)))
    await desk.see(BillingChartObserved(chart=replace(SOMEBODY, city="Decatur")))
    assert await ask(desk, ResyncRequested(who="Ann", reason="to be sure"), Charts(ADA.id, ADA_THERE.id)) == ""
    return desk


async def found(store: Store, **sought: object) -> FoundEvents:
    return await search_history(store, PRACTICE, Sought(**sought))  # type: ignore[arg-type]


def cities(one: FoundEvents) -> list[str]:
    """Which cities were seen, the last first."""
    bodies = [each.event.body for each in one.events]
    return [each.chart.city for each in bodies if isinstance(each, BillingChartObserved)]


async def test_events_are_found_by_field_chart_and_person(store: Store, keyring: Keyring) -> None:
    await opened(store, keyring)
    head = await catch_up(store, PRACTICE)
    assert head == await store.head(PRACTICE)
    by_field = await found(store, field="city")
    assert cities(by_field)[:3] == ["Decatur", "Athens", "Macon"]
    assert {one.event.billing for one in by_field.events} >= {ADA_THERE.id, SOMEBODY.id}
    of_ada = await found(store, field="city", charts=Charts(ehr=ADA.id))
    assert cities(of_ada)[:2] == ["Athens", "Macon"]
    assert {one.event.patient for one in of_ada.events} == {ADA_KEY, f"E:{ADA.id}"}
    assert [one.event.type for one in (await found(store, who="ann")).events] == ["ResyncRequested"]
    assert [one.event.type for one in (await found(store, who=" ANN ", charts=Charts(ADA.id))).events] == ["ResyncRequested"]
    assert (await found(store, who="ann", field="city")).events == ()
    assert (await found(store, who="bob")).events == ()
    assert [one.event.type for one in (await found(store, field="bill")).events][-1] == "BillObserved"
    assert [one.event.type for one in (await found(store, field="appointment")).events][-1] == "KareoAppointmentObserved"
    everything = await found(store)
    assert [one.sequence for one in everything.events] == list(range(head, 0, -1))[:100]
    with pytest.raises(NoSuchField, match="phone of the dog"):
        await found(store, field="phone of the dog")


async def test_events_are_found_by_time_and_a_page_goes_on_where_the_last_one_ended(store: Store, keyring: Keyring) -> None:
    await opened(store, keyring)
    await catch_up(store, PRACTICE)
    told = [one async for one in store.read(PRACTICE)]
    middle = told[len(told) // 2].recorded
    since, until = await found(store, since=middle), await found(store, until=middle)
    assert [one.sequence for one in until.events] == [one.sequence for one in told[::-1] if one.recorded < middle]
    assert [one.sequence for one in since.events] == [one.sequence for one in told[::-1] if one.recorded >= middle]
    assert (await found(store, since=told[-1].recorded + timedelta(seconds=1))).events == ()
    assert (await found(store, until=told[0].recorded)).events == ()
    first = await search_history(store, PRACTICE, Sought(field="city"), most=1)
    assert first.more
    second = await search_history(store, PRACTICE, Sought(field="city"), before=first.events[-1].sequence, most=1)
    both = [*first.events, *second.events]
    assert both == [*(await found(store, field="city")).events[:2]]


async def test_the_index_is_the_same_made_at_once_batch_by_batch_and_anew(
    store: Store, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await opened(store, keyring)
    await catch_up(store, PRACTICE)
    await desk.see(BillingChartObserved(chart=replace(ADA_THERE, city="Savannah")))
    await ask(desk, ConflictSeen(fields=(), who="bob"), Charts(ADA.id, ADA_THERE.id))
    late = await found(store, field="city")
    assert late.behind > 0
    assert "Savannah" not in cities(late)
    await catch_up(store, PRACTICE)
    once = await history_terms.stored(store.pool, PRACTICE)
    assert "Savannah" in cities(await found(store, field="city"))
    await rebuild(store, POLICY, desk.now)
    assert await history_terms.stored(store.pool, PRACTICE) == set()
    assert (await found(store, field="city")).up_to == 0
    monkeypatch.setattr(searchable, "BATCH", 1)
    monkeypatch.setattr(searchable, "MOST_KEPT", 0)
    await catch_up(store, PRACTICE)
    assert await history_terms.stored(store.pool, PRACTICE) == once
    await store.pool.execute("UPDATE chartwire.history_head SET rules = 'older'")
    assert await history_terms.kept_up_to(store.pool, PRACTICE) == 0
    await catch_up(store, PRACTICE)
    assert await history_terms.stored(store.pool, PRACTICE) == once


async def test_the_index_names_nobody_and_is_of_one_practice(store: Store, keyring: Keyring) -> None:
    await opened(store, keyring)
    await catch_up(store, PRACTICE)
    rows = await history_terms.stored(store.pool, PRACTICE)
    assert rows
    assert all(len(term) == 16 for term, _ in rows)
    mine = {history_terms.hash_of(keyring, PRACTICE, field_term(one)) for one in SEARCHABLE}
    theirs = {history_terms.hash_of(keyring, OTHER, field_term(one)) for one in SEARCHABLE}
    assert mine & {term for term, _ in rows}
    assert theirs & {term for term, _ in rows} == set()


async def test_who_looked_is_found_by_person_patient_and_time(store: Store, keyring: Keyring, console_dsn: str) -> None:
    await opened(store, keyring)
    store = await Store.open(console_dsn, keyring, min_size=1, max_size=1)
    other = PatientKey(f"K:{SOMEBODY.id}")
    for who, patient in (("ann", ADA_KEY), ("bob", ADA_KEY), ("ann", other)):
        await access.record(store.pool, PRACTICE, who, "patient", patient=patient)

    async def looked(**sought: object) -> list[tuple[str, str]]:
        records = await search_access(store, PRACTICE, Sought(**sought))  # type: ignore[arg-type]
        return [(one.who, one.patient_key) for one in records]

    assert await looked() == [("ann", other), ("bob", ADA_KEY), ("ann", ADA_KEY)]
    assert await looked(who="ann") == [("ann", other), ("ann", ADA_KEY)]
    assert await looked(charts=Charts(ehr=ADA.id)) == [("bob", ADA_KEY), ("ann", ADA_KEY)]
    assert await looked(charts=Charts(ehr=ADA.id), who="ann") == [("ann", ADA_KEY)]
    first, *_ = (await access.last(store.pool, PRACTICE))[::-1]
    assert await looked(until=first.at) == []
    assert await looked(since=first.at) == await looked()
    await store.close()
