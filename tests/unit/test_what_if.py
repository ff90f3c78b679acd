"""History under another policy: what would have been made, not made, or made otherwise; the same policy changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from daemon.cli.what_if import differing, lines
from daemon.config import ConfigError, PracticeConfig, load_variant, policy_of
from daemon.vendors.elation.section import ElationConfig
from daemon.vendors.kareo.section import KareoConfig
from events.ids import EhrChartId
from events.records import type_of
from events.schema import Event, Recorded, RevisitDue
from events.writes import CreateEncounter, Resource, System
from projections.terms.policy import BILLING_LED, EHR_LED, Direction, NewCarrier, Policy, RemovedPolicy, WithoutPlan
from projections.trial.what_if import Comparison, WhatIf, unknown_under
from projections.words.shown import Shown
from projections.words.writes import Going
from tests.unit.clinic import Clinic
from tests.unit.recording import PRACTICE, START
from tests.unit.records import ADA, ADA_KEY, ADA_THERE, GOOD_BILL, HOUSE, KAREO_LOCUM
from tests.unit.stories import INSURED, STORIES, VISIT, Step, clinic_day, happen


class Told(Clinic):
    """A clinic that remembers which events were one transaction."""

    def __init__(self, policy: Policy | None = None, **rules: Any) -> None:
        self.ends: list[int] = []
        super().__init__(policy, **rules)

    def _settle(self, events: Iterable[Event]) -> None:
        super()._settle(events)
        self.ends.append(len(self.events))

    def recorded(self) -> list[Recorded]:
        result, start = [], 0
        for number, end in enumerate(self.ends):
            time = START + timedelta(minutes=number)
            result += [Recorded(sequence=place + 1, recorded=time, event=self.events[place]) for place in range(start, end)]
            start = end
        return result


def under(clinic: Told, policy: Policy, since: int | None = None) -> Comparison:
    what_if = WhatIf(policy, since)
    for one in clinic.recorded():
        what_if.take(one)
    return what_if.close()


def told(result: Comparison) -> list[tuple[str, str, str]]:
    return [(one.kind, one.slot, type_of(one.write)) for one in result.deviations]


def policy(**table: Direction) -> Policy:
    rows = {Resource(name): direction for name, direction in table.items()}
    return Policy(practice=PRACTICE, default_physician=HOUSE, table={**BILLING_LED, **rows})


def linked(**rules: Any) -> Told:
    clinic = Told(**rules)
    clinic.linked()
    return clinic


# -- nothing differs -----------------------------------------------------------------------------------------------------


def test_the_same_policy_over_a_whole_day_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.stories.Clinic", Told)
    day = clinic_day()
    assert isinstance(day, Told)
    result = under(day, day.policy)
    assert (told(result), result.events) == ([], len(day.events))
    assert result.same > 15


@settings(max_examples=60, deadline=None)
@given(story=STORIES)
def test_the_same_policy_changes_nothing_whatever_happens(story: list[Step]) -> None:
    clinic = linked()
    for step in story:
        happen(clinic, step)
    assert told(under(clinic, clinic.policy)) == []


# -- what differs --------------------------------------------------------------------------------------------------------


def test_a_row_that_is_off_makes_nothing() -> None:
    clinic = linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.appointment(VISIT)
    clinic.carry_out_all()
    result = under(clinic, policy(demographics=Direction.OFF))
    assert told(result) == [("not made", "demographics:elation", "UpdateElationChart")]
    assert result.same == 1
    assert result.counts()["not made"] == {Going(Resource.DEMOGRAPHICS, System.EHR): 1}


def test_what_was_never_carried_out_is_not_missed() -> None:
    """Wanted, and superseded before an attempt: nothing was written, so nothing is missing."""
    clinic = linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.billing(ADA_THERE)
    assert told(under(clinic, policy(demographics=Direction.OFF))) == []


def test_another_direction_writes_to_the_other_side() -> None:
    clinic = linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.carry_out_all()
    result = under(clinic, policy(demographics=Direction.TO_BILLING))
    assert sorted(told(result)) == [
        ("made", "demographics:kareo", "UpdateKareoChart"),
        ("not made", "demographics:elation", "UpdateElationChart"),
    ]
    (made,) = [one for one in result.deviations if one.kind == "made"]
    assert made.write.fields == {"city": "Augusta"}  # type: ignore[union-attr]


def test_another_preference_lets_the_other_side_win() -> None:
    clinic = linked()
    clinic.ehr(replace(ADA, city="Athens"))
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.carry_out_all()
    assert told(under(clinic, replace(clinic.policy, preference=System.EHR))) == [
        ("not made", "demographics:elation", "UpdateElationChart"),
        ("made", "demographics:kareo", "UpdateKareoChart"),
    ]


def test_another_configuration_makes_a_bill_otherwise() -> None:
    clinic = linked()
    clinic.bill(GOOD_BILL)
    clinic.carry_out_all()
    result = under(clinic, replace(clinic.policy, encounter_status="Approved"))
    (one,) = result.deviations
    assert (one.kind, one.slot) == ("otherwise", "bill:4001")
    assert isinstance(one.write, CreateEncounter)
    assert isinstance(one.was, CreateEncounter)
    assert (one.write.status, one.was.status) == ("Approved", "Draft")
    assert differing(one) == ["status"]


def test_a_map_lets_an_appointment_out_once_and_again_when_it_moves() -> None:
    clinic = linked()
    clinic.appointment(replace(VISIT, provider=KAREO_LOCUM))
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.carry_out_all()
    mapped = replace(clinic.policy, providers={HOUSE: KAREO_LOCUM})
    assert told(under(clinic, mapped)) == [("made", "appointment:7001", "CreateElationAppointment")]
    clinic.appointment(replace(VISIT, provider=KAREO_LOCUM, start=VISIT.start + timedelta(days=1)))
    assert len(told(under(clinic, mapped))) == 2


def test_without_its_chart_nothing_of_a_patient_is_written() -> None:
    """The chart's creation would not have been made, so neither what followed on it."""
    clinic = Told()
    clinic.ehr(replace(ADA, id=EhrChartId(102), first_name="Mary", last_name="Shelley"))
    clinic.carry_out_all()
    key = next(key for key in clinic.state.patients if key != ADA_KEY)
    there = clinic.state.patients[key].billing
    assert there is not None
    clinic.billing(replace(there.chart, city="Macon"))
    clinic.carry_out_all()
    result = under(clinic, policy(chart=Direction.TO_EHR))
    assert told(result) == [
        ("not made", "chart", "CreateKareoChart"),
        ("not made", "demographics:elation", "UpdateElationChart"),
    ]
    assert result.deviations[1].why == "its chart would not have been created"


def test_carriers_and_plans_count_too() -> None:
    clinic = Told()
    clinic.linked(there=INSURED)
    clinic.carry_out_all()
    result = under(clinic, policy(insurance=Direction.OFF))
    assert told(result) == [
        ("not made", "carrier:40", "CreateCarrier"),
        ("not made", "plan:50", "CreatePlan"),
        ("not made", "policies", "SyncPolicies"),
    ]
    assert result.deviations[0].patient == ""


def test_only_what_differs_since_a_moment() -> None:
    clinic = linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.carry_out_all()
    first = len(clinic.events)
    clinic.billing(replace(ADA_THERE, city="Rome"))
    clinic.carry_out_all()
    off = policy(demographics=Direction.OFF)
    assert len(told(under(clinic, off))) == 2
    (one,) = under(clinic, off, since=first + 1).deviations
    assert one.sequence > first


def test_nothing_is_changed_by_asking() -> None:
    clinic = linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.ehr(replace(ADA, city="Athens"))
    before = clinic.recorded()
    what_if = WhatIf(policy(demographics=Direction.TO_BILLING))
    for one in before:
        what_if.take(one)
    what_if.close()
    assert what_if._state.patients == clinic.state.patients


def test_the_answer_shows_no_values_unless_asked_for_and_says_it_is_an_approximation() -> None:
    clinic = linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))
    clinic.carry_out_all()
    result = under(clinic, policy(demographics=Direction.OFF))
    text = "\n".join(lines(result, Shown()))
    assert "#" in text
    assert "not made: to set City in Elation (not wanted)" in text
    assert "Macon" not in text
    assert "approximation" in text
    assert "“Macon”" in "\n".join(lines(result, Shown(values=True, names=True)))


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        (EHR_LED, EHR_LED | {Resource.APPOINTMENT: Direction.TO_BILLING}, ["calendar"]),
        (BILLING_LED, EHR_LED, ["policies"]),
        (BILLING_LED, EHR_LED | {Resource.APPOINTMENT: Direction.TO_BILLING}, ["calendar", "policies"]),
        (EHR_LED, BILLING_LED, []),
        (EHR_LED | {Resource.APPOINTMENT: Direction.TO_BILLING}, EHR_LED | {Resource.APPOINTMENT: Direction.OFF}, []),
    ],
)
def test_what_was_never_read_is_said_to_be_unknown(
    own: dict[Resource, Direction], other: dict[Resource, Direction], said: list[str]
) -> None:
    """With appointments off the calendar is not read: what would be booked of it cannot be told, and nothing is no answer."""
    unknown = unknown_under(*(Policy(practice=PRACTICE, table=table) for table in (own, other)))
    assert len(unknown) == len(said)
    assert all(word in text for word, text in zip(said, unknown, strict=True))
    text = lines(Comparison(), Shown(), unknown)
    assert all(one in text for one in unknown)


# -- the file ------------------------------------------------------------------------------------------------------------

OFFICE = PracticeConfig(
    id="elm",
    name="Elm",
    time_zone="America/Denver",
    ehr=ElationConfig(base_url="x", client_id="x", client_secret_file="x", practice_id=1),
    billing=KareoConfig(wsdl="x", endpoint="x", customer_key_file="x", user="x", password_file="x", practice_name="x"),
)


def test_a_variant_replaces_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text('[overrides]\nbill = "off"\npreference = "elation"\n[maps]\nproviders = {"11" = 509}\n')
    own = replace(
        OFFICE, overrides=replace(OFFICE.overrides, case_name="Own"), maps=replace(OFFICE.maps, locations={"1": 2})
    )
    other = policy_of(load_variant(file, own))
    assert other.table == {**BILLING_LED, Resource.BILL: Direction.OFF}
    assert (other.preference, other.case_name) == (System.EHR, "Own")
    assert (other.providers, other.locations) == ({11: 509}, {1: 2})


def test_each_profile_brings_who_wins_and_an_old_preference_means_demographics(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"

    def preferences(text: str) -> tuple[System, System]:
        file.write_text(text)
        other = policy_of(load_variant(file, OFFICE))
        return other.preference, other.insurance_preference

    assert preferences("") == (System.BILLING, System.BILLING)
    assert preferences('profile = "elation-led"') == (System.EHR, System.BILLING)
    assert preferences('profile = "elation-led"\n[overrides]\npreference = "kareo"') == (System.BILLING, System.BILLING)
    assert preferences('[overrides]\npreference = "elation"') == (System.EHR, System.BILLING)
    assert preferences('[overrides]\ninsurance_preference = "elation"') == (System.BILLING, System.EHR)


def test_the_other_profile_with_its_own_rows_and_switches(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(
        'profile = "elation-led"\n[overrides]\nappointment = "kareo->elation"\nremoved_policy = "deactivate"\n'
        'new_carrier = "create"\ncarrier_without_plan = "single-known-plan"\n'
    )
    other = policy_of(load_variant(file, OFFICE))
    assert other.table == {**EHR_LED, Resource.APPOINTMENT: Direction.TO_EHR}
    assert (other.removed_policy, other.new_carrier) == (RemovedPolicy.DEACTIVATE, NewCarrier.CREATE)
    assert other.carrier_without_plan is WithoutPlan.SINGLE_KNOWN_PLAN


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[overrides]\nappointment = "both"', "overrides.appointment"),
        ('[overrides]\nremoved_policy = "delete"', "overrides.removed_policy"),
        ('[overrides]\nbills = "off"', "overrides.bills"),
        ('[overrides]\nbill = "kareo->elation"', "overrides.bill"),
        ('[overrides]\nencounter_status = "Sent"', "overrides.encounter_status"),
        ("[maps]\nproviders = {x = 1}", "maps.providers.x"),
        ('profile = "nobody-led"', "profile"),
        ("[postgres]\ndsn = 'x'", "postgres"),
    ],
)
def test_a_variant_that_is_wrong_names_the_key(tmp_path: Path, text: str, key: str) -> None:
    file = tmp_path / "other.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_variant(file, OFFICE)
    assert [name for name, _ in raised.value.problems] == [key]


def test_a_write_that_another_transaction_kept_waiting_is_the_same() -> None:
    """A plan was created, somebody else's message was recorded, and only then was the policy that waits for it looked at."""
    clinic = Told()
    clinic.linked(there=INSURED)
    clinic.carry_out_all()
    recorded, between = [], 0
    for one in clinic.recorded():
        if isinstance(one.event.body, RevisitDue):
            between += 1
            again = replace(clinic.recorded()[0], recorded=one.recorded + timedelta(seconds=2 * between - 1))
            recorded.append(again)
        recorded.append(replace(one, recorded=one.recorded + timedelta(seconds=2 * between)))
    what_if = WhatIf(clinic.policy)
    for one in recorded:
        what_if.take(one)
    result = what_if.close()
    assert between > 0
    assert (told(result), result.same) == ([], under(clinic, clinic.policy).same)
