"""Writes that wait, and whose patient's row is damaged as their turn comes: nothing of them is recorded, and nothing of them is lost."""

from __future__ import annotations

import re

import pytest

from events.commands import DismissRequested, RedriveRequested
from tests.faults.pair import HIT, Pair, damaged, lived
from tests.simulation.world import BILLING

MINUTES = 60.0


def states(pair: Pair) -> list[str]:
    """Of the struck practice's open writes to Kareo."""
    return sorted(row["state"] for row in pair.world.database.rows("open_intent", HIT) if row["system"] == "kareo")


def encounters(pair: Pair) -> int:
    office = pair.world.clinic.offices[0]
    return sum(one.practice_id == office.billing for one in pair.world.clinic.billing.encounters.values())


@pytest.mark.parametrize("left", ["nothing", "IntentAttempted"])
@pytest.mark.parametrize("command", [RedriveRequested, DismissRequested])
def test_a_write_whose_attempt_was_set_aside_is_made_once_somebody_has_looked(
    command: type[RedriveRequested | DismissRequested], left: str
) -> None:
    """Kareo is away, and two changes of one patient wait, one behind the other; the row is damaged as it comes back, and whole later.

    An item that nobody looked at goes away with the outcome of its write.
    """

    async def story(pair: Pair) -> None:
        world, away = pair.world, True
        key = world.clinic.offices[0].customer_key.encode()
        world.network.hosts[BILLING].weather = lambda call: (
            "refused" if away and key in call.body and re.search(rb"Update|Create", call.body) else ""
        )
        pair.rename()
        assert await pair.until(lambda: "attempted" in states(pair), 10 * MINUTES, HIT)
        pair.deed("signs a note in Elation", 0)
        assert await pair.until(lambda: states(pair) == ["attempted", "requested"], 10 * MINUTES, HIT)
        rows = world.database.tables["patient"].rows[HIT]
        whole = dict(rows)
        rows |= {id_: damaged(row) for id_, row in whole.items()}
        away = False
        assert await pair.until(lambda: any("IntentAttempted" in slot for slot, _ in pair.waiting(HIT)), 30 * MINUTES)
        assert not encounters(pair)
        rows |= whole
        for slot in sorted(slot for slot, code in pair.waiting(HIT) if code == "quarantined" and left not in slot):
            world.ask(HIT, command(slot=slot, who="people", reason="looked at"))
        assert await pair.until(lambda: encounters(pair) == 1, 30 * MINUTES)
        assert await pair.until(lambda: not states(pair) and not pair.waiting(HIT), 30 * MINUTES, HIT), pair.waiting(HIT)
        assert world.machines[0].starts == 1, "without a restart"

    lived(story)
