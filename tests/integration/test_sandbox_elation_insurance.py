"""The Elation sandbox over HTTP: policies and their ranks, insurers and plans."""

from __future__ import annotations

from tests.integration.elation import Clinic

# Policies, insurers, plans


async def test_a_policy_needs_six_fields_else_422(clinic: Clinic) -> None:
    ada = clinic.person()
    status, body = await clinic.mine.ask("POST", f"/patients/{ada}/policies", {"copay": "abc"})
    assert status == 422
    assert {(one["loc"][1], one["type"]) for one in body["detail"]} == {
        ("practice_id", "missing"),
        ("patient_id", "missing"),
        ("patient_first_name", "missing"),
        ("patient_last_name", "missing"),
        ("patient_dob", "missing"),
        ("status", "missing"),
        ("copay", "value_error"),
    }
    assert (await clinic.mine.ask("POST", f"/patients/{ada}/policies", clinic.policy(ada, rank=4)))[0] == 422
    assert (await clinic.mine.ask("POST", f"/patients/{ada}/policies", clinic.policy(ada, carrier_id=1)))[0] == 422


async def test_a_rank_has_one_active_holder(clinic: Clinic) -> None:
    ada = clinic.person()
    path = f"/patients/{ada}/policies"
    _, first = await clinic.mine.ask("POST", path, clinic.policy(ada, member_id="A"))
    _, second = await clinic.mine.ask("POST", path, clinic.policy(ada, member_id="B", rank=2))
    status, moved = await clinic.mine.ask("PUT", f"{path}/{second['id']}/", {**second, "rank": 1})
    assert (status, moved["rank"]) == (200, 1)
    held = await clinic.mine.get(f"{path}/{first['id']}")
    assert (held["status"], held["rank"]) == ("inactive", None)
    active = (await clinic.mine.get(path, active_only="true"))["results"]
    assert [one["id"] for one in active] == [second["id"]]
    assert len((await clinic.mine.get(path + "/"))["results"]) == 2


async def test_put_replaces_the_whole_policy(clinic: Clinic) -> None:
    ada = clinic.person()
    held = clinic.sandbox.people.add_policy(ada, member_id="A", group_id="G", novelty={"seen": True})
    path = f"/patients/{ada}/policies/{held['id']}"
    assert (await clinic.mine.get(path))["novelty"] == {"seen": True}
    status, body = await clinic.mine.ask("PUT", path, clinic.policy(ada, member_id="B"))
    assert status == 200
    assert (body["member_id"], body["group_id"], "novelty" in body) == ("B", None, False)
    assert (await clinic.mine.ask("PATCH", path, {}))[0] == 405
    assert (await clinic.mine.ask("DELETE", path))[0] == 204
    assert (await clinic.mine.ask("GET", path))[0] == 404


async def test_policy_writes_may_be_seen_late(clinic: Clinic) -> None:
    clinic.switch(policy_visible_seconds=5)
    ada = clinic.person()
    status, made = await clinic.mine.ask("POST", f"/patients/{ada}/policies", clinic.policy(ada))
    assert status == 201
    assert (await clinic.mine.ask("GET", f"/patients/{ada}/policies/{made['id']}"))[0] == 404
    clinic.clock.move(seconds=5)
    assert (await clinic.mine.get(f"/patients/{ada}/policies"))["results"] == [made]
    assert (await clinic.mine.get(f"/patients/{ada}/"))["insurances"][0]["rank"] == "primary"


async def test_insurers_and_plans_are_not_deduplicated(clinic: Clinic) -> None:
    body = {"carrier": "Acme", "practice": clinic.practice, "insurance_type": "Commercial"}
    first, second = [(await clinic.mine.ask("POST", "/insurance_companies/", body))[1]["id"] for _ in range(2)]
    assert first != second
    assert len(await clinic.mine.all("/insurance_companies/", carrier="acme", practice=clinic.practice)) == 2
    plan = {"name": "Gold", "insurance_company": first, "practice": clinic.practice}
    status, made = await clinic.mine.ask("POST", "/insurance_plans/", plan)
    assert (status, made["patients"]) == (201, [])
    ada = clinic.person()
    clinic.sandbox.people.add_policy(ada, carrier_id=first, carrier_name="Acme", plan_id=made["id"])
    single = await clinic.mine.get(f"/insurance_companies/{first}/")
    assert (single["plans"], single["patients"]) == ([made["id"]], [ada])
    assert "plans" not in (await clinic.mine.all("/insurance_companies/"))[0]
    status, body = await clinic.mine.ask("PATCH", f"/insurance_companies/{first}/", {"external_vendor_id": "77"})
    assert (status, body["external_vendor_id"], body["carrier"]) == (200, "77", "Acme")
    assert (await clinic.mine.ask("DELETE", f"/insurance_companies/{second}/"))[0] == 204
    assert (await clinic.mine.ask("GET", f"/insurance_companies/{second}/"))[0] == 410


async def test_plans_stay_with_insurers_of_their_practice(clinic: Clinic) -> None:
    people = clinic.sandbox.people
    acme, best = [people.create_insurance_company(clinic.practice, name)["id"] for name in ("Acme", "Best")]
    plan = people.create_insurance_plan(clinic.practice, acme, "Gold")["id"]
    path = f"/insurance_plans/{plan}/"
    status, body = await clinic.mine.ask("PATCH", path, {"insurance_company": best})
    assert (status, body["insurance_company"], body["name"]) == (200, best, "Gold")
    foreign = people.create_insurance_company(clinic.elsewhere, "Far")["id"]
    assert (await clinic.mine.ask("PATCH", path, {"insurance_company": foreign}))[0] == 400
    assert (await clinic.mine.ask("PATCH", path, {"practice": clinic.elsewhere}))[0] == 400
    assert [one["id"] for one in await clinic.mine.all("/insurance_plans/", insurance_company=best)] == [plan]


async def test_a_policy_made_inactive_frees_its_rank(clinic: Clinic) -> None:
    ada = clinic.person()
    held = clinic.sandbox.people.add_policy(ada, member_id="A")
    gone = clinic.sandbox.people.deactivate_policy(held["id"])
    assert (gone["status"], gone["rank"], gone["member_id"]) == ("inactive", None, "A")
    assert (await clinic.mine.get(f"/patients/{ada}/policies", active_only="true"))["results"] == []
