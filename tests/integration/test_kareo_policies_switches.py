"""EHR_LED section 9: what nobody documents about writing policies, both answers, and what the daemon makes of each."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from daemon.sandbox.elation import ElationSandbox, ElationSwitches
from daemon.sandbox.kareo import KareoSwitches
from daemon.vendors.elation import translate
from daemon.vendors.elation.client import ElationClient
from daemon.vendors.kareo.writer import KareoWriter
from daemon.vendors.ports.errors import NotAsWritten, Refused
from events.terms import PolicyChange
from events.writes import BillingPoliciesWritten
from tests.integration.kareo import Kareo, kareo_at_work
from tests.integration.test_kareo_policies import AGREED, ids, insured, told


def writer_of(billing: Kareo) -> KareoWriter:
    return KareoWriter(billing.client, vendor_name="chartwire", now=lambda: billing.now)


@pytest.mark.parametrize("clears", [True, False])
async def test_a_holder_that_is_named_may_clear_the_employer_box(clears: bool) -> None:
    """Rule 4: why the holder is named only where a fact of theirs changed."""
    async with kareo_at_work(KareoSwitches(insured_clears_employer_box=clears)) as billing:
        ada, policy = insured(billing)
        billing.people.edit_policy(policy, relationship="Spouse", through_employer=True)
        writer = writer_of(billing)
        other = await told(writer, ada, PolicyChange(policy=policy, ehr=5, fields={"group_id": "G-8"}, agreed=AGREED))
        await writer.write(lambda: other)
        assert billing.sandbox.policies[policy].through_employer, "other members leave it alone"
        holder = await told(writer, ada, PolicyChange(policy=policy, ehr=5, fields={"insured_city": "Rome"}, agreed=AGREED))
        await writer.write(lambda: holder)
        assert billing.sandbox.policies[policy].through_employer is not clears


@pytest.mark.parametrize(
    ("answer", "cases", "primary"),
    [
        ("only_if_none", [], True),
        ("only_if_none", [{"name": "Auto"}], False),
        ("never", [], True),
        ("always", [{"name": "Auto"}], True),
    ],
)
async def test_a_case_that_is_added_may_become_primary(answer: Any, cases: list[dict[str, object]], primary: bool) -> None:
    """Rule 2: only what is in the primary case is taken for agreed."""
    async with kareo_at_work(KareoSwitches(added_case_becomes_primary=answer)) as billing:
        _, other = insured(billing)
        bea = billing.ada(first_name="Bea", cases=cases)
        writer = writer_of(billing)
        change = PolicyChange(ehr=7, fields={"rank": "1", "member_id": "B-1", **ids(billing, other)}, agreed=AGREED)
        write = await told(writer, bea, change, case_id=None)
        written = await writer.write(lambda: write)
        assert isinstance(written, BillingPoliciesWritten)
        assert bool(written.known) is primary
        assert sum(one.is_primary for one in written.chart.cases or ()) == 1


@pytest.mark.parametrize("answer", ["adds", "refused_if_same_number"])
async def test_a_second_policy_of_one_number_is_added_or_refused(answer: Any) -> None:
    async with kareo_at_work(KareoSwitches(policy_without_id=answer)) as billing:
        ada, policy = insured(billing)
        writer = writer_of(billing)
        fields = {"rank": "2", "member_id": "XYZ", **ids(billing, policy)}
        write = await told(writer, ada, PolicyChange(ehr=6, fields=fields, agreed=AGREED))
        if answer == "adds":
            await writer.write(lambda: write)
        else:
            with pytest.raises(Refused):
                await writer.write(lambda: write)
        assert len(billing.sandbox.policies) == 1 + (answer == "adds")


@pytest.mark.parametrize("answer", ["refused", "ignored"])
async def test_a_company_that_is_not_there_is_refused_or_ignored(answer: Any) -> None:
    async with kareo_at_work(KareoSwitches(unknown_company=answer)) as billing:
        ada, policy = insured(billing)
        writer = writer_of(billing)
        fields = {"rank": "2", "member_id": "N", "company_id": "999", "plan_id": ids(billing, policy)["plan_id"]}
        write = await told(writer, ada, PolicyChange(ehr=6, fields=fields, agreed=AGREED))
        with pytest.raises(Refused if answer == "refused" else NotAsWritten):
            await writer.write(lambda: write)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("soft", [True, False])
async def test_elation_lists_historical_policies_or_not(listed: bool, soft: bool) -> None:
    async with aiohttp.ClientSession() as session:
        switches = ElationSwitches(historical_policy_listed=listed, policy_delete_is_soft=soft)
        sandbox = ElationSandbox(switches=switches)
        elm = int(sandbox.add_practice(name="Elm", time_zone="America/Denver")["id"])
        sandbox.add_credential("id", "hush", practices=[elm])
        doctor = int(sandbox.add_physician(elm, first_name="Ruth", last_name="Okafor", npi="1")["id"])
        chart = int(sandbox.people.create_patient(elm, "Ada", "Byrne", "Female", "1980-02-29", doctor)["id"])
        await sandbox.start()
        try:
            client = ElationClient(
                base_url=sandbox.url, client_id="id", client_secret="hush", session=session, practice_id=elm, concurrency=2
            )
            old, mistake, kept = (sandbox.people.add_policy(chart, rank, member_id=f"M{rank}") for rank in (1, 2, 3))
            sandbox.people.deactivate_policy(old["id"])
            await client._send("DELETE", "/patients/{id}/policies/{policy_id}", None, id=chart, policy_id=mistake["id"])
            read = translate.chart_policies(await client.list_policies(chart))
            assert [one.id for one in read if one.active] == [kept["id"]]
            assert {one.id for one in read} == {kept["id"]} | ({old["id"]} if listed else set()) | (
                {mistake["id"]} if listed and soft else set()
            )
        finally:
            await sandbox.stop()
