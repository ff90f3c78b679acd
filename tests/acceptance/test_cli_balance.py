"""A month balances on the sandboxes; an encounter that is removed or changed in the billing system is listed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest
import pytest_asyncio

from daemon.sandbox.day import GOOD_LINE
from tests.acceptance.test_cli_repair import ELM, Town, open_town

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with open_town(tmp_path_factory.mktemp("balance")) as opened:
        yield opened


async def signed(town: Town, chart: int, lines: list[dict[str, object]], **values: Any) -> int:
    """A visit note of today, signed; its bill."""
    day = town.clinic.billing.state.now().date()
    note = town.clinic.ehr.people.sign_note(chart, town.office.physicians[0], town.office.place[0], day, lines, **values)
    await town.rest.reached()
    return int(note["bill"]["id"])


async def balanced(town: Town, *more: object) -> tuple[int, dict[str, Any]]:
    day: date = town.clinic.billing.state.now().date()
    done = await town.run("balance", ELM, "--month", f"{day:%Y-%m}", "--json", *more)
    assert done.err == "", done
    return done.code, json.loads(done.out)


async def test_a_month_balances_until_an_encounter_is_removed_or_changed(town: Town) -> None:
    chart, patient = await town.linked()
    bills = [await signed(town, chart, [GOOD_LINE]) for _ in range(3)]
    code, found = await balanced(town)
    assert (code, found["balances"], found["signed"], found["looked_up"]) == (0, True, 3, 3)
    assert found["counts"] == {"sent": 3, "ready": 0, "deferred": 0, "in error": 0, "kept out": 0}
    assert [one["bill"] for one in found["notes"]] == bills

    encounters = {one["bill"]: one["encounter"] for one in found["notes"]}
    del town.clinic.billing.encounters[encounters[bills[0]]]
    changed = town.clinic.billing.encounters[encounters[bills[1]]]
    changed.lines[0].unit_charge += 1
    code, found = await balanced(town)
    assert (code, found["balances"], found["counts"]["sent"]) == (1, False, 3)
    listed = {one["bill"]: one for one in found["notes"] if not one["balances"]}
    assert {bill: one["code"] for bill, one in listed.items()} == {
        bills[0]: "encounter-removed",
        bills[1]: "encounter-differs",
    }
    assert f"encounter {encounters[bills[0]]} is not in Kareo any more" in listed[bills[0]]["reason"]
    assert listed[bills[0]]["patient"].startswith(f"kareo:{patient} ")
    assert "126" not in listed[bills[1]]["reason"], "what a record holds is not shown unasked"
    _, told = await balanced(town, "--values", "--names")
    assert "1 x 126, sent was" in next(one["reason"] for one in told["notes"] if one["bill"] == bills[1])
    row = await town.store.pool.fetchrow("SELECT period, doc FROM chartwire.look_up WHERE practice = 'elm'")
    assert row["period"] == f"month {found['period']}"
    assert b"126" not in row["doc"], "what was found is sealed"
    code, recorded = await balanced(town, "--recorded")
    assert (code, recorded["looked_up"]) == (0, None)


async def test_an_encounter_moved_to_another_day_is_found_and_listed(town: Town) -> None:
    chart, _ = await town.linked()
    bill = await signed(town, chart, [GOOD_LINE])
    _, found = await balanced(town)
    encounter = next(one["encounter"] for one in found["notes"] if one["bill"] == bill)
    for line in town.clinic.billing.encounters[encounter].lines:
        line.start = line.end = line.start - timedelta(days=5)
    _, found = await balanced(town, "--values", "--names")
    (one,) = [one for one in found["notes"] if one["bill"] == bill]
    assert (one["code"], "day of service is" in one["reason"]) == ("encounter-differs", True)


async def test_what_is_deferred_or_in_error_is_listed_with_its_command(town: Town) -> None:
    chart, _ = await town.linked()
    deferred = await signed(town, chart, [GOOD_LINE], deferred=True)
    spoilt = await signed(town, chart, [{**GOOD_LINE, "dxs": ["HEADACHE"]}])
    code, found = await balanced(town)
    listed = {one["bill"]: one for one in found["notes"] if not one["balances"]}
    assert code == 1
    assert (listed[deferred]["standing"], listed[spoilt]["standing"]) == ("deferred", "in error")
    assert "press Send to PMS there" in listed[deferred]["reason"]
    assert listed[spoilt]["command"].startswith(f"chartwire resend elm {spoilt} --config")
    assert sum(found["counts"].values()) == found["signed"] == len(found["notes"])


async def test_a_deferred_bill_is_released_by_a_command_and_sent(town: Town) -> None:
    chart, _ = await town.linked()
    bill = await signed(town, chart, [GOOD_LINE], deferred=True)
    assert f"chartwire release-bill elm {bill}" in (await town.run("waiting", ELM)).out
    done = await town.run("release-bill", ELM, bill)
    assert (done.code, done.err) == (0, ""), done
    await town.rest.reached()
    held = town.clinic.ehr.bills[bill]
    assert (held["deferred_bill"], held["billing_status"]) == (False, "Billed")
    assert int(held["ref_number"]) in town.clinic.billing.encounters
    again = await town.run("release-bill", ELM, bill)
    assert "correct it there" in again.out + again.err


async def test_a_billing_system_that_is_away_is_said(town: Town) -> None:
    town.clinic.billing.faults.add(operation="GetCharges", kind="status", status=503, times=40)
    done = await town.run("balance", ELM)
    town.clinic.billing.faults.clear()
    assert done.code == 3
    assert "not every encounter could be looked up" in done.err
    assert (await town.run("balance", ELM, "--week", "last")).code == 2
