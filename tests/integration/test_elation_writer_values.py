"""What stays in Elation when something beside it is written: the second number of a kind, the SSN nothing usable is known of."""

from __future__ import annotations

from datetime import date

from events.terms import PolicyTerms
from events.writes import EhrChartWritten, PoliciesWritten, SyncPolicies, UpdateEhrChart
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
    whole = {"insured_person_ssn": "123456789", "copay": "20.00", "group_id": ""}
    assert await sync(insured_ssn="123456789", copay="20.00") == whole
    assert await sync(keeps=keeps, group_id="G-78") == whole | {"group_id": "G-78"}
