"""What stays in Elation when something beside it is written: the second number of a kind, the SSN nothing usable is known of."""

from __future__ import annotations

from datetime import date

import pytest

from daemon.vendors.ports.errors import Refused
from events.terms import PolicyTerms
from events.writes import Done, EhrChartWritten, PoliciesWritten, SyncPolicies, UpdateEhrChart
from tests.integration.test_elation_writer import Elation, ehr

__all__ = ["ehr"]
OURS, OTHER, NEW = "4045550101", "4045550102", "4045550103"


async def test_c2_only_our_number_is_removed_in_elation(ehr: Elation) -> None:
    phones = [{"phone": number, "phone_type": "Mobile"} for number in (OTHER, OURS)]
    chart = ehr.ada(phones=phones)
    write = UpdateEhrChart(
        chart=chart,
        fields={"mobile_phone": ""},
        expected={"mobile_phone": OURS},
        beside={"mobile_phone": (OTHER,)},
    )
    told = await ehr.writer.write(lambda: write)
    assert isinstance(told, EhrChartWritten)
    assert [one.number for one in told.chart.phones] == [OTHER]
    assert await ehr.writer.look_up(write) is not None


async def test_c2_a_number_that_came_meanwhile_is_not_replaced(ehr: Elation) -> None:
    """What staff put in front of ours after the write was decided on stays."""
    chart = ehr.ada(phones=[{"phone": number, "phone_type": "Mobile"} for number in (OTHER, OURS)])
    write = UpdateEhrChart(chart=chart, fields={"mobile_phone": NEW}, expected={"mobile_phone": OURS})
    told = await ehr.writer.write(lambda: write)
    assert isinstance(told, EhrChartWritten)
    assert [one.number for one in told.chart.phones] == [OTHER, NEW]


async def test_c3_what_a_policy_keeps_stays_in_elation(ehr: Elation) -> None:
    chart = ehr.ada()
    carrier = (await ehr.client.create_insurance_company({"carrier": "Blue", "practice": ehr.elm})).id
    plan = (await ehr.client.create_insurance_plan({"name": "Gold", "insurance_company": carrier, "practice": ehr.elm})).id
    known: dict[str, int] = {}
    keeps = ("insured_ssn", "copay")

    async def sync(**values: object) -> dict[str, object]:
        terms = PolicyTerms(
            billing_policy=1, rank=1, carrier_id=carrier, carrier_name="Blue", plan_id=plan, plan_name="Gold", **values
        )
        birth_date = date(1980, 2, 29)
        write = SyncPolicies(
            chart=chart, first_name="Ada", last_name="Byrne", birth_date=birth_date, terms=(terms,), known=known
        )
        told = await ehr.writer.write(lambda: write)
        assert isinstance(told, PoliciesWritten)
        known.update(told.known)
        (held,) = await ehr.client.list_policies(chart)
        return {name: held.raw[name] for name in ("insured_person_ssn", "copay", "group_id")}

    assert (await sync(keeps=keeps))["copay"] is None
    whole = {"insured_person_ssn": "530124481", "copay": "20.00", "group_id": ""}
    assert await sync(insured_ssn="530124481", copay="20.00") == whole
    assert await sync(keeps=keeps, group_id="G-78") == whole | {"group_id": "G-78"}


async def test_a_carrier_is_brought_to_its_plan_and_keeps_what_is_not_ours(ehr: Elation) -> None:
    """What differs is sent; what is there already is not sent again."""
    carrier = ehr.blue(suite="Floor 2", payer_id="P-7")
    assert await ehr.writer.write(lambda: ehr.moved(carrier)) == Done()
    held = ehr.sandbox.insurance_companies[carrier]
    assert (held["carrier"], held["address"], held["suite"]) == ("Blue West", "12 Harbor Row", None)
    assert (held["phone"], held["payer_id"], held["aliases"], held["external_vendor_id"]) == (
        "3035550199",
        "P-7",
        "BC",
        "40",
    )
    assert await ehr.writer.write(lambda: ehr.moved(carrier)) == Done(already=True)


async def test_a_carrier_that_is_another_companys_by_now_is_not_changed(ehr: Elation) -> None:
    carrier = ehr.blue(external_vendor_id="41")
    with pytest.raises(Refused):
        await ehr.writer.write(lambda: ehr.moved(carrier))
    assert ehr.sandbox.insurance_companies[carrier]["carrier"] == "Blue"


async def test_a_carrier_that_was_deleted_is_left_alone(ehr: Elation) -> None:
    carrier = ehr.blue()
    ehr.sandbox.insurance_companies[carrier]["deleted_date"] = "2026-03-02T18:00:00Z"
    assert await ehr.writer.write(lambda: ehr.moved(carrier)) == Done(already=True)
    assert ehr.sandbox.insurance_companies[carrier]["carrier"] == "Blue"


async def test_what_a_chart_has_in_force_is_read_after_every_write_of_its_policies(ehr: Elation) -> None:
    """By it kareo-led sees what the chart has beyond the case."""
    chart = ehr.ada()
    staff = ehr.sandbox.people.add_policy(chart, 2, carrier_name="Red", plan_name="One", member_id="STAFF-1")
    who = {"first_name": "Ada", "last_name": "Byrne", "birth_date": date(1980, 2, 29)}
    wrote = await ehr.writer.write(lambda: SyncPolicies(chart=chart, **who))
    assert isinstance(wrote, PoliciesWritten)
    assert [(one.id, one.rank, one.member_id) for one in wrote.read] == [(staff["id"], 2, "STAFF-1")]
    wrote = await ehr.writer.write(lambda: SyncPolicies(chart=chart, remove=(int(staff["id"]),), **who))
    assert [(one.active, one.rank) for one in wrote.read] == [(False, None)]
