"""Policies, a service of its own with 422s and late reads; insurers and plans, where nothing prevents a duplicate."""

from __future__ import annotations

import asyncio
from typing import Final

from daemon.sandbox.elation.fields import REQUIRED, Record, Refusal, check, detail
from daemon.sandbox.elation.shapes import COMPANY, PLAN, POLICY
from daemon.sandbox.elation.state import State

_COMPANY_BLANK: Final[Record] = {
    "address": "",
    "aliases": None,
    "city": "",
    "eligibility_payer_id": None,
    "extension": None,
    "external_vendor_id": None,
    "insurance_type": None,
    "is_credentialed": None,
    "is_enrolled": None,
    "payer_id": None,
    "phone": None,
    "state": "",
    "suite": None,
    "zip": "",
}


def create_company(state: State, body: object, *, by: str | None, practices: frozenset[int]) -> Record:
    """A new insurer; the same name twice makes two."""
    values = check(COMPANY, body, partial=False)
    _practice(values["practice"], practices)
    dates = {"created_date": state.stamp(), "deleted_date": None}
    return state.insert("insurance_companies", {"id": state.new_id(), **_COMPANY_BLANK, **values, **dates}, by)


def update_company(state: State, company: Record, body: object, *, by: str | None, partial: bool) -> Record:
    """Change an insurer; it stays in its practice."""
    values = check(COMPANY, body, partial=partial)
    _stay(values, company)
    company.update(values)
    return state.save("insurance_companies", company, by)


def create_plan(state: State, body: object, *, by: str | None, practices: frozenset[int]) -> Record:
    """A new plan of an insurer of the same practice."""
    values = check(PLAN, body, partial=False)
    _practice(values["practice"], practices)
    state.refer("insurance_company", "insurance_companies", values["insurance_company"], values["practice"])
    dates = {"created_date": state.stamp(), "deleted_date": None}
    return state.insert("insurance_plans", {"id": state.new_id(), **values, **dates}, by)


def update_plan(state: State, plan: Record, body: object, *, by: str | None, partial: bool) -> Record:
    """Change a plan; it stays in its practice."""
    values = check(PLAN, body, partial=partial)
    _stay(values, plan)
    if "insurance_company" in values:
        state.refer("insurance_company", "insurance_companies", values["insurance_company"], plan["practice"])
    plan.update(values)
    return state.save("insurance_plans", plan, by)


def create_policy(state: State, chart: Record, body: object, *, by: str | None) -> Record:
    """A new policy of `chart`. Raises Refusal 422."""
    policy = {"id": state.new_id(), **_policy(state, chart, body)}
    state.tables["policies"][policy["id"]] = policy
    _take_rank(state, policy)
    state.remember_policy(policy["id"], policy)
    _tell(state, chart, by)
    return policy


def replace_policy(state: State, chart: Record, policy: Record, body: object, *, by: str | None) -> Record:
    """PUT: the policy becomes what was sent; what was left out is lost. Raises Refusal 422."""
    values = _policy(state, chart, body)
    key = policy["id"]
    policy.clear()
    policy.update({"id": key, **values})
    _take_rank(state, policy)
    state.remember_policy(key, policy)
    _tell(state, chart, by)
    return policy


def delete_policy(state: State, chart: Record, policy: Record, *, by: str | None) -> None:
    """Gone for good, or so it seems: meant for mistakes."""
    if state.switches.policy_delete_is_soft:
        policy.update(status="inactive", rank=None)
        state.remember_policy(policy["id"], policy)
        _tell(state, chart, by)
        return
    del state.tables["policies"][policy["id"]]
    state.remember_policy(policy["id"], None)
    _tell(state, chart, by)


def find_policy(state: State, patient: int, key: int) -> Record:
    """The policy as the service shows it now. Raises Refusal 404."""
    for policy in state.policies_of(patient):
        if policy["id"] == key:
            return policy
    raise detail(404, "Not found.")


def _practice(practice: int, practices: frozenset[int]) -> None:
    if practice not in practices:
        raise Refusal(400, {"practice": [f'Invalid pk "{practice}" - object does not exist.']})


def _stay(values: Record, record: Record) -> None:
    if "practice" in values:
        _practice(values["practice"], frozenset({int(record["practice"])}))


def _policy(state: State, chart: Record, body: object) -> Record:
    try:
        values = check(POLICY, body, partial=False)
    except Refusal as refusal:
        texts = refusal.body if isinstance(refusal.body, dict) else {}
        raise _unprocessable({name: str(text[0]) for name, text in texts.items()}) from None
    wrong = {}
    if values["patient_id"] != chart["id"]:
        wrong["patient_id"] = "Does not match the patient of the path."
    if values["practice_id"] != chart["caregiver_practice"]:
        wrong["practice_id"] = "Is not the practice of the patient."
    for name, resource in (("carrier_id", "insurance_companies"), ("plan_id", "insurance_plans")):
        found = state.tables[resource].get(values.get(name) or 0)
        if values.get(name) is not None and (found is None or found["practice"] != chart["caregiver_practice"]):
            wrong[name] = "Does not exist."
    if wrong:
        raise _unprocessable(wrong)
    # Whatever else the service knows of is stored as it comes, and lost when a PUT leaves it out.
    unknown = (
        {name: value for name, value in body.items() if name not in POLICY and name != "id"}
        if isinstance(body, dict)
        else {}
    )
    policy = dict.fromkeys(POLICY, None) | unknown | values
    policy["relationship_to_insured"] = policy["relationship_to_insured"] or "self"
    policy["is_legacy_insurance"] = bool(policy["is_legacy_insurance"])
    policy["can_check_eligibility"] = bool(policy["can_check_eligibility"])
    return policy


def _unprocessable(errors: dict[str, str]) -> Refusal:
    return Refusal(
        422,
        {
            "detail": [
                {"loc": ["body", name], "msg": text, "type": "missing" if text == REQUIRED else "value_error"}
                for name, text in errors.items()
            ]
        },
    )


def _take_rank(state: State, policy: Record) -> None:
    """One active policy a rank: who held it before is made inactive without a word."""
    if policy["status"] != "active" or policy["rank"] is None:
        return
    for key in sorted(state.policies_by_chart.get(policy["patient_id"], ())):
        other = state.tables["policies"].get(key)
        if other is None or key == policy["id"] or other["patient_id"] != policy["patient_id"]:
            continue
        if other["rank"] == policy["rank"] and other["status"] == "active":
            other["status"] = "inactive"
            if state.switches.deactivated_rank_cleared:
                other["rank"] = None
            state.remember_policy(other["id"], other)


def _tell(state: State, chart: Record, by: str | None) -> None:
    """No event of its own: only the chart's old copy changes, later, and with it the chart."""
    switches = state.switches
    author = by if switches.policy_event == "others" else None

    def touch() -> None:
        if switches.policy_touches_chart:
            chart["last_modified"] = state.stamp()
        if switches.policy_event != "none":
            state.announce("patients", chart["id"], "saved", author)

    if switches.policy_event_seconds > 0:
        asyncio.get_running_loop().call_later(switches.policy_event_seconds, touch)
    else:
        touch()
