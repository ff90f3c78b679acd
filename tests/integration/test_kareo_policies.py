"""Policies brought to a case in Kareo: only what was asked, once whatever is lost, and nobody else's things touched."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.vendors.kareo.writer import KareoWriter
from daemon.vendors.ports.errors import ChangedMeanwhile, NotAsWritten, OutcomeUnknown, Refused
from events.ids import BillingPatientId, EhrChartId
from events.terms import PolicyChange, PolicyTerms
from events.writes import BillingPoliciesWritten, ChangeBillingPolicies, CreateBillingChart
from projections.rules.pairing import INSURED
from tests.integration.kareo import Kareo, kareo_at_work

AGREED = PolicyTerms(billing_policy=0, rank=1, carrier_id=1, carrier_name="Blue", plan_id=2, plan_name="Gold")
HOLDER = {
    "relationship": "spouse",
    "insured_first_name": "William",
    "insured_last_name": "van Dyke",
    "insured_address": "3 Court",
    "insured_city": "Macon",
    "insured_state": "GA",
    "insured_zip": "31201",
    "insured_ssn": "530124481",
    "insured_birth_date": "1980-02-21",
    "insured_sex": "M",
}


@pytest_asyncio.fixture
async def billing() -> AsyncIterator[Kareo]:
    async with kareo_at_work() as billing:
        yield billing


@pytest.fixture
def writer(billing: Kareo) -> KareoWriter:
    return KareoWriter(billing.client, vendor_name="chartwire", now=lambda: billing.now)


def insured(billing: Kareo) -> tuple[int, int]:
    """Ada with a policy of Blue Gold in her primary case: (the patient, the policy)."""
    ada = billing.ada()
    (case,) = [one.id for one in billing.sandbox.cases.values() if one.patient_id == ada]
    policy = billing.people.add_policy(case, "Blue", "Gold", number="XYZ", group="G-7", copay="20", address1="9 Plaza")
    return ada, policy.id


async def told(writer: KareoWriter, ada: int, *changes: PolicyChange, **values: Any) -> ChangeBillingPolicies:
    """The write on the patient as they are now."""
    read = await writer._there(BillingPatientId(ada))
    primary = next((one.id for one in read.chart.cases or () if one.is_primary), None)
    return ChangeBillingPolicies(
        patient=BillingPatientId(ada),
        changes=changes,
        before=read.chart.cases or (),
        **{"case_id": primary, "case_name": "Insurance", "payer_scenario": "Insurance", **values},
    )


def ids(billing: Kareo, policy: int) -> dict[str, str]:
    plan = billing.sandbox.plans[billing.sandbox.policies[policy].plan_id]
    return {"company_id": str(plan.company_id), "plan_id": str(plan.id)}


async def test_a_change_touches_its_members_and_no_others(billing: Kareo, writer: KareoWriter) -> None:
    ada, policy = insured(billing)
    before = copy.deepcopy(billing.sandbox.policies[policy])
    write = await told(writer, ada, PolicyChange(policy=policy, ehr=5, fields={"group_id": "G-8"}, agreed=AGREED))
    written = await writer.write(lambda: write)
    assert isinstance(written, BillingPoliciesWritten)
    assert written.known == {"5": policy}
    before.group = "G-8"
    assert billing.sandbox.policies[policy] == before


async def test_a_new_policy_is_added_beside_the_others(billing: Kareo, writer: KareoWriter) -> None:
    ada, policy = insured(billing)
    fields = {"rank": "2", "member_id": "NEW", "copay": "5.00", **ids(billing, policy), **HOLDER}
    write = await told(writer, ada, PolicyChange(ehr=6, fields=fields, agreed=AGREED))
    written = await writer.write(lambda: write)
    assert isinstance(written, BillingPoliciesWritten)
    (new,) = [one for id_, one in billing.sandbox.policies.items() if id_ != policy]
    assert written.known == {"6": new.id}
    assert (new.number, new.copay, new.precedence, new.relationship) == ("NEW", "5.00", 2, "Spouse")
    assert (new.insured.last_name, new.insured.dob, new.insured.gender) == ("van Dyke", date(1980, 2, 21), "Male")
    assert len(billing.sandbox.companies) == len(billing.sandbox.plans) == 1, "no name was sent, so nothing was created"


async def test_a_case_is_added_with_its_policies_in_one_call(billing: Kareo, writer: KareoWriter) -> None:
    _, other = insured(billing)
    bea = billing.ada(first_name="Bea", cases=[])
    change = PolicyChange(ehr=7, fields={"rank": "1", "member_id": "B-1", **ids(billing, other)}, agreed=AGREED)
    write = await told(writer, bea, change)
    assert write.case_id is None
    written = await writer.write(lambda: write)
    assert isinstance(written, BillingPoliciesWritten)
    assert len(written.known) == 1
    assert billing.asked().count("UpdatePatient") == 1


async def test_policies_of_an_added_case_that_is_not_primary_are_not_taken_for_agreed(
    billing: Kareo, writer: KareoWriter
) -> None:
    """EHR_LED rule 2: it waits visibly; who says which case is primary is a person."""
    _, other = insured(billing)
    bea = billing.ada(first_name="Bea", cases=[{"name": "Auto", "primary": True}])
    change = PolicyChange(ehr=7, fields={"rank": "1", "member_id": "B-1", **ids(billing, other)}, agreed=AGREED)
    write = await told(writer, bea, change, case_id=None)
    written = await writer.write(lambda: write)
    assert isinstance(written, BillingPoliciesWritten)
    assert written.known == {}


async def test_a_policy_is_put_away(billing: Kareo, writer: KareoWriter) -> None:
    ada, policy = insured(billing)
    change = PolicyChange(policy=policy, ehr=5, fields={"active": "false", "end": "2026-03-02"})
    write = await told(writer, ada, change)
    await writer.write(lambda: write)
    kept = billing.sandbox.policies[policy]
    assert (kept.active, kept.end, kept.number) == (False, date(2026, 3, 2), "XYZ")


async def test_a_policy_that_is_still_listed_was_not_put_away(billing: Kareo, writer: KareoWriter) -> None:
    """Somebody edits the case before our turn: the reading is another, and shows nothing of ours (seed 6 both ways)."""
    ada, policy = insured(billing)
    write = await told(writer, ada, PolicyChange(policy=policy, ehr=5, fields={"active": "false"}))
    (case,) = [one.id for one in billing.sandbox.cases.values()]
    billing.people.add_policy(case, "Blue", "Silver", number="OTHER")
    assert await writer.look_up(write) is None
    with pytest.raises(ChangedMeanwhile):
        await writer.write(lambda: write)


LOST = ("cut_before", "cut_after", "half", "garbage", "fault", "status")


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("kind", ["change", "add", "case"])
async def test_a_lost_answer_is_settled_by_the_reading_before_the_call(
    billing: Kareo, writer: KareoWriter, kind: str, lost: str
) -> None:
    """EHR_LED section 7."""
    ada, policy = insured(billing)
    fields = {"rank": "2", "member_id": "NEW", **ids(billing, policy)}
    if kind == "case":
        ada = billing.ada(first_name="Bea", cases=[])
    change = PolicyChange(ehr=6, fields=fields, agreed=AGREED)
    if kind == "change":
        change = PolicyChange(policy=policy, ehr=6, fields={"member_id": "NEW"}, agreed=AGREED)
    write = await told(writer, ada, change)
    billing.faults.add("UpdatePatient", lost)  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown):
        await writer.write(lambda: write)
    applied = lost in ("cut_after", "half", "garbage")
    found = await writer.look_up(write)
    assert (found is not None) == applied
    result = found or await writer.write(lambda: write)
    assert isinstance(result, BillingPoliciesWritten)
    assert sum(one.number == "NEW" for one in billing.sandbox.policies.values()) == 1
    again = await writer.write(lambda: write)
    assert isinstance(again, BillingPoliciesWritten)
    assert again.known == result.known
    assert sum(one.number == "NEW" for one in billing.sandbox.policies.values()) == 1, (
        "a blind repetition adds no second one"
    )


async def test_the_same_policy_entered_by_hand_before_is_not_taken_for_ours(billing: Kareo, writer: KareoWriter) -> None:
    """What was there in the reading before the call is not what the call added."""
    ada, policy = insured(billing)
    fields = {"rank": "2", "member_id": "XYZ", **ids(billing, policy)}
    write = await told(writer, ada, PolicyChange(ehr=6, fields=fields, agreed=AGREED))
    assert await writer.look_up(write) is None


async def test_an_edit_made_there_meanwhile_is_decided_on_anew(billing: Kareo, writer: KareoWriter) -> None:
    ada, policy = insured(billing)
    write = await told(writer, ada, PolicyChange(policy=policy, ehr=5, fields={"group_id": "G-8"}, agreed=AGREED))
    billing.people.edit_policy(policy, copay="35")
    with pytest.raises(ChangedMeanwhile):
        await writer.write(lambda: write)
    assert "UpdatePatient" not in billing.asked()


async def test_what_kareo_does_not_keep_is_told(billing: Kareo, writer: KareoWriter) -> None:
    ada, policy = insured(billing)
    change = PolicyChange(policy=policy, ehr=5, fields={"insured_city": "Macon"}, agreed=AGREED)  # of relationship Self
    write = await told(writer, ada, change)
    with pytest.raises(NotAsWritten) as caught:
        await writer.write(lambda: write)
    assert caught.value.fields == ("insured_city",)


async def test_an_unknown_company_is_refused_and_nothing_is_half_done(billing: Kareo, writer: KareoWriter) -> None:
    ada, _ = insured(billing)
    fields = {"rank": "2", "company_id": "999", "plan_id": "999", "member_id": "N"}
    write = await told(writer, ada, PolicyChange(ehr=6, fields=fields, agreed=AGREED))
    with pytest.raises(Refused):
        await writer.write(lambda: write)
    assert len(billing.sandbox.policies) == 1


async def test_a_created_patient_takes_its_policies_along_in_one_call(billing: Kareo, writer: KareoWriter) -> None:
    """EHR_LED rule 14."""
    _, other = insured(billing)
    create = CreateBillingChart(
        ehr=EhrChartId(640),
        fields={"first_name": "Cy", "last_name": "Young", "birth_date": "1980-02-29", "sex": "Male"},
        external_id="640",
        case_name="Standard",
        payer_scenario="Insurance",
        policies=(PolicyChange(ehr=8, fields={"rank": "1", "member_id": "C-1", **ids(billing, other)}, agreed=AGREED),),
    )
    written = await writer.write(lambda: create)
    assert [one.number for one in written.chart.cases[0].policies] == ["C-1"]
    assert "UpdatePatient" not in billing.asked()


# -- other people's things ------------------------------------------------------------------------------------------------

TEXT = st.text("abcxyz 0123456789-", max_size=8).map(str.strip)
FIELDS = {
    "member_id": TEXT.filter(bool),
    "group_id": TEXT,
    "copay": st.sampled_from(["", "5.00", "20.00"]),
    "deductible": st.sampled_from(["", "100.00"]),
    "insured_city": TEXT.filter(bool),
    "insured_first_name": st.sampled_from(["Ann", "Bo"]),
}
CHANGES = st.dictionaries(st.sampled_from(sorted(FIELDS)), st.none(), min_size=1).flatmap(
    lambda names: st.fixed_dictionaries({name: FIELDS[name] for name in names})
)
MEMBERS = {"member_id": "number", "group_id": "group", "copay": "copay", "deductible": "deductible"}


@given(fields=CHANGES, notes=TEXT, phone=st.sampled_from(["", "7065550100"]))
@settings(max_examples=12, deadline=None)
def test_everything_that_was_not_asked_for_survives(fields: dict[str, str], notes: str, phone: str) -> None:
    """I12: other cases, other policies, phones, notes, dates, and the members of the policy that were not named."""
    asyncio.run(_survives(fields, notes, phone))


async def _survives(fields: dict[str, str], notes: str, phone: str) -> None:
    async with kareo_at_work() as billing:
        ada = billing.ada(mobile_phone=phone, note=notes, email="ada@example.org")
        (case,) = [one.id for one in billing.sandbox.cases.values()]
        holder = {"first_name": "Will", "last_name": "King", "id_number": "77", "city": "Rome", "prefix": "Dr"}
        policy = billing.people.add_policy(
            case, "Blue", "Gold", number="X", start="2026-01-01", relationship="U", insured=holder
        )
        policy.notes, policy.external_id = notes, "theirs"
        auto = billing.people.add_case(ada, name="Auto", primary=False)
        billing.people.add_policy(auto.id, "Car Mutual", "Collision", number="CAR")
        patient, others = copy.deepcopy(billing.sandbox.patients[ada]), copy.deepcopy(dict(billing.sandbox.policies))
        cases = copy.deepcopy(dict(billing.sandbox.cases))

        writer = KareoWriter(billing.client, vendor_name="chartwire", now=lambda: billing.now)
        write = await told(writer, ada, PolicyChange(policy=policy.id, ehr=5, fields=fields, agreed=AGREED))
        await writer.write(lambda: write)

        patient.modified = billing.sandbox.patients[ada].modified
        assert billing.sandbox.patients[ada] == patient
        assert billing.sandbox.cases == cases
        for name, value in fields.items():
            if name in INSURED:
                setattr(others[policy.id].insured, name.removeprefix("insured_"), value)
            else:
                setattr(others[policy.id], MEMBERS[name], value)
        assert billing.sandbox.policies == others
