"""Every operation of the Kareo client against the sandbox: what is sent, what is read, and the values in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
import pytest_asyncio

from daemon.sandbox.kareo import KareoSwitches
from daemon.vendors.kareo import client as module
from daemon.vendors.kareo import wire
from daemon.vendors.kareo.wire import new_case
from daemon.vendors.ports.errors import PracticeHidden, Refused
from tests.integration.kareo import ELM, KEY, NOON, Kareo, changing, kareo_at_work

DAY = timedelta(days=1)


@pytest_asyncio.fixture
async def billing() -> AsyncIterator[Kareo]:
    async with kareo_at_work() as billing:
        yield billing


# -- directory --------------------------------------------------------------------------------------------------------


async def test_directory_of_the_practice_alone(billing: Kareo) -> None:
    billing.sandbox.add_provider(billing.elm, first_name="Far", last_name="Away", type="Referring Provider")
    billing.sandbox.add_provider(billing.oak, first_name="Other", last_name="House")
    retired = billing.sandbox.add_provider(billing.elm, first_name="Old", last_name="Timer", active=False).id
    billing.sandbox.add_service_location(billing.oak, name="Elsewhere")
    assert await billing.client.get_practices() == [wire.KareoPractice(id=billing.elm, name=ELM)]
    first, second = await billing.client.get_providers()
    assert (first.id, first.full_name, first.npi, first.active) == (billing.doctor, "Ruth  Okafor, MD", "1457383950", True)
    assert (second.id, second.active) == (retired, False)
    assert await billing.client.get_service_locations() == [
        wire.KareoLocation(id=billing.place, name="Main Street", place_of_service="11")
    ]


async def test_the_practice_is_found_by_its_exact_name_once(billing: Kareo) -> None:
    client = billing.make(practice_id=None)
    for _ in range(2):
        assert [page async for page in client.all_patients()] == [wire.Rows()]
    assert client.practice_id == billing.elm
    assert billing.asked().count("GetPractices") == 1
    with pytest.raises(PracticeHidden, match="no practice of exactly the configured name"):
        await billing.make(practice_id=None, practice_name="Elm").update_patient(1, changing())
    assert "UpdatePatient" not in billing.asked()


async def test_an_external_vendor_is_registered_once(billing: Kareo) -> None:
    vendor = await billing.client.ensure_external_vendor("chartwire")
    assert await billing.client.ensure_external_vendor("chartwire") == vendor
    assert await billing.client.ensure_external_vendor("another") != vendor
    assert billing.asked().count("RegisterExternalVendor") == 2


# -- reading patients -------------------------------------------------------------------------------------------------


async def test_a_patient_with_cases_and_policies(billing: Kareo) -> None:
    ada = billing.ada(ssn="900-00-0001", middle_name="M", email="ada@x.test", address1="1 Elm & Oak", zip="309011234")
    (case,) = [one.id for one in billing.sandbox.cases.values()]
    policy = billing.people.add_policy(
        case,
        "Blue <Cross>",
        "Gold",
        "X1",
        "G2",
        "25.00",
        "$1,500.00",
        "2026-01-01",
        relationship="U",
        insured={"first_name": "Bo"},
    )
    found = await billing.client.get_patient(ada)
    assert found is not None
    assert (found.first_name, found.middle_name, found.birth_date, found.sex) == ("Ada", "M", date(1980, 2, 29), "Female")
    assert (found.home_phone, found.mobile_phone) == ("(706) 223-3445", "")
    assert (found.address_line1, found.zip, found.email, found.ssn) == (
        "1 Elm & Oak",
        "309011234",
        "ada@x.test",
        "900-00-0001",
    )
    assert (found.provider_id, found.practice_id, found.modified, found.created) == (billing.doctor, billing.elm, NOON, NOON)
    assert found.cases is not None
    (shown,) = found.cases
    assert (shown.id, shown.name, shown.payer_scenario, shown.is_primary) == (case, "Standard", "Insurance", True)
    (one,) = shown.policies
    assert (one.id, one.company_name, one.plan_name, one.number, one.group) == (
        policy.id,
        "Blue <Cross>",
        "Gold",
        "X1",
        "G2",
    )
    assert (one.copay, one.deductible, one.start, one.end) == ("25.00", "$1,500.00", date(2026, 1, 1), None)
    assert one.insured_name.startswith("Bo")


@pytest.mark.parametrize("form", ["nil", "empty", "refused"])
async def test_a_patient_who_does_not_exist(form: str) -> None:
    async with kareo_at_work(KareoSwitches(unknown_patient=form)) as billing:  # type: ignore[arg-type]
        assert await billing.client.get_patient(4711) is None
        assert await billing.client.get_patient_by_external_id("640", 1) is None


async def test_a_patient_without_cases_has_none_and_a_list_does_not_tell(billing: Kareo) -> None:
    ada = billing.ada(cases=[])
    found = await billing.client.get_patient(ada)
    assert found is not None
    assert found.cases == ()
    (row,) = (await billing.client.patients_modified(NOON - DAY, NOON)).rows
    assert row.cases is None


async def test_patients_modified_in_a_window(billing: Kareo) -> None:
    """Both ends count, in the list zone's wall time, to the second."""
    early, late = billing.ada(), None
    billing.later(hours=1)
    late = billing.ada(first_name="Bob")
    assert [one.id for one in (await billing.client.patients_modified(NOON, NOON)).rows] == [early]
    assert [one.id for one in (await billing.client.patients_modified(NOON, billing.now)).rows] == [early, late]
    second = timedelta(seconds=1)
    assert (await billing.client.patients_modified(NOON + second, billing.now - second)).rows == ()


@pytest.mark.parametrize("phantoms", [True, False])
async def test_an_empty_list_is_empty(phantoms: bool) -> None:
    async with kareo_at_work(KareoSwitches(phantom_rows=phantoms)) as billing:
        assert await billing.client.patients_modified(NOON, NOON) == wire.Rows()
        assert await billing.client.appointments(NOON, NOON + DAY) == wire.Rows()
        assert await billing.client.charges_by_batch("b", service_from=NOON.date(), service_to=NOON.date()) == []


async def test_newer_servers_members_and_the_guides_birth_dates(billing: Kareo) -> None:
    billing.sandbox.switches.unknown_members = billing.sandbox.switches.iso_birth_dates = True
    ada = billing.ada(zip="30901")
    (row,) = (await billing.client.patients_modified(NOON, NOON)).rows
    found = await billing.client.get_patient(ada)
    for one in (row, found):
        assert one is not None
        assert (one.birth_date, one.zip, one.last_name, one.modified) == (date(1980, 2, 29), "30901", "Byrne", NOON)


async def test_one_bad_row_does_not_spoil_the_list(billing: Kareo, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = billing.ada(), billing.ada(first_name="SECRET")
    monkeypatch.setattr(billing.sandbox.patients[bad], "provider_id", "nobody")
    found = await billing.client.patients_modified(NOON, NOON)
    assert [one.id for one in found.rows] == [good]
    (row,) = found.bad_rows
    assert (row.id, row.path) == (bad, "GetPatients.Patients[1].DefaultRenderingProviderId")
    assert b"SECRET" in row.raw


@pytest.mark.parametrize("meaning", ["equal", "prefix", "contains"])
async def test_searching_does_not_depend_on_what_name_filters_mean(meaning: str) -> None:
    async with kareo_at_work(KareoSwitches(name_filters=meaning)) as billing:  # type: ignore[arg-type]
        ada = billing.ada()
        billing.ada(last_name="Byrnes")
        billing.ada(dob="1980-03-01")
        found = await billing.client.find_patients(first_name="ada", last_name="BYRNE", birth_date=date(1980, 2, 29))
        assert [one.id for one in found] == [ada]


@pytest.mark.parametrize("in_thread", [0, 300])
async def test_all_patients_come_in_pages_also_with_a_change_between_them(
    billing: Kareo, monkeypatch: pytest.MonkeyPatch, in_thread: int
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    monkeypatch.setattr(module, "IN_THREAD", in_thread)
    ids = [billing.ada(first_name=f"P{number}") for number in range(5)]
    billing.people.create_patient(billing.oak, "Not", "Ours")
    pages = billing.client.all_patients()
    seen = [one.id for one in (await anext(pages)).rows]
    billing.people.delete_patient(ids[0])
    billing.people.delete_patient(ids[2])
    ids.append(billing.ada(first_name="New"))
    async for page in pages:
        seen += [one.id for one in page.rows]
        assert len(page.rows) <= 2
    assert seen == [ids[0], ids[1], ids[3], ids[4], ids[5]]


# -- writing patients -------------------------------------------------------------------------------------------------

HOSTILE = ['O\'Brien & <Sons> "Ltd" ]]>', "Zoë 𝒜 😀 Ñ", "tab\there", "<![CDATA[x]]>", "&amp;&#65;", "line\nbreak"]


@pytest.mark.parametrize("text", HOSTILE)
async def test_any_text_arrives_as_it_is(billing: Kareo, text: str) -> None:
    ada = billing.ada()
    await billing.client.update_patient(ada, changing(first_name="Ada", last_name="Byrne", address_line1=text))
    assert billing.sandbox.patients[ada].address1 == text
    found = await billing.client.get_patient(ada)
    assert found is not None
    assert found.address_line1 == text


@pytest.mark.parametrize("text", ["a\x00b", "a\x1bb", "a\ufffeb", "a\ud800b"])
async def test_what_xml_cannot_carry_is_refused_before_anything_is_sent(billing: Kareo, text: str) -> None:
    with pytest.raises(Refused) as caught:
        await billing.client.update_patient(billing.ada(), changing(first_name="Ada", last_name=text))
    assert caught.value.vendor_text == "a text holds a character that cannot be sent; remove it"
    assert billing.asked() == []


async def test_create_with_external_id_and_case(billing: Kareo) -> None:
    vendor = await billing.client.ensure_external_vendor("chartwire")
    write = wire.PatientWrite(
        first_name="Ada", last_name="Byrne", birth_date=date(1980, 2, 29), sex="Female", work_phone="7062233445", provider_id=billing.doctor
    )  # fmt: skip
    case = {"case": new_case("Standard", "Self Pay")}
    created = await billing.client.create_patient(write, external_id="640", external_vendor_id=vendor, **case)
    found = await billing.client.get_patient_by_external_id("640", vendor)
    assert found is not None
    assert (found.id, found.birth_date, found.provider_id) == (created.patient_id, date(1980, 2, 29), billing.doctor)
    assert [(one.name, one.payer_scenario, one.is_primary) for one in found.cases or ()] == [("Standard", "Self Pay", True)]
    with pytest.raises(Refused) as caught:
        await billing.client.create_patient(write, external_id="640", external_vendor_id=vendor, **case)
    assert "UNIQUE KEY" in caught.value.vendor_text
    with pytest.raises(Refused):
        await billing.client.create_patient(write, external_id="6" * 26, external_vendor_id=vendor, **case)
    assert len(billing.sandbox.patients) == 1


async def test_update_touches_what_it_names_and_clears_with_emptiness(billing: Kareo) -> None:
    ada = billing.ada(email="ada@x.test", city="Augusta")
    await billing.client.update_patient(ada, changing(first_name="Ada", last_name="Byrne", email=""))
    stored = billing.sandbox.patients[ada]
    assert (stored.email, stored.city, stored.dob, stored.provider_id) == ("", "Augusta", date(1980, 2, 29), billing.doctor)


async def test_cases_and_external_ids_of_patients_who_exist(billing: Kareo) -> None:
    ada, vendor = billing.ada(cases=[]), await billing.client.ensure_external_vendor("chartwire")
    await billing.client.update_patient(
        ada, changing(first_name="Ada", last_name="Byrne"), case=new_case("New", "Insurance")
    )
    assert [(one.patient_id, one.name, one.active) for one in billing.sandbox.cases.values()] == [(ada, "New", True)]
    await billing.client.set_external_id(ada, vendor, "640")
    found = await billing.client.get_patient_by_external_id("640", vendor)
    assert found is not None
    assert found.id == ada


# -- appointments -----------------------------------------------------------------------------------------------------


async def test_appointments_are_read_in_utc(billing: Kareo) -> None:
    ada, start = billing.ada(), datetime(2026, 3, 8, 9, 30, tzinfo=UTC)
    visit = billing.people.book_appointment(
        ada, billing.doctor, billing.place, start, 20, "cough & cold", rooms=["Room 1"]
    ).id
    meeting = billing.people.book_appointment(None, billing.doctor, billing.place, start).id
    first, second = (await billing.client.appointments(start - DAY, start + DAY)).rows
    assert (first.id, first.start, first.end, first.reason) == (visit, start, start + timedelta(minutes=20), "cough & cold")
    assert (first.patient_id, first.type, first.status, first.practice_id) == (ada, "patient", "scheduled", billing.elm)
    assert first.resource_names == ("Ruth  Okafor, MD", "Room 1")
    assert (second.id, second.patient_id, second.type) == (meeting, None, "other")
    assert first.modified == NOON
    assert (await billing.client.appointments(start + DAY, start + 2 * DAY)).rows == ()


async def test_appointments_modified_whenever_they_take_place(billing: Kareo) -> None:
    far = billing.people.book_appointment(billing.ada(), billing.doctor, billing.place, NOON + 300 * DAY).id
    assert [one.id for one in (await billing.client.appointments_modified(NOON, NOON)).rows] == [far]
    billing.later(hours=1)
    assert (await billing.client.appointments_modified(NOON + timedelta(seconds=1), billing.now)).rows == ()
    billing.people.cancel_appointment(far)
    (row,) = (await billing.client.appointments_modified(billing.now, billing.now)).rows
    assert row.status == "cancelled"


@pytest.mark.parametrize("form", ["refused", "marked"])
async def test_one_appointment_and_what_became_of_it(form: str) -> None:
    async with kareo_at_work(KareoSwitches(deleted_appointment=form)) as billing:  # type: ignore[arg-type]
        visit = billing.people.book_appointment(billing.ada(), billing.doctor, billing.place, NOON).id
        assert await billing.client.get_appointment(visit) == wire.SingleAppointment(
            id=visit, start=NOON, provider_id=billing.doctor
        )
        billing.people.delete_appointment(visit)
        found = await billing.client.get_appointment(visit)
        assert found is None if form == "refused" else found is not None and found.is_deleted
        assert await billing.client.get_appointment(4711) is None


# -- bills ------------------------------------------------------------------------------------------------------------


def encounter(billing: Kareo, patient: int, *codes: str, **changes: object) -> wire.EncounterWrite:
    line = wire.EncounterLine(procedure_code="99213", units=1.5, unit_charge=120.25, modifiers=("25",), diagnoses=("E11.9",))
    lines = tuple(wire.EncounterLine(**{**to_dict(line), "procedure_code": code}) for code in codes or ("99213",))
    (case, *_) = [one.id for one in billing.sandbox.cases.values() if one.patient_id == patient]
    options: dict[str, object] = {
        "patient_id": patient,
        "case_id": case,
        "service_date": date(2026, 3, 1),
        "post_date": date(2026, 3, 2),
        "rendering_provider_id": billing.doctor,
        "location_id": billing.place,
        "place_of_service_code": "11",
        "lines": lines,
        "batch_number": "4001",
        "notes": "a < b & c",
        "further_diagnoses": ("I10", "J45.909"),
    }
    return wire.EncounterWrite(**(options | changes))  # type: ignore[arg-type]


def to_dict(line: wire.EncounterLine) -> dict[str, object]:
    return {name: getattr(line, name) for name in line.__struct_fields__}


async def test_an_encounter_and_its_charges(billing: Kareo) -> None:
    ada = billing.ada()
    created = await billing.client.create_encounter(encounter(billing, ada, "99213", "36415"))
    stored = billing.sandbox.encounters[created.encounter_id]
    assert (stored.status, stored.service_start, stored.post_date) == ("Draft", date(2026, 3, 1), date(2026, 3, 2))
    assert (stored.medical_notes, stored.orphan_diagnoses) == ("a < b & c", ["I10", "J45.909"])
    first, second = stored.lines
    assert (first.procedure_code, first.modifiers, first.diagnoses) == ("99213", ["25"], ["E11.9"])
    assert (second.units, second.unit_charge) == (1.5, 120.25)
    days = {"service_from": date(2026, 3, 1), "service_to": date(2026, 3, 1)}
    charges = await billing.client.charges_by_batch("4001", **days)
    assert {(one.encounter_id, one.patient_id) for one in charges} == {(created.encounter_id, ada)}
    assert [one.procedure_code for one in charges] == ["99213", "36415"]
    assert await billing.client.charges_by_batch("4002", **days) == []
    assert len(await billing.client.charges_by_batch("", **days)) == 2


@pytest.mark.parametrize("required", [True, False])
async def test_amounts_that_are_not_told_are_left_out(billing: Kareo, required: bool) -> None:
    """EHR_LED section 2: price and units, units only, neither; nobody says whether Kareo takes a line without units."""
    billing.sandbox.switches.units_required = required
    ada = billing.ada()
    (line,) = encounter(billing, ada).lines
    unpriced = wire.EncounterLine(**{**to_dict(line), "unit_charge": None})
    bare = wire.EncounterLine(**{**to_dict(unpriced), "units": None})
    created = await billing.client.create_encounter(encounter(billing, ada, lines=(unpriced,)))
    assert [(one.units, one.unit_charge) for one in billing.sandbox.encounters[created.encounter_id].lines] == [(1.5, 0.0)]
    assert b"UnitCharge" not in billing.sandbox.calls[-1].request
    if required:
        with pytest.raises(Refused):
            await billing.client.create_encounter(encounter(billing, ada, lines=(bare,)))
    else:
        await billing.client.create_encounter(encounter(billing, ada, lines=(bare,)))
    assert b"Units>" not in billing.sandbox.calls[-1].request


async def test_a_refused_encounter_says_which_code_and_its_words_stay_inside(billing: Kareo) -> None:
    with pytest.raises(Refused) as caught:
        await billing.client.create_encounter(encounter(billing, billing.ada(last_name="SECRET"), "99213", "99999"))
    assert [(element, value) for element, value, _ in caught.value.problems] == [("ProcedureCode", "99999")]
    assert "SECRET" not in str(caught.value) + repr(caught.value)
    assert billing.sandbox.encounters == {}
    assert billing.meters[-1] == ("kareo.CreateEncounter", "refused")


async def test_keys_are_sent_in_the_header_and_nowhere_else(billing: Kareo) -> None:
    await billing.client.get_providers()
    (call,) = billing.sandbox.calls
    assert call.request.count(KEY.encode()) == 1
    assert KEY not in repr(billing.meters)
