"""guide: Insurance: the primary case's active policies, Kareo -> Elation; carriers and plans come along."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from events.ids import BillingPatientId, EhrChartId
from events.records import BillingCase, BillingChart, BillingPolicy, Carrier, Plan
from events.terms import PolicyTerms
from events.writes import CreateCarrier, CreatePlan, PoliciesWritten, RecordCreated, Resource, SyncPolicies
from projections.rules.insurance import in_force, next_revisit, primary_case
from projections.terms.policy import BILLING_LED, Direction
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, BLUE, BLUE_CARRIER, BLUE_PLAN

SPOUSE = replace(
    BLUE,
    relationship="U",
    insured_name="Mr. William R King Jr.",
    insured_address1="3 Lovelace Court",
    insured_address2="Apt 1",
    insured_city="Atlanta",
    insured_state="Georgia",
    insured_zip="303030002",
    insured_ssn="530-12-4481",
    insured_birth_date=date(1980, 2, 21),
    insured_sex="M",
)


def insured(*policies: BillingPolicy, primary: bool = True) -> BillingChart:
    return replace(ADA_THERE, cases=(BillingCase(id=71, is_primary=primary, policies=policies),))


def clinic_with(*policies: BillingPolicy, known: bool = True, **rules: object) -> Clinic:
    """A clinic in which Ada is linked and insured; with `known`, Elation has the carrier and the plan already."""
    clinic = Clinic(directory=False, **rules)
    clinic.directories(carriers=(BLUE_CARRIER,) if known else (), plans=(BLUE_PLAN,) if known else ())
    clinic.linked(there=insured(*policies))
    return clinic


def written(*policies: BillingPolicy) -> Clinic:
    clinic = clinic_with(*policies)
    clinic.carry_out_all()
    assert set(clinic.patient().policies) == {str(one.id) for one in policies}
    return clinic


def terms(clinic: Clinic) -> tuple[PolicyTerms, ...]:
    write = clinic.wanted("policies")
    assert isinstance(write, SyncPolicies)
    return write.terms


# The field table


ROWS = {
    "plan name": (BLUE, "plan_name", "Blue Gold PPO"),
    "plan": (BLUE, "plan_id", 8101),
    "company name": (BLUE, "carrier_name", "Blue Cross"),
    "carrier": (BLUE, "carrier_id", 8001),
    "policy number": (BLUE, "member_id", "XYZ123"),
    "group number": (BLUE, "group_id", "G-77"),
    "copay": (BLUE, "copay", "20.00"),
    "deductible": (BLUE, "deductible", "1500.00"),
    "no copay": (replace(BLUE, copay=""), "copay", ""),
    "start": (replace(BLUE, start=date(2026, 1, 1)), "start", date(2026, 1, 1)),
    "end": (replace(BLUE, end=date(2026, 12, 31)), "end", date(2026, 12, 31)),
    "carrier address is the plan's": (BLUE, "address1", "9 Payer Plaza"),
    "carrier suite is the plan's": (BLUE, "address2", "Floor 2"),
    "carrier city is the plan's": (BLUE, "city", "Atlanta"),
    "carrier state is the plan's": (BLUE, "state", "GA"),
    "carrier zip is the plan's": (BLUE, "zip", "30303-0001"),
    "carrier phone is the plan's": (BLUE, "phone", "4045550100"),
    "relationship self": (BLUE, "relationship", "self"),
    "relationship spouse": (SPOUSE, "relationship", "spouse"),
    "relationship child": (replace(SPOUSE, relationship="C"), "relationship", "child"),
    "relationship other": (replace(SPOUSE, relationship="O"), "relationship", "other"),
    "relationship in words": (replace(SPOUSE, relationship="Child"), "relationship", "child"),
    "insured first name": (SPOUSE, "insured_first_name", "William"),
    "insured last name": (SPOUSE, "insured_last_name", "King"),
    "insured street": (SPOUSE, "insured_address", "3 Lovelace Court Apt 1"),
    "insured city": (SPOUSE, "insured_city", "Atlanta"),
    "insured state": (SPOUSE, "insured_state", "GA"),
    "insured zip": (SPOUSE, "insured_zip", "30303-0002"),
    "insured SSN": (SPOUSE, "insured_ssn", "530124481"),
    "insured DOB": (SPOUSE, "insured_birth_date", date(1980, 2, 21)),
    "insured sex": (SPOUSE, "insured_sex", "M"),
    "insured sex unknown": (replace(SPOUSE, insured_sex=""), "insured_sex", "N"),
    "self takes the patient's first name": (BLUE, "insured_first_name", "Ada"),
    "self takes the patient's last name": (BLUE, "insured_last_name", "Byron"),
    "self takes the patient's address": (BLUE, "insured_address", "1 Main Street Suite 4"),
    "self takes the patient's city": (BLUE, "insured_city", "Augusta"),
    "self takes the patient's state": (BLUE, "insured_state", "GA"),
    "self takes the patient's zip": (BLUE, "insured_zip", "30901"),
    "self takes the patient's DOB": (BLUE, "insured_birth_date", date(1985, 12, 10)),
    "self takes the patient's sex": (BLUE, "insured_sex", "F"),
    "another's address is never the patient's": (
        replace(SPOUSE, insured_address1="", insured_address2=""),
        "insured_address",
        "",
    ),
    "another's DOB is never the patient's": (replace(SPOUSE, insured_birth_date=None), "insured_birth_date", None),
}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_field_table(row: str):
    policy, name, expected = ROWS[row]
    (one,) = terms(clinic_with(policy))
    assert getattr(one, name) == expected


def test_self_takes_the_patients_ssn():
    clinic = clinic_with(BLUE)
    clinic.billing(replace(insured(BLUE), ssn="265-65-4321"))
    assert terms(clinic)[0].insured_ssn == "265654321"


def test_the_write_names_the_chart_and_the_patient():
    write = clinic_with(BLUE).wanted("policies")
    assert (write.chart, write.first_name, write.last_name, write.birth_date) == (ADA.id, "Ada", "Byron", ADA.birth_date)
    assert (write.known, write.remove) == ({}, ())


# Which policies count


def test_only_the_primary_case_counts():
    clinic = clinic_with()
    other = BillingCase(id=72, policies=(replace(BLUE, id=3009),))
    clinic.billing(replace(ADA_THERE, cases=(other, BillingCase(id=71, is_primary=True, policies=(BLUE,)))))
    assert [one.billing_policy for one in terms(clinic)] == [3001]


def test_without_a_primary_case_there_is_no_insurance_and_the_first_case_is_no_substitute():
    clinic = clinic_with()
    clinic.billing(insured(BLUE, primary=False))
    assert clinic.open() == []
    assert primary_case(insured(BLUE, primary=False).cases) is None


@pytest.mark.parametrize(
    "after",
    [insured(BLUE, primary=False), replace(ADA_THERE, cases=()), insured()],
    ids=["inactive", "no case", "no policy"],
)
def test_case_inactive_or_no_active_case_removes_all_its_policies(after: BillingChart):
    clinic = written(BLUE, replace(BLUE, id=3002))
    known = {key: entry.ehr for key, entry in clinic.patient().policies.items()}

    clinic.billing(after)

    write = clinic.wanted("policies")
    assert write.terms == ()
    assert set(write.remove) == set(known.values())
    clinic.carry_out_all()
    assert clinic.patient().policies == {}
    assert clinic.open() == []


def test_one_policy_made_inactive_removes_that_one():
    clinic = written(BLUE, replace(BLUE, id=3002))
    known = {key: entry.ehr for key, entry in clinic.patient().policies.items()}

    clinic.billing(insured(BLUE))

    write = clinic.wanted("policies")
    assert write.remove == (known["3002"],)
    assert [one.billing_policy for one in write.terms] == [3001]
    assert write.known == known


def test_a_new_primary_case_replaces_the_policies_of_the_old():
    clinic = written(BLUE)
    known = clinic.patient().policies["3001"].ehr
    new = BillingCase(id=72, is_primary=True, policies=(replace(BLUE, id=3005, number="NEW"),))

    clinic.billing(replace(ADA_THERE, cases=(BillingCase(id=71, policies=(BLUE,)), new)))

    write = clinic.wanted("policies")
    assert [one.member_id for one in write.terms] == ["NEW"]
    assert write.remove == (known,)


def test_cases_that_were_not_read_change_nothing():
    clinic = written(BLUE)
    clinic.billing(replace(ADA_THERE, cases=None))
    assert clinic.open() == []
    assert clinic.patient().billing.chart.cases == insured(BLUE).cases


@pytest.mark.parametrize(("end", "counts"), [(date(2026, 3, 1), False), (date(2026, 3, 2), True), (None, True)])
def test_a_policy_that_has_ended_counts_no_more(end: date | None, counts: bool):
    assert in_force(replace(BLUE, end=end), date(2026, 3, 2)) is counts
    assert (clinic_with(replace(BLUE, end=end)).wanted("policies") is not None) is counts


def test_a_policy_that_ends_is_removed_the_day_after_without_a_change():
    clinic = written(replace(BLUE, end=date(2026, 3, 3)))
    assert next_revisit(clinic.patient().billing, clinic.moment.today) == date(2026, 3, 4)

    clinic.pass_days(1)
    assert clinic.open() == []
    clinic.pass_days(1)
    assert clinic.wanted("policies").terms == ()
    assert next_revisit(clinic.patient().billing, clinic.moment.today) is None


def test_a_policy_that_starts_later_is_shown_already():
    assert clinic_with(replace(BLUE, start=date(2027, 1, 1))).wanted("policies") is not None


def test_ranks_follow_the_order_in_kareo():
    clinic = clinic_with(replace(BLUE, id=3007), replace(BLUE, id=3002), replace(BLUE, id=3005))
    assert [(one.billing_policy, one.rank) for one in terms(clinic)] == [(3007, 1), (3002, 2), (3005, 3)]


def test_a_fourth_active_policy_waits():
    clinic = clinic_with(*(replace(BLUE, id=3001 + at) for at in range(4)))
    assert [one.rank for one in terms(clinic)] == [1, 2, 3]
    assert clinic.waits("policy:3004") == "no-rank"


def test_the_policy_pushed_to_fourth_place_is_removed():
    clinic = written(*(replace(BLUE, id=3001 + at) for at in range(3)))
    third = clinic.patient().policies["3003"].ehr
    clinic.billing(insured(replace(BLUE, id=3000), *(replace(BLUE, id=3001 + at) for at in range(3))))
    assert [one.billing_policy for one in terms(clinic)] == [3000, 3001, 3002]
    assert clinic.wanted("policies").remove == (third,)


def test_the_same_policies_again_write_nothing():
    clinic = written(BLUE)
    clinic.billing(insured(BLUE))
    assert clinic.open() == []


def test_an_edit_of_a_policy_updates_the_one_that_is_there():
    clinic = written(BLUE)
    known = clinic.patient().policies["3001"].ehr
    clinic.billing(insured(replace(BLUE, group="G-78")))
    write = clinic.wanted("policies")
    assert (write.known, write.terms[0].group_id, write.remove) == ({"3001": known}, "G-78", ())


def test_a_policy_lost_in_the_write_is_written_again():
    clinic = clinic_with(BLUE)
    clinic.succeed(ADA_KEY, "policies", PoliciesWritten(known={}))
    assert [one.billing_policy for one in terms(clinic)] == [3001]


@pytest.mark.parametrize("lacking", [{"plan_name": ""}, {"company_name": " "}], ids=["plan", "company"])
def test_a_policy_without_a_plan_or_company_waits_and_the_others_go(lacking: dict[str, str]):
    clinic = clinic_with(replace(BLUE, id=3002, **lacking), BLUE)
    assert clinic.waits("policy:3002") == "no-plan"
    assert [one.billing_policy for one in terms(clinic)] == [3001]


@pytest.mark.parametrize("odd", ["20%", "$20/visit", "N/A", "twenty", "1.2.3", "."])
def test_c8_a_copay_that_is_no_amount_waits_and_the_policy_goes_without_it(odd: str):
    clinic = clinic_with(replace(BLUE, copay=odd))
    assert clinic.waits("policy:3001") == "not-an-amount"
    (one,) = terms(clinic)
    assert (one.copay, one.keeps, one.deductible) == ("", ("copay",), "1500.00")


def test_a_policy_that_waits_keeps_what_elation_has():
    clinic = written(BLUE)
    clinic.billing(insured(replace(BLUE, copay="20%")))
    assert clinic.waits("policy:3001") == "not-an-amount"
    assert clinic.open() == []
    assert "3001" in clinic.patient().policies


def test_insurance_is_left_alone_where_it_is_off():
    clinic = clinic_with(BLUE, table=BILLING_LED | {Resource.INSURANCE: Direction.OFF}, known=False)
    assert clinic.open() == []
    assert clinic.waiting() == {}


def test_a_patient_without_a_birth_date_in_either_system_waits():
    clinic = clinic_with(BLUE)
    clinic.ehr(replace(ADA, birth_date=None))
    clinic.billing(replace(insured(BLUE), birth_date=None))
    assert clinic.waits("policies") == "incomplete"
    assert clinic.wanted("policies") is None


# Carriers and plans: created only when a patient has them, once, then the policy follows


def test_a_carrier_is_created_with_the_plans_address_and_the_policy_waits_for_it():
    clinic = clinic_with(BLUE, known=False)

    assert clinic.wanted("carrier:40", "") == CreateCarrier(
        company_id="40",
        plan_id="50",
        name="Blue Cross",
        address1="9 Payer Plaza",
        address2="Floor 2",
        city="Atlanta",
        state="GA",
        zip="30303-0001",
        phone="4045550100",
    )
    assert clinic.wanted("policies") is None
    assert clinic.waits("carrier:40") == "carrier-pending"


def test_then_its_plan_then_the_policy():
    clinic = clinic_with(BLUE, known=False)
    clinic.succeed("", "carrier:40", RecordCreated(id=8500))
    assert clinic.wanted("plan:50", "") == CreatePlan(billing_plan_id="50", name="Blue Gold PPO", carrier=8500)
    assert clinic.waits("plan:50") == "plan-pending"

    clinic.succeed("", "plan:50", RecordCreated(id=8600))

    assert [(one.carrier_id, one.plan_id) for one in terms(clinic)] == [(8500, 8600)]
    assert clinic.waiting() == {}


def test_a_carrier_is_created_once_for_all_patients():
    clinic = clinic_with(BLUE, known=False)
    clinic.linked(
        replace(ADA, id=EhrChartId(102), first_name="Mary"),
        replace(insured(replace(BLUE, id=3050)), id=BillingPatientId(902), first_name="Mary"),
    )
    writes = clinic.carry_out_all()
    assert sum(isinstance(one, CreateCarrier) for one in writes) == 1
    assert sum(isinstance(one, CreatePlan) for one in writes) == 1
    assert sum(isinstance(one, SyncPolicies) for one in writes) == 2


def test_a_carrier_is_not_created_for_a_policy_that_does_not_count():
    clinic = clinic_with(replace(BLUE, end=date(2026, 1, 1)), known=False)
    clinic.billing(insured(BLUE, primary=False))
    assert clinic.open() == []


@pytest.mark.parametrize(
    "carrier",
    [Carrier(id=8001, name="Another name", external_id="40"), Carrier(id=8001, name="BLUE-CROSS")],
    ids=["by Kareo's id", "by name"],
)
def test_a_carrier_that_elation_has_is_used(carrier: Carrier):
    clinic = Clinic(directory=False)
    clinic.directories(carriers=(carrier,), plans=(Plan(id=8101, name="blue gold ppo", carrier=8001),))
    clinic.linked(there=insured(BLUE))
    assert [(one.carrier_id, one.plan_id) for one in terms(clinic)] == [(8001, 8101)]


def test_a_carrier_of_the_same_name_that_is_another_kareo_company_is_not_used():
    clinic = Clinic(directory=False)
    clinic.directories(carriers=(Carrier(id=8001, name="Blue Cross", external_id="41"),))
    clinic.linked(there=insured(BLUE))
    assert isinstance(clinic.wanted("carrier:40", ""), CreateCarrier)


def test_a_plan_of_the_same_name_of_another_carrier_is_not_used():
    clinic = Clinic(directory=False)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(Plan(id=8101, name="Blue Gold PPO", carrier=8002),))
    clinic.linked(there=insured(BLUE))
    assert isinstance(clinic.wanted("plan:50", ""), CreatePlan)


def test_a_refused_carrier_shows_with_the_policy_and_is_not_asked_for_again():
    clinic = clinic_with(BLUE, known=False)
    clinic.refuse("", "carrier:40", text="name too long")
    clinic.billing(insured(BLUE))
    assert clinic.waits("carrier:40") == "carrier-refused"
    assert "name too long" in clinic.waiting()["carrier:40"].text
    assert len([one for one in clinic.requests() if isinstance(one.write, CreateCarrier)]) == 1


@pytest.mark.parametrize("lacking", [{"company_id": ""}, {"plan_id": ""}], ids=["company", "plan"])
def test_a_carrier_or_plan_without_kareos_id_is_never_created_twice(lacking: dict[str, str]):
    clinic = clinic_with(replace(BLUE, **lacking), known=False)
    clinic.carry_out_all()
    clinic.billing(insured(replace(BLUE, **lacking)))
    clinic.carry_out_all()
    assert sum(isinstance(one.write, CreatePlan | CreateCarrier) for one in clinic.requests()) <= 1
    assert clinic.waits("policy:3001") == "no-plan"


def test_one_policy_pending_does_not_hold_up_another():
    clinic = written(BLUE)
    new = replace(BLUE, id=3002, company_id="60", company_name="Red Shield", plan_id="61", plan_name="Red One")
    clinic.billing(insured(replace(BLUE, group="G-78"), new))
    assert [(one.billing_policy, one.group_id) for one in terms(clinic)] == [(3001, "G-78")]
    clinic.carry_out_all()
    assert set(clinic.patient().policies) == {"3001", "3002"}
    assert clinic.waiting() == {}
