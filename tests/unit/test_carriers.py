"""A carrier of ours follows its plan in Kareo afterwards; carriers of the practice are never changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from events.commands import RetryRequested
from events.ids import BillingPatientId, EhrChartId
from events.records import BillingPolicy, Carrier
from events.schema import Origin
from events.writes import CreateCarrier, Done, RecordCreated, Resource, System, UpdateCarrier
from projections.terms.policy import BILLING_LED, EHR_LED, Direction
from tests.unit.clinic import Clinic
from tests.unit.insured_both_ways import GOLD, agreed
from tests.unit.records import ADA, ADA_THERE, BLUE, BLUE_CARRIER, BLUE_PLAN
from tests.unit.test_insurance import insured

SLOT = "carrier:40"
PROFILES = {"kareo-led": BILLING_LED, "elation-led": EHR_LED}
MOVED = replace(BLUE, plan_address1="12 Harbor Row", plan_address2="", plan_phone="(404) 555-0199")


def clinic_of(profile: str, *carriers: Carrier) -> Clinic:
    """A practice in which Ada is insured, at rest; without a carrier given, Elation had none and it was created."""
    clinic = Clinic(directory=False, table=PROFILES[profile])
    clinic.directories(carriers=carriers, plans=(BLUE_PLAN,) if carriers else ())
    clinic.policies()
    clinic.linked(there=insured(BLUE))
    clinic.carry_out_all()
    assert clinic.open() == []
    return clinic


def update(clinic: Clinic) -> UpdateCarrier:
    write = clinic.wanted(SLOT, "")
    assert isinstance(write, UpdateCarrier)
    return write


def updates(clinic: Clinic) -> list[UpdateCarrier]:
    return [one.write for one in clinic.requests() if isinstance(one.write, UpdateCarrier)]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_carrier_that_we_created_follows_its_plan(profile: str):
    clinic = clinic_of(profile)
    (created,) = clinic.state.directory.created_carriers.values()

    clinic.billing(insured(replace(MOVED, company_name="Blue Cross of Georgia")))

    write = update(clinic)
    changed = {"name": "Blue Cross of Georgia", "address1": "12 Harbor Row", "address2": "", "phone": "4045550199"}
    assert (write.carrier, write.company_id, write.fields) == (created, "40", changed)
    clinic.carry_out_all()
    clinic.billing(insured(replace(MOVED, company_name="Blue Cross of Georgia", group="G-78")))
    clinic.carry_out_all()
    assert len(updates(clinic)) == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_a_carrier_that_carries_the_companys_id_follows_it_too(profile: str):
    clinic = clinic_of(profile, BLUE_CARRIER)
    clinic.billing(insured(MOVED))
    assert update(clinic).fields == {"address1": "12 Harbor Row", "address2": "", "phone": "4045550199"}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_carrier_of_the_practice_is_never_changed(profile: str):
    clinic = clinic_of(profile, Carrier(id=8001, name="BLUE-CROSS", phone="7705550123"))
    clinic.billing(insured(replace(MOVED, company_name="Blue Cross")))
    clinic.carry_out_all()
    assert updates(clinic) == []


def test_what_staff_changed_in_a_carrier_of_ours_stays_until_the_plan_changes():
    clinic = clinic_of("kareo-led")
    (created,) = clinic.state.directory.created_carriers.values()
    edited = replace(BLUE_CARRIER, id=created, phone="7705550123", name="Blue (Georgia)")
    clinic.elation_directory(carriers=(edited,))
    clinic.billing(insured(replace(BLUE, group="G-78")))
    clinic.carry_out_all()
    assert updates(clinic) == []

    clinic.billing(insured(MOVED))
    assert "name" not in update(clinic).fields


def test_the_name_of_a_carrier_that_only_carries_the_id_stays():
    """Nothing is known of what it was told: staff may have named it."""
    clinic = clinic_of("kareo-led", replace(BLUE_CARRIER, name="Blue Cross PPO (Atlanta)"))
    clinic.billing(insured(MOVED))
    clinic.carry_out_all()
    clinic.billing(insured(replace(MOVED, company_name="Blue Cross of Georgia")))
    assert [sorted(one.fields) for one in updates(clinic)] == [["address1", "address2", "phone"], ["name"]]


def test_a_plan_without_an_address_leaves_the_carriers_as_it_is():
    clinic = clinic_of("kareo-led")
    none = dict.fromkeys(("plan_address1", "plan_address2", "plan_city", "plan_state", "plan_zip", "plan_phone"), "")
    clinic.billing(insured(replace(BLUE, **none)))
    assert updates(clinic) == []


def other_patient(clinic: Clinic, number: int, one: BillingPolicy, *, earlier: int = 0) -> None:
    """Somebody else of the practice with a policy, read `earlier` than now (hours)."""
    there = replace(insured(one), id=BillingPatientId(900 + number), first_name="Mary")
    clinic.ehr(replace(ADA, id=EhrChartId(100 + number), first_name="Mary"))
    clinic.billing(there, observed=clinic.now - timedelta(hours=earlier))


def test_an_older_reading_of_the_plan_does_not_bring_the_old_address_back():
    clinic = clinic_of("kareo-led")
    clinic.billing(insured(MOVED))
    clinic.carry_out_all()
    other_patient(clinic, 2, replace(BLUE, id=3050), earlier=1)
    clinic.carry_out_all()
    assert [one.fields["address1"] for one in updates(clinic)] == ["12 Harbor Row"]


def test_two_plans_of_a_company_do_not_take_turns():
    clinic = clinic_of("kareo-led")
    silver = replace(BLUE, id=3050, plan_id="9", plan_name="Blue Silver", plan_address1="1 Elsewhere")
    other_patient(clinic, 2, silver)
    clinic.carry_out_all()
    clinic.billing(insured(replace(BLUE, group="G-78")))
    clinic.carry_out_all()
    assert updates(clinic) == []


def test_a_change_that_was_not_attempted_yet_is_replaced_by_the_next():
    clinic = clinic_of("kareo-led")
    clinic.billing(insured(MOVED))
    clinic.billing(insured(replace(MOVED, plan_address1="14 Harbor Row")))
    assert update(clinic).fields["address1"] == "14 Harbor Row"
    clinic.billing(insured(BLUE))
    clinic.carry_out_all()
    assert clinic.state.directory.carriers_told["40"].fields["address1"] == "9 Payer Plaza"


def test_a_change_during_the_write_follows_it():
    clinic = clinic_of("kareo-led")
    clinic.billing(insured(MOVED))
    clinic.attempt("", SLOT)
    clinic.billing(insured(replace(MOVED, plan_address1="14 Harbor Row")))
    assert clinic.waits(SLOT) == "carrier-pending"
    clinic.succeed("", SLOT, Done())
    assert update(clinic).fields == {"address1": "14 Harbor Row"}
    clinic.carry_out_all()
    assert clinic.waiting() == {}


def test_a_refused_change_waits_and_is_tried_again_when_asked():
    clinic = clinic_of("kareo-led")
    clinic.billing(insured(MOVED))
    clinic.refuse("", SLOT, text="not a phone")
    clinic.billing(insured(replace(MOVED, group="G-78")))
    assert clinic.waits(SLOT) == "carrier-refused"
    assert len(updates(clinic)) == 1

    clinic.record(RetryRequested(slots=(SLOT,), who="ann"), origin=Origin.OPERATOR)
    clinic.carry_out_all()
    assert len(updates(clinic)) == 2
    assert clinic.waiting() == {}


def test_nothing_follows_where_insurance_does_not_go_to_elation():
    clinic = clinic_of("kareo-led")
    clinic.policy = replace(clinic.policy, table=BILLING_LED | {Resource.INSURANCE: Direction.OFF})
    clinic.billing(insured(MOVED))
    assert updates(clinic) == []


def test_the_write_names_its_row_and_goes_to_elation():
    clinic = clinic_of("kareo-led")
    clinic.billing(insured(MOVED))
    open_ = clinic.intent("", SLOT)
    assert (open_.system, open_.resource) == (System.EHR, Resource.INSURANCE)
    assert open_.rule == "guide: Insurance, carriers (insurance: kareo->elation)"


def test_a_carrier_that_an_older_version_created_is_compared_with_what_it_shows():
    """Its creation does not say of which plan the address was."""
    clinic = Clinic(directory=False, table=BILLING_LED)
    clinic.directories()
    clinic.linked(there=insured(BLUE))
    created = clinic.wanted(SLOT, "")
    assert isinstance(created, CreateCarrier)
    directory = clinic.state.directory
    older = replace(directory.intents[SLOT], write=replace(created, plan_id=""))
    clinic.state.directory = replace(directory, intents={SLOT: older})
    clinic.succeed("", SLOT, RecordCreated(id=8500))
    clinic.carry_out_all()
    assert clinic.state.directory.carriers_told == {}
    clinic.billing(insured(MOVED))
    assert updates(clinic) == []

    clinic.elation_directory(carriers=(replace(BLUE_CARRIER, id=8500),))
    clinic.billing(insured(replace(MOVED, group="G-78")))
    assert sorted(update(clinic).fields) == ["address1", "address2", "phone"]


def test_both_ways_a_policy_that_begins_later_does_not_displace_the_one_in_force():
    """Point 6, the other profile: it takes its place on its day."""
    clinic = agreed(GOLD, there=(BLUE,))
    later = replace(BLUE, id=3002, number="NEW-1", start=clinic.now.date() + timedelta(days=30))
    clinic.billing(replace(ADA_THERE, cases=(replace(insured(BLUE).cases[0], policies=(later, BLUE)),)))
    clinic.carry_out_all()
    assert {key: one.terms.rank for key, one in clinic.patient().policies.items()} == {"3001": 1, "3002": 2}
