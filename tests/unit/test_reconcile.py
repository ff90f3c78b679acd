"""guide: Demographics: the three-way merge, field by field, and how conflicts show until someone has seen them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from events.records import Phone
from events.schema import ConflictRecorded, FieldsAgreed
from events.writes import System
from projections.rules.fields import NAMES, fit
from projections.rules.reconcile import Reconciled, reconcile
from projections.terms.policy import Direction
from tests.unit.clinic import Clinic
from tests.unit.records import ADA, ADA_KEY, ADA_THERE

BLANK = dict.fromkeys(NAMES, "")


def merge(
    ehr: str,
    billing: str,
    base: str | None,
    *,
    name: str = "city",
    preference: System = System.BILLING,
    direction: Direction = Direction.BOTH,
) -> Reconciled:
    """The merge of one field; the other fields are empty and agreed."""
    before = dict(BLANK) | ({name: base} if base is not None else {})
    if base is None:
        del before[name]
    return reconcile(BLANK | {name: ehr}, BLANK | {name: billing}, before, preference, direction)


def told(result: Reconciled) -> str:
    if result.to_ehr or result.to_billing:
        return " ".join(
            [f"elation:={value}" for value in result.to_ehr.values()]
            + [f"kareo:={value}" for value in result.to_billing.values()]
        )
    return "agreed" if result.agreed else "nothing"


# base, Elation, Kareo -> what happens, is it a conflict (Kareo preferred)
TABLE = [
    ("A", "A", "A", "nothing", False),
    ("A", "B", "A", "kareo:=B", False),
    ("A", "A", "B", "elation:=B", False),
    ("A", "B", "B", "agreed", False),
    ("A", "B", "C", "elation:=C", True),
    ("A", "", "A", "kareo:=", False),
    ("A", "A", "", "elation:=", False),
    ("A", "", "", "agreed", False),
    ("A", "", "B", "elation:=B", True),
    ("A", "B", "", "elation:=", True),
    ("", "", "", "nothing", False),
    ("", "A", "", "kareo:=A", False),
    ("", "", "A", "elation:=A", False),
    ("", "A", "A", "agreed", False),
    ("", "A", "B", "elation:=B", True),
    (None, "", "", "agreed", False),
    (None, "A", "A", "agreed", False),
    (None, "A", "", "kareo:=A", False),
    (None, "", "A", "elation:=A", False),
    (None, "A", "B", "elation:=B", True),
]


@pytest.mark.parametrize(("base", "ehr", "billing", "outcome", "conflict"), TABLE)
def test_every_combination_of_base_elation_and_kareo(base: str | None, ehr: str, billing: str, outcome: str, conflict: bool):
    result = merge(ehr, billing, base)
    assert told(result) == outcome
    assert bool(result.conflicts) == conflict


@pytest.mark.parametrize(
    ("preference", "outcome"), [(System.BILLING, "elation:=C"), (System.EHR, "kareo:=B")], ids=["kareo", "elation"]
)
@pytest.mark.parametrize("base", ["A", None])
def test_the_practices_preference_decides_a_conflict(preference: System, outcome: str, base: str | None):
    result = merge("B", "C", base, preference=preference)
    assert told(result) == outcome
    (conflict,) = result.conflicts
    assert (conflict.field, conflict.base, conflict.ehr, conflict.billing) == ("city", base, "B", "C")
    assert conflict.winner is preference


@pytest.mark.parametrize("base", ["A", "B", "C", None])
@pytest.mark.parametrize("preference", System)
def test_in_a_one_way_direction_the_leading_side_always_wins(base: str | None, preference: System):
    to_ehr = merge("B", "C", base, preference=preference, direction=Direction.TO_EHR)
    to_billing = merge("B", "C", base, preference=preference, direction=Direction.TO_BILLING)
    assert (told(to_ehr), to_ehr.conflicts) == ("elation:=C", [])
    assert (told(to_billing), to_billing.conflicts) == ("kareo:=B", [])


@pytest.mark.parametrize(
    ("name", "here", "there"),
    [
        ("email", "Ada@Example.org", "ada@example.org"),
        ("sex", "Other", "Unknown"),
        ("sex", "", "Unknown"),
        ("city", "Saint  Mary", "Saint Mary"),
    ],
)
def test_a_value_formatted_differently_is_not_a_change(name: str, here: str, there: str):
    assert told(merge(here, there, there, name=name)) == "nothing"


def test_skipped_fields_are_left_alone():
    result = reconcile(BLANK | {"city": "A"}, BLANK | {"city": "B"}, BLANK, System.BILLING, Direction.BOTH, skip=("city",))
    assert told(result) == "nothing"


PLAIN = [name for name in NAMES if name not in ("provider",)]
VALUES = {
    "sex": st.sampled_from(["Female", "Male", "Other", "Unknown"]),
    "birth_date": st.dates().map(lambda day: day.isoformat()),
    "state": st.sampled_from(["GA", "FL", ""]),
    "email": st.sampled_from(["", "a@b.org", "A@b.org", "c@d.org"]),
    "zip": st.sampled_from(["", "30901", "30901-1234"]),
    **{name: st.sampled_from(["", "7062233445", "4045550100"]) for name in ("home_phone", "mobile_phone", "work_phone")},
    "provider": st.sampled_from(["501", "502"]),
}
VIEWS = st.fixed_dictionaries({name: VALUES.get(name, st.sampled_from(["Ada", "Byron", "Main St"])) for name in NAMES})


@given(
    ehr=VIEWS,
    billing=VIEWS,
    base=VIEWS,
    known=st.sets(st.sampled_from(NAMES)),
    preference=st.sampled_from(System),
    direction=st.sampled_from([Direction.BOTH, Direction.TO_EHR, Direction.TO_BILLING]),
)
def test_after_the_writes_both_sides_agree_and_a_second_merge_wants_nothing(
    ehr: dict[str, str],
    billing: dict[str, str],
    base: dict[str, str],
    known: set[str],
    preference: System,
    direction: Direction,
):
    clinic = Clinic()
    before = {name: base[name] for name in known}
    first = reconcile(ehr, billing, before, preference, direction)
    to_ehr, problems = fit(first.to_ehr, System.EHR, clinic.state.directory, clinic.policy)
    to_billing, others = fit(first.to_billing, System.BILLING, clinic.state.directory, clinic.policy)
    assert not problems
    assert not others
    if "provider" in to_ehr:
        to_ehr["provider"] = first.to_ehr["provider"]

    second = reconcile(
        ehr | to_ehr, billing | to_billing, before | first.agreed | to_ehr | to_billing, preference, direction
    )

    assert second == Reconciled()
    assert not set(first.to_ehr) & set(first.to_billing)


# In the clinic


def test_both_sides_changed_to_the_same_is_agreed_without_a_write():
    clinic = Clinic()
    clinic.linked()
    clinic.billing(replace(ADA_THERE, city="Macon"))

    followed = clinic.ehr(replace(ADA, city="Macon"))

    assert FieldsAgreed(fields={"city": "Macon"}) in [event.body for event in followed]
    assert clinic.open() == []
    assert clinic.patient().base["city"] == "Macon"


def conflicting() -> Clinic:
    """A clinic where the city was changed on both sides before either was written."""
    clinic = Clinic()
    clinic.linked()
    clinic.ehr(replace(ADA, city="Macon"))
    clinic.billing(replace(ADA_THERE, city="Athens"))
    return clinic


def test_a_conflict_is_recorded_with_the_losing_value_and_waits_to_be_seen():
    clinic = conflicting()
    (recorded,) = [event.body for event in clinic.events if isinstance(event.body, ConflictRecorded)]
    (conflict,) = recorded.conflicts
    assert (conflict.field, conflict.base, conflict.ehr, conflict.billing) == ("city", "Augusta", "Macon", "Athens")
    assert clinic.wanted("demographics:elation").fields == {"city": "Athens"}
    assert clinic.waits("conflict:city") == "conflict"


def test_the_conflict_outlives_its_write_until_someone_has_seen_it():
    clinic = conflicting()
    clinic.carry_out_all()
    assert clinic.waits("conflict:city") == "conflict"

    clinic.conflict_seen(ADA_KEY, "city")

    assert clinic.waiting() == {}
    assert clinic.open() == []


def test_a_conflict_seen_before_its_write_is_done_does_not_come_back():
    clinic = conflicting()

    clinic.conflict_seen(ADA_KEY, "city")

    assert clinic.waits("conflict:city") == ""
    assert clinic.wanted("demographics:elation").fields == {"city": "Athens"}
    clinic.ehr(replace(ADA, city="Macon", address2="Suite 9"))
    assert clinic.waits("conflict:city") == ""


def test_a_new_conflict_on_a_field_seen_before_shows_again():
    clinic = conflicting()
    clinic.conflict_seen(ADA_KEY, "city")

    clinic.ehr(replace(ADA, city="Rome"))

    assert clinic.waits("conflict:city") == "conflict"


def test_first_link_without_a_base_fills_gaps_and_records_differences():
    clinic = Clinic()
    clinic.linked(replace(ADA, city="Macon", address2=""), replace(ADA_THERE, middle_name=""))

    assert clinic.wanted("demographics:elation").fields == {"address2": "Suite 4", "city": "Augusta"}
    assert clinic.wanted("demographics:kareo").fields == {"middle_name": "King"}
    assert clinic.waits("conflict:city") == "conflict"


def test_phones_and_states_formatted_differently_are_not_written():
    clinic = Clinic()
    clinic.linked()

    clinic.billing(replace(ADA_THERE, home_phone="706.223.3445", state="Georgia"))
    clinic.ehr(replace(ADA, phones=(Phone(kind="Home", number="+1 (706) 223 3445"),)))

    assert clinic.requests()[1:] == []
