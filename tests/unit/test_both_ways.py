"""ELATION_LED sections 1 to 3 and 8: insurance both ways, Elation -> Kareo above all; each rule and trap by its number."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec.structs import replace

from events.commands import ConflictSeen
from events.ids import BillingPatientId
from events.insurance import InsurersLearnt
from events.records import BillingCase, BillingChart, BillingPlan, BillingPolicy, ChartPolicy
from events.schema import IntentSuperseded
from events.terms import PolicyChange
from events.writes import ChangeBillingPolicies, CreateBillingChart, Resource, SyncPolicies, System
from projections.rules.telling import INSURED_NOTE
from projections.terms.policy import ELATION_LED, KAREO_LED, Direction, NewCarrier, RemovedPolicy, WithoutPlan
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, BLUE, BLUE_CARRIER, BLUE_PLAN

GOLD = ChartPolicy(
    id=5001,
    rank=1,
    active=True,
    carrier_id=8001,
    carrier_name="Blue Cross",
    plan_id=8101,
    plan_name="Blue Gold PPO",
    member_id="XYZ123",
    group_id="G-77",
    copay="20.00",
    deductible="1500.00",
    relationship="self",
)
"""Ada's policy as Elation holds it; the same as BLUE."""
SPOUSE = {
    "relationship": "spouse",
    "insured_first_name": "William",
    "insured_last_name": "King",
    "insured_address": "3 Lovelace Court",
    "insured_city": "Atlanta",
    "insured_state": "GA",
    "insured_zip": "30303",
    "insured_ssn": "123-45-6789",
    "insured_birth_date": date(1980, 2, 21),
    "insured_sex": "M",
}
SECOND = replace(BLUE, id=3002, number="SEC-9", group="", copay="", deductible="")
SECOND_HERE = replace(GOLD, id=5002, rank=2, member_id="SEC-9", group_id="", copay="", deductible="")
CASE = "case-policies"
BLUE_THERE = BillingPlan(company_id="40", company_name="Blue Cross", plan_id="50", plan_name="Blue Gold PPO")
SILVER_THERE = BillingPlan(company_id="40", company_name="Blue Cross", plan_id="51", plan_name="Blue Silver")


def insured(*policies: BillingPolicy, **case: object) -> BillingChart:
    return replace(ADA_THERE, cases=(BillingCase(id=71, is_primary=True, policies=policies, **case),))


def both(*here: ChartPolicy, there: tuple[BillingPolicy, ...] = (), learnt: bool = True, **rules: object) -> Clinic:
    """A clinic with the profile elation-led in which Ada is linked. With `learnt` somebody else's policy has shown the plan.

    What was to be done at the beginning is done.
    """
    clinic = Clinic(directory=False, **{"table": ELATION_LED, **rules})
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    if learnt:
        clinic.record(InsurersLearnt(plans=(BLUE_THERE,)))
    clinic.policies(*here)
    clinic.linked(there=insured(*there))
    clinic.carry_out_all()
    return clinic


def agreed(*here: ChartPolicy, there: tuple[BillingPolicy, ...], **rules: object) -> Clinic:
    """As `both`, where the two sides hold the same and nothing was to be written."""
    clinic = both(*here, there=there, **rules)
    assert insurance(clinic) == []
    return clinic


def insurance(clinic: Clinic) -> list[ChangeBillingPolicies | SyncPolicies]:
    """Every insurance write that was ever requested for a linked patient."""
    return [one.write for one in clinic.requests() if isinstance(one.write, ChangeBillingPolicies | SyncPolicies)]


def change(clinic: Clinic) -> PolicyChange:
    """The one change that Kareo is to be told."""
    write = clinic.wanted(CASE)
    assert isinstance(write, ChangeBillingPolicies)
    (one,) = write.changes
    return one


def superseded(clinic: Clinic, slot: str) -> None:
    """The write found another reading than it was decided on."""
    body = IntentSuperseded(intent=clinic.intent(ADA_KEY, slot).intent, slot=slot, reason="changed meanwhile")
    clinic.record(body, ehr=ADA.id, billing=ADA_THERE.id)


def sync(clinic: Clinic) -> SyncPolicies:
    write = clinic.wanted("policies")
    assert isinstance(write, SyncPolicies)
    return write


# Which fields travel (section 2)

EDITS = {
    "member_id": ({"member_id": "NEW-1"}, {"member_id": "NEW-1"}),
    "group_id": ({"group_id": "G-1"}, {"group_id": "G-1"}),
    "no group": ({"group_id": ""}, {"group_id": ""}),
    "copay": ({"copay": "35.00"}, {"copay": "35.00"}),
    "copay 0 is one": ({"copay": "0"}, {"copay": "0.00"}),
    "no copay": ({"copay": ""}, {"copay": ""}),
    "deductible": ({"deductible": "250"}, {"deductible": "250.00"}),
    "rank": ({"rank": 2}, {"rank": "2"}),
    "plan": ({"plan_id": 8102, "plan_name": "Blue Silver"}, {"company_id": "40", "plan_id": "51"}),
}


@pytest.mark.parametrize("row", EDITS)
def test_an_edit_in_elation_tells_kareo_that_member_alone(row: str):
    edit, told = EDITS[row]
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.record(InsurersLearnt(plans=(SILVER_THERE,)))

    clinic.policies(replace(GOLD, **edit))

    one = change(clinic)
    assert (one.policy, one.ehr, one.fields) == (BLUE.id, GOLD.id, told)
    assert clinic.wanted(CASE).case_id == 71
    clinic.carry_out_all()
    assert len(insurance(clinic)) == 1, "no echo (I5)"
    assert clinic.open() == []
    assert clinic.waiting() == {}


def test_the_same_in_another_form_is_no_edit():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(replace(GOLD, copay="20", deductible="1500.0", member_id=" XYZ123 ", relationship="Self"))
    assert insurance(clinic) == []


def test_the_holder_is_told_whole_and_said_so_when_it_is_somebody_else():
    """Rule 4: Insured only where an insured fact changed, and said so."""
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(replace(GOLD, **SPOUSE))
    assert change(clinic).fields == {
        "relationship": "spouse",
        "insured_first_name": "William",
        "insured_last_name": "King",
        "insured_address": "3 Lovelace Court",
        "insured_city": "Atlanta",
        "insured_state": "GA",
        "insured_zip": "30303",
        "insured_ssn": "123456789",
        "insured_birth_date": "1980-02-21",
        "insured_sex": "M",
    }
    assert clinic.requests()[-1].notes == (INSURED_NOTE,)
    clinic.carry_out_all()
    assert clinic.open() == []
    clinic.policies(replace(GOLD, **(SPOUSE | {"insured_city": "Macon"})))
    assert change(clinic).fields == {"insured_city": "Macon"}


def test_other_edits_of_such_a_policy_send_no_holder():
    clinic = both(replace(GOLD, **SPOUSE))
    clinic.policies(replace(GOLD, **SPOUSE, group_id="G-78"))
    assert change(clinic).fields == {"group_id": "G-78"}
    assert clinic.requests()[-1].notes == ()


def test_the_holder_of_a_policy_of_ones_own_is_never_told():
    """Rule 4: never for relationship Self; a change to it waits."""
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(replace(GOLD, insured_first_name="Adah", insured_birth_date=date(1900, 1, 1)))
    assert insurance(clinic) == []
    clinic.policies(replace(GOLD, **SPOUSE))
    clinic.carry_out_all()
    before = len(insurance(clinic))
    clinic.policies(GOLD)
    assert insurance(clinic)[before:] == []
    assert clinic.waits("policy:3001") == "insured-self"


@pytest.mark.parametrize(
    "half", [{"insured_first_name": ""}, {"insured_birth_date": None}, {"insured_sex": "N"}, {"insured_ssn": "***"}]
)
def test_half_a_holder_is_sent_as_far_as_it_is_known(half: dict[str, object]):
    """Section 8: policyholder not self with half a name, no birth date, a sex outside Female and Male."""
    clinic = both(replace(GOLD, **(SPOUSE | half)))
    (write,) = insurance(clinic)
    assert set(half) & set(write.changes[0].fields) == set()
    assert "insured_last_name" in write.changes[0].fields
    assert clinic.open() == []


# A policy entered in Elation first


def test_a_policy_entered_in_elation_is_added_to_the_primary_case_once():
    clinic = both(GOLD)
    (write,) = insurance(clinic)
    assert write.case_id == 71
    (one,) = write.changes
    assert (one.policy, one.ehr) == (None, GOLD.id)
    assert one.fields == {
        "rank": "1",
        "company_id": "40",
        "plan_id": "50",
        "member_id": "XYZ123",
        "group_id": "G-77",
        "copay": "20.00",
        "deductible": "1500.00",
    }
    assert clinic.open() == []
    clinic.policies(GOLD)
    clinic.billing(clinic.patient().billing.chart)
    assert len(insurance(clinic)) == 1
    (base,) = clinic.patient().policies.values()
    assert base.ehr == GOLD.id


def test_a_secondary_without_a_primary_stays_one():
    clinic = both(replace(GOLD, rank=2))
    assert insurance(clinic)[0].changes[0].fields["rank"] == "2"
    assert len(insurance(clinic)) == 1
    assert clinic.open() == []


@pytest.mark.parametrize(
    "policy",
    [replace(GOLD, rank=None), replace(GOLD, active=False), replace(GOLD, active=False, rank=None)],
    ids=["blank rank", "inactive", "historical"],
)
def test_a_historical_policy_goes_nowhere(policy: ChartPolicy):
    """Rule 11: a blank rank is a historical record."""
    clinic = both(policy)
    assert insurance(clinic) == []
    assert clinic.waiting() == {}


def test_two_active_policies_of_one_rank_wait():
    """Section 8."""
    clinic = both(GOLD, replace(GOLD, id=5003, member_id="OTHER"))
    assert insurance(clinic) == []
    assert clinic.waits("chart-policy:5001") == clinic.waits("chart-policy:5003") == "rank-twice"


def test_a_tertiary_goes_along():
    clinic = both(GOLD, SECOND_HERE, replace(GOLD, id=5003, rank=3, member_id="T-3"))
    assert [one.fields["rank"] for one in insurance(clinic)[0].changes] == ["1", "2", "3"]
    assert len(insurance(clinic)) == 1
    assert clinic.open() == []


# Cases (rules 1 and 2)


def test_a_case_is_added_where_there_is_none():
    clinic = Clinic(directory=False, table=ELATION_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.record(InsurersLearnt(plans=(BLUE_THERE,)))
    clinic.policies(GOLD)
    clinic.linked(there=replace(ADA_THERE, cases=()))
    write = clinic.wanted(CASE)
    assert (write.case_id, write.case_name, write.payer_scenario) == (None, "Primary", "Self Pay")
    clinic.carry_out_all()
    assert len(insurance(clinic)) == 1


def test_an_auto_case_is_left_alone_and_one_is_added_beside_it():
    auto = BillingCase(id=72, name="Auto", policies=(replace(BLUE, id=3009),))
    clinic = Clinic(directory=False, table=ELATION_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.policies(GOLD)
    clinic.linked(there=replace(ADA_THERE, cases=(auto,)))
    assert clinic.wanted(CASE).case_id is None
    clinic.carry_out_all()
    assert clinic.patient().billing.chart.cases[0] == auto


def test_an_added_case_that_is_not_primary_waits_and_is_not_added_again():
    """Rule 2: read back, and wait visibly."""
    clinic = both(GOLD)
    clinic.billing(replace(ADA_THERE, cases=(BillingCase(id=75, name="Primary"), BillingCase(id=76, name="Auto"))))
    clinic.policies(GOLD, SECOND_HERE)
    assert clinic.waits(CASE) == "no-primary-case"
    assert clinic.wanted(CASE) is None


def test_two_cases_that_claim_to_be_primary_wait():
    clinic = Clinic(directory=False, table=ELATION_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.record(InsurersLearnt(plans=(BLUE_THERE,)))
    clinic.policies(GOLD)
    two = (BillingCase(id=71, is_primary=True), BillingCase(id=72, is_primary=True))
    clinic.linked(there=replace(ADA_THERE, cases=two))
    assert clinic.waits(CASE) == "no-primary-case"
    assert insurance(clinic) == []


def test_cases_that_were_not_read_decide_nothing():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.billing(replace(ADA_THERE, cases=None))
    assert insurance(clinic) == []


# Companies and plans (rule 7)


def test_a_carrier_that_kareo_has_not_shown_waits_until_a_policy_shows_it():
    clinic = both(GOLD, learnt=False)
    assert insurance(clinic) == []
    assert clinic.waits("chart-policy:5001") == "carrier-unknown"
    zoe = replace(ADA_THERE, id=BillingPatientId(950), first_name="Zoe", last_name="Quux", birth_date=date(1950, 1, 1))
    clinic.billing(replace(zoe, cases=(BillingCase(id=95, is_primary=True, policies=(replace(BLUE, id=3950),)),)))
    clinic.policies(chart=950)
    chart = replace(ADA, id=950, first_name="Zoe", last_name="Quux", birth_date=date(1950, 1, 1))
    clinic.ehr(replace(chart, link_hint="kareo-patient:950"))
    assert change(clinic).fields["company_id"] == "40"


@pytest.mark.parametrize(
    ("name", "code"),
    [("BLUE  cross,", ""), ("blue cross", ""), ("Blue Cross Inc", "carrier-unknown"), ("", "carrier-unknown")],
)
def test_a_carrier_is_known_by_its_name_but_for_case_and_signs(name: str, code: str):
    """Section 8: equal but for case and comma; "Inc" is another name."""
    clinic = both(replace(GOLD, carrier_id=8999, carrier_name=name))
    assert clinic.waits("chart-policy:5001") == code
    assert len(insurance(clinic)) == (not code)


def test_a_name_is_never_sent_unless_the_practice_says_so():
    clinic = both(replace(GOLD, carrier_id=8999, carrier_name="New Mutual", plan_id=None, plan_name=""))
    assert insurance(clinic) == []
    assert clinic.waits("chart-policy:5001") == "carrier-unknown"
    clinic = both(
        replace(GOLD, carrier_id=8999, carrier_name="New Mutual", plan_id=None, plan_name=""), new_carrier=NewCarrier.CREATE
    )
    fields = insurance(clinic)[0].changes[0].fields
    assert fields["company_name"] == "New Mutual"
    assert "plan_name" not in fields
    assert "company_id" not in fields


def test_a_plan_is_never_created_whatever_the_practice_says():
    """Section 1: plans come from Kareo only."""
    for carrier in (8001, 8999):
        policy = replace(GOLD, carrier_id=carrier, plan_id=8777, plan_name="Platinum")
        clinic = both(
            replace(policy, carrier_name="Blue Cross" if carrier == 8001 else "New"), new_carrier=NewCarrier.CREATE
        )
        assert insurance(clinic) == []
        assert clinic.waits("chart-policy:5001") in ("plan-unknown", "carrier-unknown")


def test_a_carrier_without_a_plan_waits_or_takes_the_single_known_one():
    bare = replace(GOLD, plan_id=None, plan_name="")
    assert both(bare).waits("chart-policy:5001") == "plan-unknown"
    clinic = both(bare, carrier_without_plan=WithoutPlan.SINGLE_KNOWN_PLAN)
    assert insurance(clinic)[0].changes[0].fields["plan_id"] == "50"
    assert len(insurance(clinic)) == 1, "Kareo's plan is the same insurer"


def test_a_carrier_deleted_in_elations_settings_still_counts_by_its_name():
    clinic = both(GOLD)
    clinic.elation_directory(carriers=(), plans=())
    clinic.policies(GOLD, SECOND_HERE)
    assert change(clinic).fields["company_id"] == "40"


def test_kareo_renames_a_plan():
    """Section 8: the id stays, so nothing is anybody's edit; the new name reaches Elation with its plan."""
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.billing(insured(replace(BLUE, plan_name="Blue Gold Plus")))
    clinic.carry_out_all()
    assert [one for one in insurance(clinic) if isinstance(one, ChangeBillingPolicies)] == []


# Removals (rules 8 and 9)


@pytest.mark.parametrize(
    "left",
    [(replace(GOLD, active=False, rank=None), SECOND_HERE), (SECOND_HERE,)],
    ids=["historical", "not listed"],
)
def test_a_removal_in_elation_is_shown_and_nothing_is_removed(left: tuple[ChartPolicy, ...]):
    clinic = agreed(GOLD, SECOND_HERE, there=(BLUE, SECOND))
    clinic.policies(*left)
    assert insurance(clinic) == []
    assert clinic.waits("policy:3001") == "removed-in-chart"
    clinic.policies(GOLD, SECOND_HERE)
    assert clinic.waiting() == {}, "historical and back"
    assert insurance(clinic) == []


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        (RemovedPolicy.DEACTIVATE, {"active": "false"}),
        (RemovedPolicy.DEACTIVATE_AND_END, {"active": "false", "end": "2026-03-02"}),
    ],
)
def test_a_removal_in_elation_deactivates_where_the_practice_wants_it(what: RemovedPolicy, fields: dict[str, str]):
    clinic = agreed(GOLD, SECOND_HERE, there=(BLUE, SECOND), removed_policy=what)
    gone = replace(GOLD, active=False, rank=None)
    clinic.policies(gone, SECOND_HERE)
    assert change(clinic).fields == fields
    clinic.carry_out_all()
    assert clinic.open() == []
    clinic.billing(insured(BLUE, SECOND))  # an account that lists inactive policies, unmarked
    clinic.carry_out_all()
    assert len([one for one in insurance(clinic) if isinstance(one, ChangeBillingPolicies)]) == 1
    assert not any(
        terms.billing_policy == BLUE.id
        for one in insurance(clinic)[1:]
        if isinstance(one, SyncPolicies)
        for terms in one.terms
    )


def test_an_empty_answer_is_no_removal():
    clinic = agreed(GOLD, there=(BLUE,), removed_policy=RemovedPolicy.DEACTIVATE)
    clinic.policies()
    assert insurance(clinic) == []
    assert clinic.waiting() == {}


def test_a_case_made_inactive_removes_all_in_elation_and_comes_not_back():
    """Rule 9: our own removal is no echo."""
    clinic = agreed(GOLD, SECOND_HERE, there=(BLUE, SECOND), removed_policy=RemovedPolicy.DEACTIVATE)
    clinic.billing(replace(ADA_THERE, cases=()))
    assert sync(clinic).remove == (5001, 5002)
    assert sync(clinic).terms == ()
    clinic.carry_out_all()
    assert len(insurance(clinic)) == 1
    clinic.policies(*(replace(one, active=False, rank=None) for one in (GOLD, SECOND_HERE)))
    assert len(insurance(clinic)) == 1
    assert clinic.waiting() == {}
    assert clinic.patient().policies == {}


# Three-way (rule 10)


def test_each_side_changes_another_field_and_both_travel():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(replace(GOLD, group_id="G-1"))
    clinic.billing(insured(replace(BLUE, copay="50")))
    assert change(clinic).fields == {"group_id": "G-1"}
    (terms,) = sync(clinic).terms
    assert terms.copay == "50.00"
    assert "group_id" in terms.keeps
    clinic.carry_out_all()
    assert clinic.open() == []
    assert clinic.patient().coverage.policies[0].copay == "50.00"
    assert clinic.patient().billing.chart.cases[0].policies[0].group == "G-1"


@pytest.mark.parametrize("winner", System)
def test_both_change_a_field_and_the_preference_decides(winner: System):
    clinic = agreed(GOLD, there=(BLUE,), insurance_preference=winner)
    clinic.policy = replace(clinic.policy, observes=True)
    clinic.policies(replace(GOLD, group_id="HERE"))
    clinic.policy = replace(clinic.policy, observes=False)
    clinic.billing(insured(replace(BLUE, group="THERE")))
    if winner is System.EHR:
        assert change(clinic).fields == {"group_id": "HERE"}
        assert clinic.wanted("policies") is None
    else:
        assert sync(clinic).terms[0].group_id == "THERE"
        assert clinic.wanted(CASE) is None
    assert clinic.waits("conflict:policies.3001.group_id") == "conflict"
    clinic.carry_out_all()
    assert clinic.open() == []
    clinic.conflict_seen(ADA_KEY, "policies.3001.group_id")
    assert clinic.waiting() == {}


def test_both_change_a_field_to_the_same():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policy = replace(clinic.policy, observes=True)
    clinic.policies(replace(GOLD, group_id="SAME"))
    clinic.policy = replace(clinic.policy, observes=False)
    clinic.billing(insured(replace(BLUE, group="SAME")))
    assert insurance(clinic) == []
    clinic.policies(replace(GOLD, group_id="G-77"))
    assert change(clinic).fields == {"group_id": "G-77"}, "the base moved along"


def test_ranks_that_swap_are_no_other_policies():
    clinic = agreed(GOLD, SECOND_HERE, there=(BLUE, SECOND))
    clinic.policies(replace(GOLD, rank=2), replace(SECOND_HERE, rank=1))
    write = clinic.wanted(CASE)
    assert {one.policy: one.fields for one in write.changes} == {3001: {"rank": "2"}, 3002: {"rank": "1"}}
    clinic.carry_out_all()
    assert len(insurance(clinic)) == 1
    clinic.billing(insured(BLUE, SECOND))
    assert {one.billing_policy: one.rank for one in sync(clinic).terms} == {3001: 1, 3002: 2}
    clinic.carry_out_all()
    assert len(insurance(clinic)) == 2


def test_a_new_primary_in_kareo_moves_the_old_one():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.billing(insured(SECOND, BLUE))
    assert [(one.billing_policy, one.rank) for one in sync(clinic).terms] == [(3002, 1), (3001, 2)]
    clinic.carry_out_all()
    assert len(insurance(clinic)) == 1
    assert clinic.waiting() == {}


def test_half_of_such_a_write_is_no_removal():
    """Elation deactivates whoever held the rank: seen between two calls of ours it is not a person's removal."""
    clinic = agreed(GOLD, there=(BLUE,), removed_policy=RemovedPolicy.DEACTIVATE)
    clinic.billing(insured(SECOND, BLUE))
    clinic.lose(ADA_KEY, "policies")
    half = (replace(GOLD, active=False, rank=None), replace(SECOND_HERE, rank=1))
    clinic.policies(*half)
    assert clinic.wanted(CASE) is None
    superseded(clinic, "policies")
    assert clinic.wanted(CASE) is None
    assert {one.billing_policy: one.rank for one in sync(clinic).terms} == {3001: 2}
    clinic.carry_out_all()
    assert clinic.waiting() == {}
    assert all(one.active for one in clinic.patient().coverage.policies)


def test_the_same_policy_added_on_both_sides_is_one():
    clinic = agreed(GOLD, there=(BLUE,))
    assert clinic.patient().policies["3001"].ehr == GOLD.id


@pytest.mark.parametrize("winner", System)
def test_both_sides_add_a_primary_in_one_window(winner: System):
    clinic = both(insurance_preference=winner)
    clinic.policy = replace(clinic.policy, observes=True)
    clinic.policies(replace(GOLD, member_id="HERE"))
    clinic.policy = replace(clinic.policy, observes=False)
    clinic.billing(insured(replace(BLUE, number="THERE")))
    assert clinic.waits("conflict:policies.rank1") == "conflict"
    if winner is System.BILLING:
        assert sync(clinic).terms[0].member_id == "THERE"
        assert clinic.wanted(CASE) is None
        assert clinic.waits("chart-policy:5001") == "rank-twice"
    else:
        assert change(clinic).fields["member_id"] == "HERE"
        assert clinic.wanted("policies") is None
        assert clinic.waits("policy:3001") == "rank-twice"


def test_a_policy_entered_anew_in_another_case_goes_on_where_it_was():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.billing(replace(ADA_THERE, cases=(BillingCase(id=80, is_primary=True, policies=(replace(BLUE, id=3080),)),)))
    assert insurance(clinic) == []
    assert {key: one.ehr for key, one in clinic.patient().policies.items()} == {"3080": GOLD.id}


# Charts born in Elation (rule 14)


def born(*policies: ChartPolicy, **rules: object) -> Clinic:
    clinic = Clinic(directory=False, **{"table": ELATION_LED, **rules})
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.record(InsurersLearnt(plans=(BLUE_THERE,)))
    clinic.ehr(ADA)
    clinic.write("E:101", "chart")
    return clinic


def test_a_chart_waits_for_its_policies_and_takes_them_along():
    clinic = born()
    assert clinic.waits("chart", "E:101") == "policies-pending"
    clinic.policies(GOLD, replace(SECOND_HERE, carrier_id=8999, carrier_name="Nobody"))
    create = clinic.wanted("chart", "E:101")
    assert isinstance(create, CreateBillingChart)
    assert [one.fields["member_id"] for one in create.policies] == ["XYZ123"]
    clinic.carry_out_all()
    (patient,) = [one for one in clinic.state.patients.values() if one.link is not None]
    assert {one.ehr for one in patient.policies.values()} == {GOLD.id}
    assert clinic.waits("chart-policy:5002", patient.key) == "carrier-unknown"
    assert insurance(clinic) == []
    assert clinic.open() == []


def test_a_chart_without_insurance_is_created_as_ever():
    clinic = born()
    clinic.policies()
    assert clinic.wanted("chart", "E:101").policies == ()


def test_a_patient_born_in_kareo_brings_its_policies_to_the_new_chart():
    clinic = Clinic(directory=False, table=ELATION_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.billing(insured(BLUE))
    clinic.carry_out_all()
    (write,) = insurance(clinic)
    assert isinstance(write, SyncPolicies)
    assert write.seen == ()
    assert clinic.open() == []
    assert len(clinic.patient().policies) == 1


# Reading


def test_nothing_is_written_before_elations_policies_have_been_read():
    clinic = Clinic(directory=False, table=ELATION_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.linked(there=insured(BLUE))
    assert insurance(clinic) == []
    assert clinic.waits("policies") == "policies-pending"
    clinic.policies(GOLD)
    assert clinic.waiting() == {}


def test_an_older_reading_changes_nothing():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(replace(GOLD, group_id="OLD"), observed=clinic.events[0].observed)
    assert insurance(clinic) == []


# The direction table


@pytest.mark.parametrize("direction", Direction)
def test_no_insurance_write_against_the_row(direction: Direction):
    clinic = both(table=ELATION_LED | {Resource.INSURANCE: direction})
    clinic.policies(replace(GOLD, member_id="HERE", rank=2))
    clinic.billing(insured(replace(BLUE, number="THERE")))
    clinic.carry_out_all()
    kinds = {type(one) for one in insurance(clinic)}
    assert (
        kinds
        == {
            Direction.BOTH: {SyncPolicies, ChangeBillingPolicies},
            Direction.TO_EHR: {SyncPolicies},
            Direction.TO_BILLING: {ChangeBillingPolicies},
            Direction.OFF: set(),
        }[direction]
    )


# A practice that changes its profile (point 1)


def switched(*here: ChartPolicy, there: tuple[BillingPolicy, ...]) -> Clinic:
    """A practice of the profile kareo-led, at rest, that takes the other; then Elation's policies are read."""
    clinic = Clinic(directory=False, table=KAREO_LED)
    clinic.directories(carriers=(BLUE_CARRIER,), plans=(BLUE_PLAN,))
    clinic.linked(there=insured(*there))
    clinic.carry_out_all()
    clinic.policy = replace(clinic.policy, table=ELATION_LED, preference=System.EHR)
    clinic.mark = len(insurance(clinic))
    clinic.billing(insured(*there))
    ids = [one.ehr for one in clinic.patient().policies.values()]
    clinic.policies(
        *(replace(one, id=id_) if id_ else one for one, id_ in zip(here, [*ids, *([0] * len(here))], strict=False))
    )
    clinic.carry_out_all()
    return clinic


def test_nothing_is_written_because_a_direction_widened():
    clinic = switched(replace(GOLD, group_id="EDITED"), replace(SECOND_HERE, member_id="STAFF"), there=(BLUE,))
    assert insurance(clinic)[clinic.mark :] == []
    assert clinic.waits("conflict:insurance") == "policies-differ"
    assert clinic.patient().coverage.unsettled == {"3001": ("group_id",)}
    assert clinic.patient().coverage.apart == (5002,)
    assert {slot: one.code for slot, one in clinic.waiting().items()} == {"conflict:insurance": "policies-differ"}


def test_what_both_hold_is_the_base_at_the_switch():
    clinic = switched(GOLD, there=(BLUE,))
    assert insurance(clinic)[clinic.mark :] == []
    assert clinic.waiting() == {}
    (id_,) = [one.ehr for one in clinic.patient().policies.values()]
    clinic.policies(replace(GOLD, id=id_, group_id="LATER"))
    assert change(clinic).fields == {"group_id": "LATER"}


def test_differences_are_settled_by_preference_when_a_person_has_seen_them():
    clinic = switched(replace(GOLD, group_id="EDITED"), replace(SECOND_HERE, member_id="STAFF"), there=(BLUE,))
    assert clinic.ask(ConflictSeen(fields=("insurance",), who="ann"), ehr=ADA.id, billing=ADA_THERE.id) == ""
    assert sync(clinic).terms[0].group_id == "G-77", "Kareo wins"
    assert change(clinic).fields["member_id"] == "STAFF"
    clinic.carry_out_all()
    assert clinic.open() == []


def test_a_person_settles_a_difference_by_making_them_alike():
    clinic = switched(replace(GOLD, group_id="EDITED"), there=(BLUE,))
    clinic.billing(insured(replace(BLUE, group="EDITED")))
    assert insurance(clinic)[clinic.mark :] == []
    assert clinic.patient().coverage.unsettled == {}


def test_a_practice_that_goes_back_and_comes_again_begins_anew():
    clinic = switched(GOLD, there=(BLUE,))
    (id_,) = [one.ehr for one in clinic.patient().policies.values()]
    clinic.policy = replace(clinic.policy, table=KAREO_LED)
    clinic.policies(replace(GOLD, id=id_, group_id="MEANWHILE"))
    clinic.policy = replace(clinic.policy, table=ELATION_LED)
    clinic.billing(insured(BLUE))
    assert insurance(clinic)[clinic.mark :] == []
    assert clinic.waits("conflict:insurance") == "policies-differ"
