"""Maps that a person saves: they go before the configuration, what waited for them goes on, and one deed gives them back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from events.commands import MapGiveBackRequested, MapRequested
from events.maps import NO_RECORD, MapKind
from events.records import Location, Provider
from events.schema import BillingDirectoryObserved
from events.writes import CreateEhrAppointment, CreateEhrChart, CreateEncounter, MarkBillError, UpdateBillingChart
from projections.state.maps import MapSource, counterpart, provider_name, without_saved
from projections.state.patient import encode_patient
from projections.state.state import PracticeState
from projections.trial.dry_run import rehearse_map
from projections.words.known import provider_or_number
from tests.unit.clinic import Clinic
from tests.unit.records import (
    ADA_KEY,
    ADA_THERE,
    GOOD_BILL,
    GREY,
    HOUSE,
    KAREO_GREY,
    KAREO_HOUSE,
    KAREO_LOCUM,
    KAREO_MAIN_STREET,
    MAIN_STREET,
    PHYSICIANS,
    PROVIDERS,
)
from tests.unit.stories import VISIT

BILL, ANSWER = f"bill:{GOOD_BILL.id}", f"bill-answer:{GOOD_BILL.id}"
STRANGER = replace(PHYSICIANS[1], id=13, first_name="Remy", last_name="Hadley", npi="1000000038")
OF_STRANGER = replace(GOOD_BILL, rendering_provider=STRANGER.id)


def save(clinic: Clinic, kind: MapKind, id_: int, to: object, was: str | None = None) -> str:
    return clinic.ask(MapRequested(kind=kind, id=id_, to=str(to), who="ann", reason="she left", was=was))


def give_back(clinic: Clinic, kind: MapKind, id_: int) -> str:
    return clinic.ask(MapGiveBackRequested(kind=kind, id=id_, who="ben"))


def leads_to(clinic: Clinic, kind: MapKind, id_: int) -> tuple[str, str]:
    return counterpart(kind, id_, clinic.state.directory, clinic.policy)


def waiting_for_a_provider() -> Clinic:
    """A bill of a physician whom nobody knows on the other side was answered with a Bill Error."""
    clinic = Clinic()
    clinic.elation_directory((*PHYSICIANS, STRANGER))
    clinic.linked()
    clinic.bill(OF_STRANGER)
    clinic.carry_out_all()
    assert clinic.waits(BILL) == "bill-error"
    return clinic


# -- what waits goes on ---------------------------------------------------------------------------------------------------


def test_a_bill_in_error_goes_out_once_its_provider_is_mapped() -> None:
    clinic = waiting_for_a_provider()
    assert clinic.patient().bills[str(GOOD_BILL.id)].answered is not None
    assert save(clinic, MapKind.PROVIDER, STRANGER.id, KAREO_LOCUM) == ""
    assert clinic.wanted(BILL).rendering_provider == KAREO_LOCUM
    assert clinic.waits(BILL) == ""
    clinic.carry_out_all()
    assert clinic.waiting() == {}
    assert clinic.open() == []


def test_a_bill_in_error_goes_out_once_the_directory_shows_its_provider() -> None:
    """Not only by hand: the office adds the provider to the other system."""
    clinic = waiting_for_a_provider()
    clinic.kareo_directory((*PROVIDERS, replace(STRANGER, id=510)))
    assert clinic.wanted(BILL).rendering_provider == 510


def test_a_bill_with_two_errors_says_the_next_one() -> None:
    clinic = Clinic()
    clinic.elation_directory((*PHYSICIANS, STRANGER))
    clinic.linked()
    clinic.record(BillingDirectoryObserved(providers=PROVIDERS, locations=(Location(id=601, name="Elsewhere"),)))
    clinic.bill(OF_STRANGER)
    clinic.carry_out_all()
    assert save(clinic, MapKind.LOCATION, MAIN_STREET, 601) == ""
    answer = clinic.wanted(ANSWER)
    assert isinstance(answer, MarkBillError)
    assert "rendering provider" in answer.text
    clinic.carry_out_all()
    assert save(clinic, MapKind.PROVIDER, STRANGER.id, KAREO_LOCUM) == ""
    assert isinstance(clinic.wanted(BILL), CreateEncounter)


def test_a_bill_that_the_provider_has_to_correct_does_not_go_out_for_a_map() -> None:
    clinic = Clinic()
    clinic.linked()
    clinic.bill(replace(GOOD_BILL, lines=(replace(GOOD_BILL.lines[0], cpt=""),)))
    clinic.carry_out_all()
    assert save(clinic, MapKind.PROVIDER, GREY, KAREO_LOCUM) == ""
    assert clinic.waits(BILL) == "bill-error"
    assert clinic.wanted(BILL) is None


def test_a_bill_without_a_place_of_service_goes_out_once_it_has_a_code() -> None:
    clinic = Clinic()
    clinic.linked()
    clinic.bill(replace(GOOD_BILL, place_of_service=""))
    clinic.carry_out_all()
    assert save(clinic, MapKind.PLACE, MAIN_STREET, "02") == ""
    assert clinic.wanted(BILL).place_of_service == "02"


def test_an_appointment_goes_to_the_calendar_that_was_chosen() -> None:
    clinic = Clinic()
    clinic.linked()
    clinic.appointment(replace(VISIT, provider=KAREO_LOCUM))
    slot = f"appointment:{VISIT.key}"
    assert clinic.waits(slot) == "no-calendar"
    assert save(clinic, MapKind.CALENDAR, KAREO_LOCUM, HOUSE) == ""
    write = clinic.wanted(slot)
    assert isinstance(write, CreateEhrAppointment)
    assert write.terms.physician == HOUSE
    assert leads_to(clinic, MapKind.PROVIDER, HOUSE) == (str(KAREO_HOUSE), MapSource.NPI)


def test_a_chart_is_created_for_the_default_physician_that_was_chosen() -> None:
    clinic = Clinic()
    clinic.policy = replace(clinic.policy, default_physician=None)
    clinic.billing(replace(ADA_THERE, provider=None))
    clinic.carry_out_all()
    assert clinic.waits("chart") == "no-provider"
    assert save(clinic, MapKind.PHYSICIAN, NO_RECORD, GREY) == ""
    write = clinic.wanted("chart")
    assert isinstance(write, CreateEhrChart)
    assert write.physician == GREY


# -- a row that leads elsewhere ---------------------------------------------------------------------------------------------


def test_a_saved_row_goes_before_the_file_s_and_is_given_back() -> None:
    clinic = Clinic(providers={GREY: KAREO_HOUSE})
    assert leads_to(clinic, MapKind.PROVIDER, GREY) == (str(KAREO_HOUSE), MapSource.FILE)
    assert save(clinic, MapKind.PROVIDER, GREY, KAREO_LOCUM) == ""
    assert leads_to(clinic, MapKind.PROVIDER, GREY) == (str(KAREO_LOCUM), MapSource.PERSON)
    assert leads_to(clinic, MapKind.CALENDAR, KAREO_LOCUM) == (str(GREY), MapSource.PERSON)
    assert without_saved(MapKind.PROVIDER, GREY, clinic.state.directory, clinic.policy).source is MapSource.FILE
    assert give_back(clinic, MapKind.PROVIDER, GREY) == ""
    assert leads_to(clinic, MapKind.PROVIDER, GREY) == (str(KAREO_HOUSE), MapSource.FILE)
    assert give_back(clinic, MapKind.PROVIDER, GREY) == "nothing-in-it"


def test_who_was_written_by_the_old_row_is_written_by_the_new_one_and_back() -> None:
    clinic = Clinic()
    clinic.linked()
    clinic.carry_out_all()
    assert clinic.open() == []
    assert save(clinic, MapKind.PROVIDER, GREY, KAREO_LOCUM) == ""
    write = clinic.wanted("demographics:kareo")
    assert isinstance(write, UpdateBillingChart)
    assert write.provider == KAREO_LOCUM
    clinic.carry_out_all()
    assert clinic.open() == []
    assert give_back(clinic, MapKind.PROVIDER, GREY) == ""
    clinic.carry_out_all()
    assert clinic.patient().billing.chart.provider == KAREO_GREY
    assert clinic.open() == []


def test_the_events_alone_tell_the_maps() -> None:
    clinic = waiting_for_a_provider()
    save(clinic, MapKind.PROVIDER, STRANGER.id, KAREO_LOCUM)
    save(clinic, MapKind.LOCATION, MAIN_STREET, KAREO_MAIN_STREET)
    give_back(clinic, MapKind.LOCATION, MAIN_STREET)
    state = PracticeState()
    for number, event in enumerate(clinic.events):
        state.apply(event, number)
    assert state.directory == clinic.state.directory
    assert set(state.directory.mapped) == {f"provider:{STRANGER.id}"}
    assert encode_patient(state.patients[ADA_KEY]) == encode_patient(clinic.patient())


def test_the_effect_is_known_before_it_is_asked_for() -> None:
    clinic = waiting_for_a_provider()
    body = MapRequested(kind=MapKind.PROVIDER, id=STRANGER.id, to=str(KAREO_LOCUM), who="")
    run = rehearse_map(dict(clinic.state.patients), clinic.state.directory, body, clinic.policy, clinic.now)
    assert [type(one.write) for one in run.writes if one.slot == BILL] == [CreateEncounter]
    assert run.patients[ADA_KEY].waiting == {}
    assert run.refused is None
    assert clinic.waits(BILL) == "bill-error"


# -- what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "id_", "to", "was", "code"),
    [
        (MapKind.PROVIDER, 99, KAREO_LOCUM, None, "not-known"),
        (MapKind.PROVIDER, GREY, 99, None, "not-known"),
        (MapKind.PROVIDER, GREY, "x", None, "not-known"),
        (MapKind.PROVIDER, GREY, KAREO_LOCUM, "", "changed"),
        (MapKind.PROVIDER, GREY, 777, None, "gone"),
        (MapKind.CALENDAR, 99, GREY, None, "not-known"),
        (MapKind.CALENDAR, KAREO_LOCUM, 99, None, "not-known"),
        (MapKind.LOCATION, 99, KAREO_MAIN_STREET, None, "not-known"),
        (MapKind.LOCATION, MAIN_STREET, 99, None, "not-known"),
        (MapKind.PLACE, 99, "11", None, "not-known"),
        (MapKind.PLACE, MAIN_STREET, "1", None, "not-known"),
        (MapKind.PLACE, MAIN_STREET, "²²", None, "not-known"),
        (MapKind.PHYSICIAN, 7, GREY, None, "not-known"),
        (MapKind.PHYSICIAN, NO_RECORD, 99, None, "not-known"),
    ],
)
def test_a_row_of_nobody_or_to_nobody_is_refused(kind: MapKind, id_: int, to: object, was: str | None, code: str) -> None:
    clinic = Clinic()
    clinic.kareo_directory((*PROVIDERS, replace(PROVIDERS[2], id=777, active=False)))
    assert save(clinic, kind, id_, to, was) == code
    assert clinic.state.directory.mapped == {}


def test_the_second_of_two_people_is_told() -> None:
    clinic = Clinic()
    was = leads_to(clinic, MapKind.PROVIDER, GREY)[0]
    assert save(clinic, MapKind.PROVIDER, GREY, KAREO_LOCUM, was) == ""
    assert save(clinic, MapKind.PROVIDER, GREY, KAREO_HOUSE, was) == "changed"
    assert save(clinic, MapKind.PROVIDER, GREY, KAREO_LOCUM) == "nothing-in-it"


@pytest.mark.parametrize(
    ("one", "name", "shown"),
    [
        (
            Provider(id=7, first_name="Meredith", last_name="Grey", full_name="Grey, Meredith"),
            "Grey, Meredith",
            "Grey, Meredith",
        ),
        (Provider(id=7, last_name="Grey"), "Grey", "Grey"),
        (Provider(id=7), "", "7"),
    ],
)
def test_who_has_no_name_is_shown_by_number(one: Provider, name: str, shown: str) -> None:
    assert (provider_name(one), provider_or_number(one)) == (name, shown)
