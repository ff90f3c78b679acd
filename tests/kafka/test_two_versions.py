"""An upgrade under load, there and back: workers of the older version's wheel and of this checkout in one group, on one database.

The older wheel is built from the repository's history and installed in an environment of its own (tests/stored/older.py).
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from daemon.demo.embedded import EmbeddedPostgres
from daemon.operator.finishing import OlderOwners, finish
from events.formats import FORMAT
from events.migrate import migrate
from tests.kafka.conftest import Kafka
from tests.kafka.process import HERE, Installed
from tests.kafka.world import World, world
from tests.stored.older import OLDER, ROOT, TAKE, installed
from tests.stored.test_upgrade import ROWS

DATABASE = "two_versions"
PRACTICES = 18
SHARED_SECONDS = 300.0
"""For a worker to start and to be given its share, on a slow machine."""

MIGRATE = "import asyncio, sys; from events.migrate import migrate; print(asyncio.run(migrate(sys.argv[1])))"
CALL = "import sys; from daemon.__main__ import main; sys.exit(main(sys.argv[1:]))"
OF_TODAY = ("I7",)
"""What this version makes of the events is not what an older one has: it leaves out what it does not know, until the next owner of this
version has made it anew."""

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.nightly, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The older version, installed from its wheel; it finds none of this checkout's code."""
    folder = tmp_path_factory.mktemp("older")
    python = installed(OLDER, folder)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    found = Installed(python, elsewhere)
    where = said(found, "import daemon, events; print(daemon.__file__, events.__file__)")
    assert all(one.startswith(str(folder / "env")) for one in where.split())
    return found


def said(version: Installed, script: str, *arguments: str) -> str:
    """What a script says in a version."""
    command = [str(version.python), "-c", script, *arguments]
    done = subprocess.run(command, cwd=version.folder, env=version.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def there(
    older: Installed, tmp_path_factory: pytest.TempPathFactory, postgres: EmbeddedPostgres, kafka: Kafka
) -> AsyncIterator[World]:
    """Three workers of the older version on a database that it has made."""
    owner = await postgres.create_database(DATABASE)
    said(older, MIGRATE, owner)
    async with world(tmp_path_factory.mktemp("world"), postgres, DATABASE, kafka, practices=PRACTICES) as one:
        for worker in one.workers:
            worker.version = older
            await worker.start()
        await one.shared(least=0, seconds=SHARED_SECONDS)
        yield one


async def become(there: World, version: Installed) -> None:
    """One worker after the other, as deploy/UPGRADE.md says."""
    for worker in there.workers:
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
        worker.version = version
        await worker.start()
        await there.shared(least=0, seconds=SHARED_SECONDS)
    assert {worker.version for worker in there.workers} == {version}


async def test_the_older_version_stores_otherwise_than_this_one(older: Installed) -> None:
    """By its own code, with the same question."""
    script = (ROOT / "tests" / "stored" / "shape.py").read_text()
    shapes = [shape for _, shape, _ in ROWS.findall((ROOT / "deploy" / "UPGRADE.md").read_text())]
    assert [said(HERE, script), said(older, script)] == shapes


async def test_up_and_down_again_under_load_until_it_is_finished(there: World, older: Installed, kafka: Kafka) -> None:
    owner = there.postgres.dsn(DATABASE)
    async with there.load():
        assert await migrate(owner), "there is something to migrate"
        await there.until(
            lambda: said_something(there), 60, lambda: "the older workers stand still on the migrated database"
        )
    await there.at_rest()
    async with there.load():
        await become(there, HERE)
    await there.at_rest()
    async with there.load():
        await become(there, older)
    await there.at_rest(but=OF_TODAY)
    await proved(there, older)
    connection = await asyncpg.connect(owner)
    try:
        with pytest.raises(OlderOwners):
            await finished(there, connection)
        async with there.load():
            await become(there, HERE)
            await finished(there, connection)
        await there.store.load_keys()
        await there.at_rest()
        await refused(there, older)
    finally:
        await connection.close()


async def proved(there: World, older: Installed) -> None:
    """The older version finds its projections equal to the events, all of them, and no event changed."""
    config = there.workers[0].config
    for office in there.clinic.offices:
        for command in (("replay", office.id, "--verify"), ("audit", "verify", office.id)):
            await asyncio.to_thread(said, older, CALL, *command, "--config", str(config))


async def said_something(there: World) -> bool:
    """Whether every practice has recorded something since the last migration was applied, and no worker has failed at recording."""
    failed = [one for worker in there.workers for one in worker.said("recording_failed")]
    assert failed == []
    rows = await there.store.pool.fetch(
        "SELECT practice FROM chartwire.event GROUP BY practice"
        " HAVING max(recorded_at) > (SELECT max(applied_at) FROM chartwire.schema_migration)"
    )
    return len(rows) > PRACTICES // 2


async def finished(there: World, connection: asyncpg.Connection) -> None:
    keyring = there.store.keyring
    problems = [one.problem async for one in finish(connection, [office.id for office in there.clinic.offices], keyring)]
    assert set(problems) == {""}


async def refused(there: World, older: Installed) -> None:
    """An older worker that starts now gets no practice, and the database says why; the others keep theirs."""
    late = there.workers[0]
    late.send(signal.SIGTERM)
    assert await late.ended() == 0
    taken = len(late.said("practice_taken"))
    late.version = older
    await late.start()
    await there.until(lambda: late.said("practice_not_taken"), 120, lambda: "nobody said that a practice was not taken")
    assert {one["error_type"] for one in late.said("practice_not_taken")} == {"InsufficientPrivilegeError"}
    assert len(late.said("practice_taken")) == taken
    sentence = f"since chartwire migrate --finish this database takes workers of format {FORMAT} or newer, and this one has format 1"
    practice, keys = there.clinic.offices[0].id, there.workers[0].log.parent / "keys"
    assert await asyncio.to_thread(said, older, TAKE, there.config.postgres.dsn, str(keys), practice) == sentence
    late.send(signal.SIGTERM)
    assert await late.ended() == 0
    late.version = HERE
    await late.start()
    await there.shared(least=0, seconds=SHARED_SECONDS)
    await there.at_rest()
