"""A list with a row that nobody can read does not say that a record is missing: nothing is made a second time because of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from daemon.vendors.elation.looking import found_in, whole
from daemon.vendors.elation.wire import BadRow
from daemon.vendors.kareo import rows, wire
from daemon.vendors.ports.errors import Malformed
from events.writes import SearchEhr
from tests.integration.kareo import kareo_at_work
from tests.integration.test_elation_writer import Elation, ehr

__all__ = ["ehr"]


async def test_a_search_in_kareo_with_an_unreadable_row_finds_nothing_out() -> None:
    async with kareo_at_work() as billing:
        ada = billing.ada()
        billing.sandbox.patients[ada].provider_id = "nobody"
        with pytest.raises(Malformed) as caught:
            await billing.client.find_patients(first_name="Ada", last_name="Byrne")
        assert caught.value.path.endswith("DefaultRenderingProviderId")


def test_an_unreadable_charge_is_perhaps_the_one_that_is_looked_for() -> None:
    bad = wire.BadXmlRow(id=None, path="GetCharges.Charges[0].BatchNumber")
    with pytest.raises(Malformed):
        rows.demand_whole("GetCharges", wire.Rows(bad_rows=(bad,)))
    rows.demand_whole("GetCharges", wire.Rows())


async def test_a_search_in_elation_with_an_unreadable_row_finds_nothing_out(ehr: Elation) -> None:
    chart = ehr.ada()
    ehr.sandbox.patients[int(chart)]["dob"] = "9999-12-31"
    with pytest.raises(Malformed) as caught:
        await ehr.writer.write(lambda: SearchEhr(first_name="Ada", last_name="Byrne", birth_date=None))
    assert caught.value.path == "$.results[0]"


async def _listed(*of: object) -> AsyncIterator[object]:
    for one in of:
        yield one


async def test_what_is_found_is_found_beside_an_unreadable_row() -> None:
    bad = BadRow(id=1, path="$.results[0].name", raw=b"{}")
    assert await found_in(_listed(bad, "blue"), lambda one: one == "blue", "op") == ["blue"]  # type: ignore[type-var]
    assert await found_in(_listed("red"), lambda one: one == "blue", "op") == []  # type: ignore[type-var]
    with pytest.raises(Malformed):
        await found_in(_listed("red", bad), lambda one: one == "blue", "op")  # type: ignore[type-var]
    with pytest.raises(Malformed):
        _ = [one async for one in whole(_listed("blue", bad), "op")]  # type: ignore[type-var]
