"""EHR_LED section 3, rules 10 and 11, and section 8: which policies of the two sides are one, and what becomes of one entered anew."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.records import ChartPolicy
from events.writes import ChangeBillingPolicies, SyncPolicies
from projections.terms.policy import RemovedPolicy
from tests.unit.insured_both_ways import CASE, GOLD, SECOND_HERE, agreed, both, change, insurance, insured, sync
from tests.unit.records import ADA_KEY, ADA_THERE, BLUE

OTHER = replace(BLUE, id=3002, group="G-2")
OTHER_HERE = replace(GOLD, id=5002, rank=2, group_id="G-2")
"""A second policy of the same company."""


@pytest.mark.parametrize("number", ["", "XYZ123"], ids=["none is said", "both have the same"])
@pytest.mark.parametrize("backwards", [True, False])
def test_policies_of_one_company_that_no_number_tells_apart_belong_together_by_rank(number: str, backwards: bool):
    """Rule 10: by carrier and member number, then by rank, in whatever order the chart lists them."""
    here = [replace(one, member_id=number) for one in (GOLD, OTHER_HERE)]
    clinic = both(*(here[::-1] if backwards else here), there=tuple(replace(one, number=number) for one in (BLUE, OTHER)))
    assert insurance(clinic) == []
    assert clinic.waiting() == {}
    assert {key: one.ehr for key, one in clinic.patient().policies.items()} == {"3001": GOLD.id, "3002": OTHER_HERE.id}


def test_a_number_goes_before_a_rank():
    """Of two policies the one with the number is found first, though the other one, which says none, has its rank."""
    here = (replace(GOLD, member_id="TWO"), replace(OTHER_HERE, member_id=""))
    clinic = both(*here, there=(replace(BLUE, number=""), replace(OTHER, number="TWO")))
    assert {key: one.ehr for key, one in clinic.patient().policies.items()} == {"3001": OTHER_HERE.id, "3002": GOLD.id}


def test_one_put_away_and_entered_anew_goes_on_under_its_number():
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.policies(replace(GOLD, active=False, rank=None), replace(GOLD, id=5009, group_id="NEW"))
    one = change(clinic)
    assert (one.policy, one.ehr, one.fields) == (BLUE.id, 5009, {"group_id": "NEW"})
    assert clinic.waiting() == {}


def test_of_two_without_a_number_the_one_put_away_goes_on_under_its_rank():
    here = tuple(replace(one, member_id="") for one in (GOLD, OTHER_HERE))
    clinic = agreed(*here, there=tuple(replace(one, number="") for one in (BLUE, OTHER)))
    anew = [replace(here[1], id=5010, group_id="NEW"), replace(here[0], id=5009)]
    clinic.policies(*(replace(one, active=False, rank=None) for one in here), *anew)
    assert (change(clinic).policy, change(clinic).fields) == (OTHER.id, {"group_id": "NEW"})


# -- Elation's screen (rule 11) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("removed", RemovedPolicy)
def test_an_insurance_that_is_changed_is_a_new_policy_and_the_old_one_is_historical(removed: RemovedPolicy):
    """The screen's "Change primary insurance" does both at once: a new primary goes to Kareo, the old one is a removal."""
    clinic = agreed(GOLD, there=(BLUE,), removed_policy=removed)
    clinic.policies(replace(GOLD, active=False, rank=None), replace(GOLD, id=5009, member_id="NEW"))
    clinic.carry_out_all()
    (write,) = insurance(clinic)
    assert isinstance(write, ChangeBillingPolicies)
    told = {one.ehr: one.fields for one in write.changes}
    assert (told[5009]["rank"], told[5009]["member_id"]) == ("1", "NEW")
    assert (5001 in told) is (removed is not RemovedPolicy.SHOW)
    assert clinic.waits("policy:3001") == ("removed-in-chart" if removed is RemovedPolicy.SHOW else "")
    clinic.policies(replace(GOLD, active=False, rank=None), replace(GOLD, id=5009, member_id="NEW"))
    clinic.billing(clinic.patient().billing.chart)
    assert len(insurance(clinic)) == 1


def test_a_historical_policy_that_differs_is_nobodys_edit():
    """Rule 11: historical ones cannot be edited; whatever they say goes nowhere."""
    old = replace(GOLD, id=4999, active=False, rank=None, member_id="OLD")
    clinic = agreed(GOLD, old, there=(BLUE,))
    clinic.policies(GOLD, replace(old, member_id="OLDER", group_id="X"))
    assert insurance(clinic) == []
    assert clinic.waiting() == {}


# -- bad inputs (section 8) -----------------------------------------------------------------------------------------------


def test_a_case_that_is_inactive_while_elation_adds_a_policy():
    """What the case had is removed in Elation; the new one goes to a new case, and comes once."""
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.billing(replace(ADA_THERE, cases=()))
    clinic.policies(GOLD, SECOND_HERE)
    assert sync(clinic).remove == (GOLD.id,)
    clinic.carry_out_all()
    (write,) = [one for one in insurance(clinic) if isinstance(one, ChangeBillingPolicies)]
    assert (write.case_id, [one.fields["member_id"] for one in write.changes]) == (None, ["SEC-9"])
    assert [one.active for one in clinic.patient().coverage.policies if one.id == GOLD.id] == [False]
    assert clinic.open() == []
    clinic.policies(*clinic.patient().coverage.policies)
    clinic.carry_out_all()
    assert sum(isinstance(one, ChangeBillingPolicies) for one in insurance(clinic)) == 1


LONG = "N" * 60


def test_a_member_id_over_50_is_never_cut():
    """It goes whole, or is refused and shown: half a number bills nobody."""
    clinic = both(replace(GOLD, member_id=LONG))
    assert insurance(clinic)[0].changes[0].fields["member_id"] == LONG
    clinic = agreed(GOLD, there=(BLUE,))
    clinic.billing(insured(replace(BLUE, number=LONG)))
    assert sync(clinic).terms[0].member_id == LONG
    clinic.refuse(ADA_KEY, "policies", "member_id: at most 50 characters")
    assert clinic.intent(ADA_KEY, "policies").state == "refused"
    clinic.billing(insured(replace(BLUE, number=LONG)))
    assert [one for one in insurance(clinic) if isinstance(one, SyncPolicies)] == [sync(clinic)], "asked for once"


@pytest.mark.parametrize(("said", "told"), [("0", "0.00"), ("0.00", "0.00"), ("", None)])
def test_a_copay_of_nothing_is_an_amount_and_none_is_none(said: str, told: str | None):
    """Both sides have the policy, Kareo without a copay: an amount of nothing is told, nothing said is not."""
    clinic = both(replace(GOLD, copay=said), there=(replace(BLUE, copay=""),))
    found = [one.changes[0].fields for one in insurance(clinic)]
    assert found == ([] if told is None else [{"copay": told}])


@pytest.mark.parametrize("cases", [(), None])
def test_what_has_no_cases_removes_and_what_does_not_say_does_not(cases: tuple[()] | None):
    """Empty Cases on a good answer say that there is none; Cases that are missing say nothing."""
    clinic = agreed(GOLD, there=(BLUE,), removed_policy=RemovedPolicy.DEACTIVATE)
    clinic.billing(replace(ADA_THERE, cases=cases))
    assert clinic.wanted(CASE) is None
    assert [one.remove for one in insurance(clinic)] == ([] if cases is None else [(GOLD.id,)])


@pytest.mark.parametrize("names", [{"insured_ssn": "530-12-4481"}, {"insured_ssn": "530124481"}])
def test_a_number_with_dashes_is_the_same_number(names: dict[str, str]):
    """SSN with dashes."""
    holder = {"relationship": "spouse", "insured_first_name": "Will", "insured_last_name": "King"}
    there = replace(BLUE, relationship="Spouse", insured_name="Will King", insured_ssn="530 12 4481")
    here: ChartPolicy = replace(GOLD, **holder, **names)
    clinic = both(here, there=(there,))
    assert insurance(clinic) == []
