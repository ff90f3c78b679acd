"""The Elation client's calls against a scripted server: what is asked, what is read, and what a refusal means."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from aiohttp import web

from daemon.vendors.elation import exchange, wire
from daemon.vendors.ports.errors import (
    Duplicate,
    Gone,
    Malformed,
    Moved,
    NotFound,
    OutcomeUnknown,
    Refused,
    Unauthorized,
    Unreachable,
)
from tests.integration.elation_script import PATIENT, POLICY, PRACTICE, TOKEN, all_of, make

# Reading


async def test_the_url_of_a_record_ends_in_a_slash_whichever_base_is_given(vendor, session):
    vendor.say("GET /api/2.0/patients/640/", PATIENT)
    for base in (vendor.url, vendor.url + "/", vendor.url + "/api/2.0", vendor.url + "/api/2.0/"):
        assert (await make(base, session).get_patient(640)).last_name == "SECRET"


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, NotFound), (410, Gone), (403, Unauthorized), (400, Refused), (422, Refused), (302, Refused), (500, Unreachable)],
)
async def test_what_a_status_means_for_a_read(vendor, client, status, error):
    vendor.say("GET /api/2.0/patients/640/", {"detail": "SECRET"}, status=status)
    with pytest.raises(error) as caught:
        await client.get_patient(640)
    assert type(caught.value) is error
    assert caught.value.operation == "elation.GET /patients/{id}/"


async def test_a_moved_chart_is_not_followed(vendor, client):
    vendor.say("GET /api/2.0/patients/640/", web.Response(status=303, headers={"Location": "/api/2.0/patients/77/"}))
    with pytest.raises(Moved) as caught:
        await client.get_patient(640)
    assert caught.value.survivor == 77
    assert vendor.lines() == ["GET /api/2.0/patients/640/"]


async def test_lists_follow_next_and_keep_bad_rows(vendor, client, meters):
    vendor.say(
        "GET /api/2.0/patients/",
        {
            "results": [PATIENT, PATIENT | {"id": 641, "dob": "SECRET"}],
            "next": f"{vendor.url}/api/2.0/patients?cursor=a%2Fb",
        },
    )
    vendor.say("GET /api/2.0/patients", {"results": [PATIENT | {"id": 642}], "next": None})
    rows = await all_of(client.patients_modified_since(datetime(2026, 5, 6, 12, 0, 0, 999, tzinfo=UTC)))
    assert [(type(row), row.id) for row in rows] == [(wire.Patient, 640), (wire.BadRow, 641), (wire.Patient, 642)]
    first, second = (seen for seen in vendor.seen if seen.line != TOKEN)
    assert first.query == {"limit": "100", "practice": str(PRACTICE), "last_modified__gte": "2026-05-06T12:00:00Z"}
    assert second.query == {"cursor": "a/b"}
    assert meters.count(("GET /patients/", "ok")) == 2


@pytest.mark.parametrize(
    "address",
    [
        "http://elsewhere.test/api/2.0/patients/?cursor=a",
        "https{rest}/x",
        "/relative",
        "http://u:p@{host}/x",
        "http://[",
        "{self}",
    ],
)
async def test_next_never_leads_elsewhere_or_in_a_circle(vendor, client, address):
    rest = vendor.url.removeprefix("http")
    host = vendor.url.removeprefix("http://")
    here = f"{vendor.url}/api/2.0/patients/?limit=100&practice={PRACTICE}"
    vendor.say("GET /api/2.0/patients/", {"results": [], "next": address.format(rest=rest, host=host, self=here)})
    with pytest.raises(Malformed) as caught:
        await all_of(client.patients())
    assert caught.value.path == "$.next"
    assert len(vendor.lines()) == 1


async def test_a_list_that_is_none_is_malformed(vendor, client, meters):
    vendor.say("GET /api/2.0/practices/", {"practices": []})
    with pytest.raises(Malformed) as caught:
        await all_of(client.practices())
    assert caught.value.path == "$.results"
    assert ("GET /practices/", "malformed") in meters


async def test_appointments_leave_slots_and_events_out(vendor, client):
    row = {
        "id": 1,
        "scheduled_date": "2026-05-06T12:00:00Z",
        "physician": 2,
        "practice": PRACTICE,
        "patient": 640,
        "last_modified_date": "2026-05-06T12:00:00Z",
        "time_slot_type": "appointment",
        "service_location": {"id": 9, "place_of_service": 11},
    }
    slots = [row | {"id": 2, "patient": None, "time_slot_type": kind} for kind in ("event", "appointment_slot")]
    vendor.say("GET /api/2.0/appointments/", {"results": [row, *slots]})
    window = client.appointments(from_date=date(2026, 5, 1), to_date=datetime(2026, 5, 8, tzinfo=UTC), patient=640)
    assert [(found.id, found.service_location) async for found in window] == [(1, 9)]
    assert vendor.seen[-1].query == {
        "limit": "100",
        "practice": str(PRACTICE),
        "time_slot_type": "appointment",
        "from_date": "2026-05-01",
        "to_date": "2026-05-08T00:00:00Z",
        "patient": "640",
    }


async def test_bills_of_many_notes_are_asked_for_in_portions_and_of_none_not_at_all(vendor, client):
    vendor.say("GET /api/2.0/bills/", {"results": []})
    assert await all_of(client.bills(visit_note_id=[])) == []
    assert vendor.seen == [], "an empty filter must not become no filter"
    await all_of(client.bills(visit_note_id=range(250), from_service_date=date(2026, 5, 1)))
    asked = [seen.query["visit_note_id"].split(",") for seen in vendor.seen if seen.line != TOKEN]
    assert [len(ids) for ids in asked] == [100, 100, 50]
    assert vendor.seen[-1].query["from_service_date"] == "2026-05-01"


async def test_directories_without_a_filter_are_narrowed_by_the_record(vendor, client):
    ours, foreign = {"id": 1, "practice": PRACTICE, "name": "A"}, {"id": 2, "practice": 9, "name": "B"}
    bad_foreign, bad = {"id": 3, "practice": 9, "name": 5, "npi": []}, {"id": 4, "name": "C"}
    for path in ("physicians", "service_locations"):
        vendor.say(f"GET /api/2.0/{path}/", {"results": [ours, foreign, bad_foreign, bad]})
    for rows in (client.physicians(), client.service_locations()):
        assert [(row.id, isinstance(row, wire.BadRow)) async for row in rows] == [(1, False), (4, True)]
    vendor.say("GET /api/2.0/practices/", {"results": [{"id": PRACTICE, "name": "A"}, {"id": 9, "name": "B"}]})
    assert [practice.id async for practice in client.practices()] == [PRACTICE]


async def test_an_answer_beyond_the_cap_is_given_up(vendor, client, monkeypatch):
    vendor.say("GET /api/2.0/patients/640/", PATIENT)
    vendor.say("POST /api/2.0/patients/", PATIENT, status=201)
    await client.get_patient(640)
    monkeypatch.setattr(exchange, "SIZE_CAP", 20)
    with pytest.raises(Malformed) as caught:
        await client.get_patient(640)
    assert caught.value.path == "$"
    with pytest.raises(OutcomeUnknown):
        await client.create_patient({})


# Writing


async def test_policies_have_no_trailing_slash_and_go_back_whole(vendor, client):
    vendor.say("GET /api/2.0/patients/640/policies", {"results": [POLICY]})
    vendor.say("PUT /api/2.0/patients/640/policies/5", POLICY)
    (policy,) = await client.list_policies(640)
    await client.replace_policy(640, policy.id, policy.raw | {"status": "inactive"})
    assert vendor.lines() == ["GET /api/2.0/patients/640/policies", "PUT /api/2.0/patients/640/policies/5"]
    assert vendor.seen[-1].json == POLICY | {"status": "inactive"}
    assert vendor.seen[-1].headers["Content-Type"] == "application/json"


async def test_one_bad_policy_spoils_the_list(vendor, client):
    vendor.say("GET /api/2.0/patients/640/policies", {"results": [POLICY, POLICY | {"rank": "SECRET"}]})
    with pytest.raises(Malformed) as caught:
        await client.list_policies(640)
    assert caught.value.path == "$.results[1].rank"


@pytest.mark.parametrize("redirect", [1234, "/api/2.0/patients/1234"])
async def test_a_duplicate_names_the_existing_chart(vendor, client, redirect):
    vendor.say("POST /api/2.0/patients/", {"detail": "Duplicated object", "redirect": redirect}, status=409)
    with pytest.raises(Duplicate) as caught:
        await client.create_patient({"first_name": "Ada", "dob": date(1815, 12, 10)})
    assert caught.value.existing == 1234
    assert vendor.seen[-1].json == {"first_name": "Ada", "dob": "1815-12-10"}


async def test_a_refusal_carries_words_and_problems_but_does_not_show_them(vendor, client, meters):
    vendor.say("PATCH /api/2.0/bills/7/", {"cpts": [{"cpt": ["SECRET is wrong."]}]}, status=400)
    with pytest.raises(Refused) as caught:
        await client.update_bill(7, {"ref_number": "1"})
    assert caught.value.problems == (("cpts[0].cpt", "", "SECRET is wrong."),)
    assert "SECRET" in caught.value.vendor_text
    assert "SECRET" not in str(caught.value)
    assert ("PATCH /bills/{id}/", "refused") in meters


async def test_a_bill_update_and_a_deletion_need_no_answer_to_read(vendor, client):
    vendor.say("PATCH /api/2.0/bills/7/", {"ref_number": "1"})
    vendor.say("DELETE /api/2.0/appointments/3/", web.Response(status=204))
    await client.update_bill(7, {"ref_number": "1"})
    await client.delete_appointment(3)
    assert vendor.lines() == ["PATCH /api/2.0/bills/7/", "DELETE /api/2.0/appointments/3/"]


async def test_a_success_without_a_usable_record_is_unknown(vendor, client, meters):
    vendor.say("POST /api/2.0/patients/", {"first_name": "SECRET"}, status=201)
    with pytest.raises(OutcomeUnknown) as caught:
        await client.create_patient({})
    assert "SECRET" not in str(caught.value)
    assert ("POST /patients/", "outcome_unknown") in meters


@pytest.mark.parametrize("status", [500, 503, 504])
async def test_a_write_that_a_server_failed_on_is_unknown(vendor, client, status):
    vendor.say("PUT /api/2.0/patients/640/policies/5", {}, status=status)
    with pytest.raises(OutcomeUnknown):
        await client.replace_policy(640, 5, {})


# Subscriptions, published events


async def test_subscriptions_and_published_events(vendor, client):
    subscription = {"id": 1, "resource": "bills", "target": "https://me.test/a", "signing_pub_key": "k", "properties": None}
    vendor.say("GET /api/2.0/app/subscriptions/", {"results": [subscription | {"created_date": "2016-10-12T22:11:01"}]})
    vendor.say("POST /api/2.0/app/subscriptions/", vendor.page(subscription, 201), vendor.page({"redirect": 1}, 409))
    vendor.say("DELETE /api/2.0/app/subscriptions/1/", web.Response(status=204))
    event = {"id": 1, "event_id": 2, "event_type": "saved", "resource": "bills", "resource_id": 7, "processed_date": None}
    vendor.say("GET /api/2.0/app/published_events/", {"results": [event]})
    (listed,) = await all_of(client.subscriptions())
    created = await client.create_subscription("bills", "https://me.test/a")
    assert isinstance(listed, wire.Subscription)
    assert listed.signing_pub_key == created.signing_pub_key == "k"
    with pytest.raises(Duplicate) as caught:
        await client.create_subscription("bills", "https://me.test/a")
    assert caught.value.existing == 1
    assert [(found.event_id, found.resource_id) async for found in client.published_events("-id")] == [(2, 7)]
    assert vendor.seen[-1].query == {"limit": "100", "order_by": "-id"}


COMPANY = {"id": 1, "carrier": "Acme", "practice": PRACTICE}
PLAN = {"id": 1, "name": "Gold", "insurance_company": 1, "practice": PRACTICE}
APPOINTMENT = {
    "id": 3,
    "scheduled_date": "2026-05-06T12:00:00Z",
    "physician": 2,
    "practice": PRACTICE,
    "last_modified_date": "2026-05-06T12:00:00Z",
}
BILL = {"id": 7, "patient": 1, "practice": PRACTICE, "last_modified_date": "2026-05-06T12:00:00Z"}
NAMED = {"id": PRACTICE, "name": "A", "practice": PRACTICE}
SINCE = datetime(2026, 5, 6, tzinfo=UTC)

SINGLE = [
    ("POST", "/patients/640/policies", POLICY, lambda c: c.create_policy(640, {})),
    ("GET", "/insurance_companies/1/", COMPANY, lambda c: c.get_insurance_company(1)),
    ("POST", "/insurance_companies/", COMPANY, lambda c: c.create_insurance_company({})),
    ("PATCH", "/insurance_companies/1/", COMPANY, lambda c: c.update_insurance_company(1, {})),
    ("POST", "/insurance_plans/", PLAN, lambda c: c.create_insurance_plan({})),
    ("GET", "/appointments/3/", APPOINTMENT, lambda c: c.get_appointment(3)),
    ("POST", "/appointments/", APPOINTMENT, lambda c: c.create_appointment({})),
    ("PATCH", "/appointments/3/", APPOINTMENT, lambda c: c.update_appointment(3, {})),
    ("GET", "/bills/7/", BILL, lambda c: c.get_bill(7)),
    ("GET", f"/practices/{PRACTICE}/", NAMED, lambda c: c.get_practice()),
]
LISTS = [
    ("/insurance_companies/", COMPANY, {}, lambda c: c.insurance_companies()),
    ("/insurance_plans/", PLAN, {"insurance_company": "1"}, lambda c: c.insurance_plans(1)),
    ("/bills/", BILL, {"patient": "1", "bill_id": "7"}, lambda c: c.bills(patient=1, bill_id=[7])),
    ("/patients/", PATIENT, {"last_name": "O'D & co", "dob": "1815-12-10"}, lambda c: c.patients(**SEARCH, practice=9)),
    (
        "/visit_notes/",
        {"id": 4, "patient": 1, "last_modified": "2026-05-06T12:00:00.5Z"},
        {"last_modified__gte": "2026-05-06T00:00:00Z"},
        lambda c: c.visit_notes_modified_since(SINCE),
    ),
]
SEARCH = {"last_name": "O'D & co", "dob": date(1815, 12, 10)}


@pytest.mark.parametrize(("method", "path", "body", "call"), SINGLE, ids=[f"{row[0]} {row[1]}" for row in SINGLE])
async def test_each_call_has_its_method_and_path(vendor, client, method, path, body, call):
    vendor.say(f"{method} /api/2.0{path}", body)
    assert (await call(client)).id == body["id"]
    assert vendor.lines() == [f"{method} /api/2.0{path}"]


@pytest.mark.parametrize(("path", "body", "query", "call"), LISTS, ids=[row[0] for row in LISTS])
async def test_each_list_asks_for_its_own_practice(vendor, client, path, body, query, call):
    vendor.say(f"GET /api/2.0{path}", {"results": [body], "next": None, "previous": None})
    (row,) = await all_of(call(client))
    assert not isinstance(row, wire.BadRow)
    assert row.id == body["id"]
    assert vendor.seen[-1].query == {"limit": "100", "practice": str(PRACTICE)} | query


async def test_a_moment_without_a_zone_is_not_guessed(client):
    with pytest.raises(ValueError, match="zone"):
        client.patients_modified_since(datetime(2026, 5, 6))
