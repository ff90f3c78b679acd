"""What the doctor asks the witness (events/witnessed.py): whether anything outside the database knows how far each practice has come."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from daemon.config import Config
from daemon.findings import Finding, warning
from daemon.runtime.kafka import bus_of
from events.ids import PracticeId
from events.keys import Keyring
from events.store import Store
from events.witnessed import HEADS


async def look_at_witness(config: Config, beside: Path, keyring: Keyring, found: Iterable[Finding]) -> list[Finding]:
    """Practices with events of which Kafka knows nothing: a database that was restored meanwhile would not be noticed.

    `found` is what is known of Kafka: nothing is asked that is away, or of a topic that is not there.
    """
    known_of_kafka = {(one.code, one.key) for one in found}
    if any(code == "kafka-away" for code, _ in known_of_kafka):
        return []
    lost = ("topic-missing", HEADS) in known_of_kafka
    practices = [PracticeId(one.id) for one in config.practice if keyring.has(one.id)]
    store = await Store.open(config.postgres.dsn, keyring, min_size=1, max_size=2)
    bus = bus_of(config, beside, keyring)
    try:
        heads = await store.heads()
        known = {one: None if lost else await bus.heads.last(one) for one in practices if heads.get(one)}
        return [_unwitnessed(one, heads[one]) for one, witnessed in known.items() if witnessed is None]
    except ConnectionError:
        return []
    finally:
        await bus.heads.close()
        await store.close()


def _unwitnessed(practice: PracticeId, sequence: int) -> Finding:
    text = (
        f"the database has its events up to #{sequence}, and Kafka knows nothing of them: Kafka was lost or made anew. Were the database "
        "restored to an earlier state as well, no worker would notice, and what was created since could be created twice"
    )
    repair = (
        f"`chartwire recover {practice}`, before a worker starts, where the database was restored; otherwise nothing: its owner "
        "publishes how far it has come, at the latest ten minutes later"
    )
    return warning("unwitnessed", "kafka.bootstrap_servers", text, repair, practice)
