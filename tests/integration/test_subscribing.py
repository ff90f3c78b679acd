"""What the connector subscribes to at Elation, and whose signing keys it keeps."""

from __future__ import annotations

import pytest

from daemon.vendors.elation.connector import RESOURCES, ElationConnector
from daemon.vendors.elation.section import ElationConfig
from events.writes import System
from tests.conftest import PRACTICE
from tests.contract.vendor_case import Recorded
from tests.integration.test_elation_writer import NOON, Elation, ehr

__all__ = ["ehr"]

BASE = "https://chartwire.test"


class Subscribing(Recorded):
    """An Elation connector of a practice that reads no policies and no calendar, and the keys that it keeps."""

    def __init__(self, ehr: Elation) -> None:
        super().__init__(System.EHR)
        section = ElationConfig(base_url=ehr.sandbox.url, client_id="id", client_secret_file="x", practice_id=ehr.elm)
        self.connector = ElationConnector(
            ehr.client,
            self.intake,
            section,
            zone="America/Denver",
            webhook_base=BASE,
            subscriptions=self,
            known_charts=self._none,
            known_policies=self._policies,
            watermark=self.watermark,
            patience=0.05,
            now=lambda: NOON,
        )

    async def _none(self) -> list[str]:
        return []

    async def _policies(self) -> set[str]:
        return set()


async def test_one_that_is_there_is_kept_and_none_is_created_for_what_nobody_wants(ehr: Elation) -> None:
    there = Subscribing(ehr)
    await there.connector.subscribe()
    assert there.kept.keys() == set(RESOURCES)
    kept = dict(there.kept)
    await there.connector.subscribe()
    assert there.kept == kept


@pytest.mark.parametrize("resource", ["patients", "appointments"])
async def test_a_new_key_is_kept_also_of_what_an_earlier_profile_subscribed_to(ehr: Elation, resource: str) -> None:
    """What is refused would be delivered again and again for days."""
    there = Subscribing(ehr)
    one = await ehr.client.create_subscription(resource, f"{BASE}/webhooks/elation/{PRACTICE}/{resource}")
    await there.connector.subscribe()
    assert there.kept[resource] == (one.id, one.signing_pub_key)
    ehr.sandbox.people.rotate_webhook_key(one.id)
    await there.connector.subscribe()
    number, key = there.kept[resource]
    assert number == one.id
    assert key != one.signing_pub_key
    assert key == ehr.sandbox.state.tables["subscriptions"][one.id]["signing_pub_key"]
