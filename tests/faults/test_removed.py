"""A practice is removed from the configuration while a write of it is under way."""

from __future__ import annotations

from datetime import date

import msgspec

from daemon.sandbox import witness
from tests.faults.pair import HIT, OTHER, Pair, lived
from tests.simulation.network import Call
from tests.simulation.world import EHR

MINUTES = 60.0


def test_a_write_under_way_is_looked_up_when_its_practice_comes_back() -> None:
    """Elation has made the chart and its answer was lost; the practice goes and comes back: the chart is found, not made again."""

    async def story(pair: Pair) -> None:
        world, whole = pair.world, pair.world.config
        (machine,) = world.machines
        made = list[str]()

        def fate(call: Call) -> str:
            if call.method == "POST" and call.url.path.endswith("/patients/"):
                made.append(call.url.path)
                return "unanswered" if len(made) == 1 else ""
            return ""

        before = len(world.links(HIT))
        world.network.hosts[EHR].weather = fate
        office = world.offices[0]
        world.clinic.billing.people.create_patient(
            office.billing,
            "Alma",
            "Wexford",
            cases=[{"name": "Primary", "payer_scenario": "Insurance"}],
            dob=date(1980, 2, 29),
            gender="Female",
            provider_id=office.providers[0],
        )
        assert await pair.until(lambda: bool(made), 30 * MINUTES, HIT)
        alone = msgspec.structs.replace(whole, practice=tuple(one for one in whole.practice if one.id == OTHER))
        assert machine.worker is not None
        assert (await machine.worker.reload(alone, world.keyring)).removed == {HIT}
        assert world.owner(HIT) is None
        assert any(row["state"] != "requested" for row in world.database.rows("open_intent", HIT)), "it is under way"
        city = pair.move(OTHER)
        assert await pair.until(lambda: pair.lives_in(OTHER, city), 5 * MINUTES, OTHER)
        await machine.worker.reload(whole, world.keyring)

        def charts() -> int:
            return len([one for one in world.clinic.ehr.patients.values() if one["caregiver_practice"] == office.ehr])

        assert await pair.until(lambda: before < charts() == len(world.links(HIT)), 30 * MINUTES, HIT)
        assert witness.doubled(world.clinic, office, resting=False) == []
        city = pair.move(HIT)
        assert await pair.until(lambda: pair.lives_in(HIT, city), 30 * MINUTES, HIT)

    lived(story)
