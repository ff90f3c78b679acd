"""What Elation holds of the policies that were written to it, as `chartwire verify` asks for it."""

from __future__ import annotations

import pytest
from aiohttp import web

from daemon.vendors.elation.held import ElationHeld
from daemon.vendors.elation.translate import policy_body
from daemon.vendors.ports.errors import Unreachable
from daemon.vendors.ports.vendor import SentPolicy
from events.ids import EhrChartId
from events.writes import PolicyTerms
from tests.integration.elation_script import POLICY

CHART = EhrChartId(640)
LIST = "GET /api/2.0/patients/640/policies"
TERMS = PolicyTerms(
    billing_policy=9, rank=1, carrier_id=3, carrier_name="Blue Mesa Health", plan_id=4, plan_name="PPO Gold", member_id="M1"
)
WRITTEN = {"9": SentPolicy(5, TERMS)}


def page(*policies: dict[str, object]) -> dict[str, object]:
    return {"results": list(policies), "next": None}


async def test_policy_as_it_was_written_has_no_edits(vendor, client):
    vendor.say(LIST, page(POLICY | policy_body(TERMS, {})))
    assert await ElationHeld(client).policy_edits(CHART, WRITTEN) == {}
    assert vendor.lines() == [LIST]


async def test_member_that_staff_changed_is_an_edit(vendor, client):
    vendor.say(LIST, page(POLICY | policy_body(TERMS, {}) | {"member_id": "M2"}))
    assert await ElationHeld(client).policy_edits(CHART, WRITTEN) == {"policy 9 member_id": ("M2", "M1")}


async def test_policy_that_is_not_there_is_one_edit(vendor, client):
    vendor.say(LIST, page())
    assert await ElationHeld(client).policy_edits(CHART, WRITTEN) == {"policy 9 deleted": ("yes", "no")}


@pytest.mark.parametrize("status", [303, 404, 410])
async def test_chart_that_is_gone_holds_no_edits(vendor, client, status):
    """One deleted chart does not keep the rest of a practice from being compared."""
    vendor.say(LIST, web.Response(status=status, headers={"Location": "/api/2.0/patients/77/"}))
    assert await ElationHeld(client).policy_edits(CHART, WRITTEN) == {}
    assert vendor.lines() == [LIST]


async def test_answer_that_is_none_says_nothing(vendor, client):
    vendor.say(LIST, {}, status=500)
    with pytest.raises(Unreachable):
        await ElationHeld(client).policy_edits(CHART, WRITTEN)
