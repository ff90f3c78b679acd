"""Elation's JSON into typed values: lenient where the NOTES say so, and never quoting what was wrong."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from daemon.vendors.elation import signature, wire
from daemon.vendors.elation.exchange import Answer
from daemon.vendors.elation.refusals import problems, refusal
from daemon.vendors.ports.errors import Duplicate, Malformed, Moved, OutcomeUnknown, Refused, Unreachable

PATIENT = {
    "id": 64072258994177,
    "first_name": "Ada",
    "last_name": "Byron",
    "caregiver_practice": 65540,
    "last_modified": "2026-05-06T12:00:00Z",
}
BILL = {"id": 7, "patient": 1, "practice": 65540, "last_modified_date": "2026-05-06T12:00:00Z"}
OPERATION = "elation.GET /x/"


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


# Patients


def test_a_patient_with_nulls_everywhere_it_may_have_them():
    nullable = (
        "middle_name",
        "suffix",
        "master_patient",
        "address",
        "emails",
        "phones",
        "patient_status",
        "metadata",
        "ssn",
    )
    patient = wire.decode_patient(encoded(PATIENT | dict.fromkeys(nullable)), OPERATION)
    assert (patient.middle_name, patient.suffix, patient.ssn) == ("", "", "")
    assert (patient.phones, patient.emails) == ((), ())
    assert patient.address is patient.metadata is patient.patient_status is patient.master_patient is None


def test_a_full_patient():
    body = PATIENT | {
        "dob": "1815-12-10",
        "sex": "Female",
        "phones": [{"phone": "5551234567", "phone_type": "Mobile", "created_date": "2016-10-12T22:11:01", "new": 1}],
        "emails": [{"email": "a@b.test", "deleted_date": "2020-01-01T00:00:00.123456Z"}],
        "address": {"address_line1": "1 Main", "address_line2": None, "state": "CA"},
        "patient_status": {"status": "active", "last_status_change": "2016-10-12T22:11:01"},
        "metadata": {"object_id": "k1", "data": {"kept": None}},
        "unheard_of": {"deep": [1]},
    }
    patient = wire.decode_patient(msgspec.Raw(encoded(body)), OPERATION)
    assert patient.dob == date(1815, 12, 10)
    assert patient.last_modified == datetime(2026, 5, 6, 12, tzinfo=UTC)
    assert patient.phones[0].created_date == datetime(2016, 10, 12, 22, 11, 1, tzinfo=UTC)
    assert patient.emails[0].deleted_date == datetime(2020, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)
    assert patient.address == wire.Address(address_line1="1 Main", state="CA")
    assert patient.metadata is not None
    assert patient.metadata.data == {"kept": None}, "the nulls in one's own data mean something"


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.sampled_from(["", "Z", "+00:00", "+05:30", "-08:00"]))
def test_instants_become_utc_whatever_their_form(moment, zone):
    patient = wire.decode_patient(encoded(PATIENT | {"last_modified": moment.isoformat() + zone}), OPERATION)
    offset = {"+05:30": timedelta(hours=5.5), "-08:00": timedelta(hours=-8)}.get(zone, timedelta())
    assert patient.last_modified.utcoffset() == timedelta()
    assert patient.last_modified == (moment - offset).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"dob": "SECRET"}, "$.dob"),
        ({"phones": [{"phone": "1"}, {"phone": ["SECRET"]}]}, "$.phones[1].phone"),
        ({"last_name": None}, "$.last_name"),
        ({"id": 2**63}, "$.id"),
        ({"id": "SECRET"}, "$.id"),
        ({"last_modified": "0001-01-01T00:00:00+14:00"}, "$"),
    ],
)
def test_what_does_not_fit_is_named_by_path_and_never_quoted(change, path):
    with pytest.raises(Malformed) as caught:
        wire.decode_patient(encoded(PATIENT | change), OPERATION)
    assert caught.value.path == path
    assert caught.value.operation == OPERATION
    assert "SECRET" not in str(caught.value)
    assert caught.value.__context__ is None, "a logged traceback would show the decoder's words"


@pytest.mark.parametrize("body", [b"", b"SECRET", b"[]", b"7", b'{"id": "\xff"}', b"[" * 100_000, b"null"])
def test_what_is_not_a_record_at_all_is_malformed(body):
    with pytest.raises(Malformed) as caught:
        wire.decode_patient(body, OPERATION)
    assert caught.value.path == "$"


@given(st.binary(max_size=60))
def test_no_bytes_get_past_the_decoders_as_another_error(body):
    for decode in (wire.decode_patient, wire.decode_bill, wire.decode_webhook):
        with pytest.raises(Malformed):
            decode(body, OPERATION)


# Other resources


def test_a_policy_carries_the_whole_answer_for_the_put():
    body = {
        "id": 5,
        "practice_id": 65540,
        "patient_id": 1,
        "status": "active",
        "rank": 1,
        "copay": 20.5,
        "deductible": None,
        "start_date": "2026-01-01",
        "insured_person_dob": "08/29/1940",
        "payer_of_tomorrow": {"x": None},
    }
    policy = wire.decode_policy(encoded(body), OPERATION)
    assert policy.raw == body
    assert (policy.copay, policy.deductible, policy.start_date) == ("20.5", None, date(2026, 1, 1))
    assert policy.insured_person_dob == "08/29/1940"


@pytest.mark.parametrize(("given_place", "place"), [({"id": 9, "place_of_service": 11}, 9), (9, 9), (None, None)])
def test_the_service_location_of_an_appointment_is_its_id(given_place, place):
    body = {
        "id": 3,
        "scheduled_date": "2026-05-06T12:00:00Z",
        "physician": 2,
        "practice": 65540,
        "last_modified_date": "2026-05-06T12:00:00Z",
        "service_location": given_place,
        "patient": None,
        "status": {"status": "Not Seen", "status_detail": "No Show", "status_date": "2016-10-12T22:11:01"},
    }
    appointment = wire.decode_appointment(encoded(body), OPERATION)
    assert appointment.service_location == place
    assert type(appointment.service_location) in (int, type(None))
    assert appointment.status is not None
    assert appointment.status.status_detail == "No Show"


@pytest.mark.parametrize("place", ["SECRET", True, {"name": "SECRET"}])
def test_a_service_location_without_an_id_is_malformed(place):
    body = {"id": 3, "scheduled_date": "2026-05-06T12:00:00Z", "physician": 2, "practice": 1, "service_location": place}
    with pytest.raises(Malformed) as caught:
        wire.decode_appointment(encoded(body), OPERATION)
    assert caught.value.path == "$.service_location"
    assert "SECRET" not in str(caught.value)


def test_a_bill_with_the_nulls_of_real_life():
    nullable = ("billing_date", "billing_error", "billing_raw_error", "billing_provider", "service_location", "ref_number")
    body = BILL | dict.fromkeys(nullable) | {"visit_note_signed_date": None, "deferred_bill": None, "payment": None}
    body["cpts"] = [
        {"cpt": "99213", "modifiers": ["25"], "dxs": ["J06.9"], "units": "1.0", "unit_charge": 55.12},
        {"cpt": "99214", "modifiers": [], "dxs": [], "units": None, "unit_charge": 20},
    ]
    bill = wire.decode_bill(encoded(body), OPERATION)
    assert [(line.units, line.unit_charge) for line in bill.cpts] == [("1.0", "55.12"), (None, "20")]
    assert all(type(line.unit_charge) is str for line in bill.cpts)
    assert (bill.billing_error, bill.deferred_bill, bill.visit_note_signed_date) == ("", False, None)


@pytest.mark.parametrize(("code", "padded"), [(2, "02"), ("11", "11"), (None, "")])
def test_place_of_service_codes_have_two_digits(code, padded):
    place = {"id": 1, "place_of_service": 11, "place_of_service_code": code}
    bill = wire.decode_bill(encoded(BILL | {"service_location": place}), OPERATION)
    assert bill.service_location is not None
    assert (bill.service_location.place_of_service, bill.service_location.place_of_service_code) == ("11", padded)


def test_a_bad_row_is_kept_apart_from_the_good_ones():
    bad = PATIENT | {"id": 9, "dob": "29/08/1940"}
    page = wire.read_page(wire.Patient, encoded({"results": [PATIENT, bad, "x"], "next": None}), OPERATION)
    good, row, stray = page.rows
    assert isinstance(good, wire.Patient)
    assert isinstance(row, wire.BadRow)
    assert (row.id, row.path, row.practice, json.loads(row.raw)) == (9, "$.results[1].dob", 65540, bad)
    assert isinstance(stray, wire.BadRow)
    assert (stray.id, stray.path) == (None, "$.results[2]")


def test_a_bad_visit_note_leaves_its_clinical_text_behind():
    note = {"id": 4, "patient": 1, "last_modified": "never", "bullets": [{"text": "SECRET"}]}
    (row,) = wire.read_page(wire.VisitNote, encoded({"results": [note]}), OPERATION).rows
    assert isinstance(row, wire.BadRow)
    assert json.loads(row.raw) == {"id": 4, "patient": 1, "last_modified": "never"}


@pytest.mark.parametrize(("body", "path"), [(b"{}", "$.results"), (b'{"results": 3}', "$.results"), (b"<html>", "$")])
def test_a_page_that_is_none_is_malformed(body, path):
    with pytest.raises(Malformed) as caught:
        wire.read_page(wire.Patient, body, OPERATION)
    assert caught.value.path == path


# Webhooks


@pytest.mark.parametrize("application", [12345, "12345"])
def test_an_envelope_leaves_its_data_unread(application):
    body = b'{"data": {"id": 5, "x" : 1}, "action": "saved", "event_id": 1234, "application_id": %s, "resource": "patients"}'
    envelope = wire.decode_webhook(body % encoded(application), "webhook")
    assert bytes(envelope.data) == b'{"id": 5, "x" : 1}'
    assert (envelope.application_id, envelope.event_id, envelope.event_uuid) == ("12345", 1234, None)
    assert wire.peek_id(envelope.data) == 5


def test_an_envelope_without_inline_data():
    body = {"action": "saved", "event_uuid": "019078c0", "resource": "bills", "resource_url": "https://x.test/1"}
    envelope = wire.decode_webhook(encoded(body), "webhook")
    assert bytes(envelope.data) == b"null"
    assert wire.peek_id(envelope.data) is None
    assert envelope.event_id is None


def test_signatures():
    key = Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    body = b'{"data": {}, "action": "saved"}'
    header = base64.b64encode(key.sign(body)).decode()
    assert signature.verify(body, header, public)
    assert not signature.verify(body.replace(b": ", b":"), header, public), "the bytes count, not the JSON"
    for wrong in (None, "", "not base64!", "é", base64.b64encode(b"short").decode()):
        assert not signature.verify(body, wrong, public)
    for wrong_key in ("", "é", "####", base64.b64encode(b"short").decode(), base64.b64encode(bytes(32)).decode()):
        assert not signature.verify(body, header, wrong_key)


# Refusals


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"dob": ["This field is required."]}, [("dob", "This field is required.")]),
        ({"phones": [{}, {"phone": ["Too long."]}]}, [("phones[1].phone", "Too long.")]),
        ({"address": {"zip": ["a", "b"]}}, [("address.zip", "a"), ("address.zip", "b")]),
        ({"detail": "Nope."}, [("", "Nope.")]),
        ({"non_field_errors": ["Both."]}, [("", "Both.")]),
        ({"detail": [{"loc": ["body", "lines", 0, "id"], "msg": "m", "type": "t"}]}, [("lines[0].id", "m")]),
        (["Plain."], [("", "Plain.")]),
    ],
)
def test_problems_of_a_refusal(body, found):
    assert problems(json.dumps(body)) == tuple((path, "", text) for path, text in found)


def test_a_refusal_that_is_not_json_has_words_but_no_problems():
    error = refusal(OPERATION, Answer(status=400, location=None, body=b"<h1>SECRET</h1>"), write=True)
    assert isinstance(error, Refused)
    assert (error.problems, error.vendor_text, error.status) == ((), "<h1>SECRET</h1>", 400)
    assert "SECRET" not in str(error)


@pytest.mark.parametrize(
    ("redirect", "existing"),
    [
        (1234, 1234),
        ("1234", 1234),
        ("/api/2.0/patients/1234", 1234),
        ("https://x.test/patients/1234/?a=9", 1234),
        (None, None),
    ],
)
def test_both_forms_of_redirect_name_the_existing_record(redirect, existing):
    body = encoded({"detail": "Duplicated object", "redirect": redirect})
    error = refusal(OPERATION, Answer(status=409, location=None, body=body), write=True)
    assert isinstance(error, Duplicate)
    assert error.existing == existing


@pytest.mark.parametrize(
    ("location", "survivor"), [("/api/2.0/patients/77/", 77), ("https://x.test/p/77", 77), (None, None)]
)
def test_a_303_names_the_survivor(location, survivor):
    error = refusal(OPERATION, Answer(status=303, location=location, body=b""), write=False)
    assert isinstance(error, Moved)
    assert error.survivor == survivor


@pytest.mark.parametrize("status", [408, 500, 503, 504])
def test_a_failing_server_leaves_a_write_unknown_and_a_read_undone(status):
    answer = Answer(status=status, location=None, body=b"")
    assert type(refusal(OPERATION, answer, write=True)) is OutcomeUnknown
    assert type(refusal(OPERATION, answer, write=False)) is Unreachable
