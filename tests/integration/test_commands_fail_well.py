"""Every command, whatever is wrong with PostgreSQL, its rights or the keys, says it in one line that says what to do."""

from __future__ import annotations

import asyncio
import re
import socket
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import web

from daemon.__main__ import main
from daemon.cli.commands import COMMANDS
from daemon.cli.failures import failure
from daemon.demo.embedded import EmbeddedPostgres
from daemon.runtime.listening import NotListening, Site
from events.codec import Keyring
from tests.conftest import PRACTICE, TEMPLATE
from tests.integration.place import CHART, NUMBERS, Make, Place
from tests.unit.records import ADA_THERE


def looking(at: Place) -> dict[str, list[str]]:
    """A call of each command that looks into the database."""
    chart, elm, of = CHART, str(PRACTICE), str(at.folder)
    return {
        "history": ["history", elm, chart],
        "history --html": ["history", elm, chart, "--html"],
        "status": ["status"],
        "explain INTENT": ["explain", elm, f"#{at.request}"],
        "explain FIELD": ["explain", elm, chart, "last_name"],
        "replay": ["replay", elm],
        "replay --verify": ["replay", elm, "--verify"],
        "replay --chart": ["replay", elm, "--chart", chart],
        "replay --rebuild": ["replay", elm, "--rebuild"],
        "recover": ["recover", elm],
        "audit verify": ["audit", "verify"],
        "audit checkpoint": ["audit", "checkpoint", "--out", f"{of}/checkpoint"],
        "export": ["export", elm, "--out", f"{of}/archive", "--passphrase-file", f"{of}/passphrase"],
        "what-if": ["what-if", elm, "--policy", f"{of}/other.toml"],
        "onboard": ["onboard", elm],
        "waiting": ["waiting"],
        "resync": ["resync", elm, chart],
        "retry": ["retry", elm, chart],
        "resend": ["resend", elm, "1"],
        "release-bill": ["release-bill", elm, "1"],
        "remove-policy": ["remove-policy", elm, chart, "1"],
        "link": ["link", elm, "elation:101", chart, "--yes"],
        "unlink": ["unlink", elm, chart],
        "redrive": ["redrive", elm],
        "maps": ["maps", elm],
        "settings": ["settings", elm],
        "search-history": ["search-history", elm],
        "duplicates": ["duplicates", elm],
        "balance": ["balance", elm, "--month", "2026-03", "--recorded"],
        "move-link": ["move-link", elm, chart, "kareo:902", "--yes"],
    }


def asking(at: Place) -> dict[str, list[str]]:
    """A call of each command that needs Kafka, or every server, before the database."""
    elm, of = str(PRACTICE), str(at.folder)
    return {
        "dismiss": ["dismiss", elm, CHART, "demographics:kareo", "--reason", "so"],
        "seen": ["seen", elm, CHART],
        "listen": ["listen"],
        "verify": ["verify", elm],
        "check-config": ["check-config"],
        "run": ["run"],
        "migrate": ["migrate"],
        "rules": ["rules"],
        "match": ["match", f"{of}/a.csv", f"{of}/a.csv"],
        "new-key": ["new-key", elm],
        "user": ["user", "list"],
        "console": ["console"],
        "doctor": ["doctor"],
        "apart": ["apart", elm, "elation:101", "elation:102"],
        "hold": ["hold", elm, "--reason", "so"],
        "release": ["release", elm],
        "map": ["map", elm, "provider", "11", "509", "--yes"],
        "keep-out": ["keep-out", elm, CHART, "--reason", "so"],
    }


def owning(at: Place) -> dict[str, list[str]]:
    """A call of each command that needs the schema's owner."""
    elm = str(PRACTICE)
    return {
        "rotate-key": ["rotate-key", elm],
        "shred": ["shred", elm, "--receipt", f"{at.folder}/receipt.json", "--confirm", elm],
    }


WITHOUT_CONFIG = {"rules", "match"}
FINDS = {"doctor"}
"""Tells as findings what others end with (tests/acceptance/test_operator_doctor_servers.py)."""

ENDLESS = {"demo", "sandbox"}
"""They bring their own servers, and run until they are ended."""
SEVERAL_LINES = {"check-config", "run"}
"""They tell everything that is wrong, a line each."""
NEITHER = {"rules", "match", "new-key"}
REPORTS = {"doctor"}
"""What is wrong is its answer: it stands on stdout."""


def test_b8_every_command_is_tried(tmp_path: Path) -> None:
    at = Place(tmp_path, 1)
    assert {one[0] for one in (looking(at) | asking(at) | owning(at)).values()} | ENDLESS | FINDS == {
        name for names in COMMANDS.values() for name in names
    }


def run(at: Place, command: list[str]) -> int:
    return main([*command, *([] if command[0] in WITHOUT_CONFIG else ["--config", str(at.config)])])


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """What stands on stderr, checked: no traceback, and nothing of the patient."""
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert ADA_THERE.last_name not in err
    return err


LOOKING, ASKING = sorted(looking(Place(Path(), 1))), sorted(asking(Place(Path(), 1)))


@pytest.mark.parametrize("name", LOOKING)
def test_b8_postgresql_down_is_one_line_with_its_place_and_exit_code_3(
    place: Make, nobody: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at = place(f"postgresql://chartwire:secret@{nobody}/chartwire")
    assert run(at, looking(at)[name]) == 3
    (line,) = told(capsys).splitlines()
    assert line.startswith(f"postgres.dsn: PostgreSQL at {nobody}, database chartwire cannot be reached")
    assert "secret" not in line


@pytest.mark.parametrize("name", ["rotate-key", "shred"])
def test_b8_the_owner_s_commands_say_in_one_line_what_is_wrong_with_the_database(
    place: Make, postgres: EmbeddedPostgres, empty: str, guest: str, nobody: str, name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    at = place(f"postgresql://owner@{nobody}/chartwire")
    assert run(at, owning(at)[name]) == 3
    (line,) = told(capsys).splitlines()
    assert nobody in line
    for dsn, said in ((postgres.dsn(empty), "no schema"), (postgres.dsn(TEMPLATE, guest), "postgres.migrate_dsn needs")):
        at.config.write_text(
            re.sub(r'^migrate_dsn = ".*"$', f'migrate_dsn = "{dsn}"', at.config.read_text(), flags=re.MULTILINE)
        )
        (at.folder / "receipt.json").unlink(missing_ok=True)
        assert run(at, owning(at)[name]) == 1
        (line,) = told(capsys).splitlines()
        assert said in line


@pytest.mark.parametrize("name", ASKING)
def test_b8_with_every_server_down_no_command_ends_in_a_traceback(
    place: Make, nobody: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at = place(f"postgresql://chartwire@{nobody}/chartwire")
    code = run(at, asking(at)[name])
    lines = told(capsys).splitlines()
    if name in NEITHER:
        assert (code, lines) == (0, [])
    elif name in REPORTS:
        assert (code, lines) == (1, [])
    elif name in SEVERAL_LINES:
        assert code in (1, 3)
        assert len(lines) > 1
    else:
        assert (code, len(lines)) == (3, 1), lines
        assert nobody in lines[0]


@pytest.mark.parametrize("name", LOOKING)
def test_b8_a_database_without_schema_is_told_to_migrate(
    place: Make, postgres: EmbeddedPostgres, empty: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at = place(postgres.dsn(empty))
    assert run(at, looking(at)[name]) == 1
    (line,) = told(capsys).splitlines()
    assert f"database {empty}" in line
    assert f"`chartwire migrate --config {at.config}`" in line


@pytest.mark.parametrize("name", LOOKING)
def test_b8_a_role_without_rights_is_told_which_grant(
    place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int], guest: str, name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    at = place(postgres.dsn(recorded[0], guest))
    assert run(at, looking(at)[name]) == 1
    (line,) = told(capsys).splitlines()
    assert "permission denied" in line
    assert f"`GRANT chartwire_daemon TO {guest}`" in line


KEYLESS = {"status", "audit verify", "audit checkpoint", "export", "resend", "release-bill"}
"""They look at what is not encrypted: the chain, the heads, the counts, how far records are."""


@pytest.mark.parametrize("damage", ["other", "none", "garbage"])
@pytest.mark.parametrize("name", LOOKING)
def test_b8_another_key_is_told_of(
    place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int], name: str, damage: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    at = place(postgres.dsn(recorded[0], "chartwire"))
    key = at.folder / "keys" / f"{PRACTICE}.1.key"
    key.unlink()
    if damage == "other":
        Keyring.create_key(key.parent, PRACTICE)
    elif damage == "garbage":
        key.write_text("no key")
    code = run(at, looking(at)[name])
    lines = told(capsys).splitlines()
    if name in KEYLESS and damage != "garbage":
        assert code in (0, 1)
        return
    assert (code, len(lines)) == (1, 1), lines
    assert lines[0].startswith("keys.directory: ")


WITH_ID = [one for one in LOOKING if CHART in looking(Place(Path(), 1))[one]] + ["explain INTENT", "resend", "release-bill"]


@pytest.mark.parametrize("number", [str(2**63), "9" * 30, "9" * 5000], ids=["2**63", "30 digits", "5000 digits"])
@pytest.mark.parametrize("name", WITH_ID)
def test_b8_an_id_that_none_can_be_is_told_of(
    place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int], name: str, number: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    at = place(postgres.dsn(recorded[0], "chartwire"))
    command = [f"kareo:{number}" if one == CHART else one for one in looking(at)[name]]
    if CHART not in looking(at)[name]:
        command[-1] = f"#{number}" if name == "explain INTENT" else number
    assert run(at, command) in (1, 2)
    (line,) = told(capsys).splitlines()
    assert re.search("must be|never been seen|no intent", line)


@pytest.mark.parametrize(
    "moment", [str(2**63), "9" * 5000, "tomorrow", "2026-13-01"], ids=["2**63", "5000 digits", "a word", "no month"]
)
def test_b8_a_moment_that_none_can_be_is_told_of(
    place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int], moment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at = place(postgres.dsn(recorded[0], "chartwire"))
    for command in (["history", PRACTICE, CHART, "--as-of", moment], ["replay", PRACTICE, "--as-of", moment]):
        assert run(at, command) == 2
        (line,) = told(capsys).splitlines()
        assert "neither a sequence number nor an ISO time" in line


@pytest.mark.parametrize("name", LOOKING)
def test_the_calls_of_this_file_are_right(
    place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With nothing wrong but Kafka, what only looks succeeds: so the failures above are for the reasons given there."""
    at = place(postgres.dsn(recorded[0], "chartwire"))
    code = run(at, looking(at)[name])
    asks = name in ("resync", "retry", "unlink")
    refused = name in (
        "resend",
        "release-bill",
        "remove-policy",
        "link",
        "move-link",
        "duplicates",
    )  # never seen, linked already, not filled in yet
    assert code == (3 if asks else 1 if refused else 0), capsys.readouterr().err


# -- the databases --------------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def empty(postgres: EmbeddedPostgres) -> str:
    name = f"failing_{next(NUMBERS)}"
    await postgres.create_database(name)
    return name


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guest(postgres: EmbeddedPostgres) -> str:
    """A role that may connect, and nothing more."""
    connection = await asyncpg.connect(postgres.dsn())
    try:
        await connection.execute("CREATE ROLE guest LOGIN")
    finally:
        await connection.close()
    return "guest"


@pytest.fixture
def bare() -> Iterator[EmbeddedPostgres]:
    """A server on which nothing was ever migrated."""
    server = EmbeddedPostgres()
    asyncio.run(server.__aenter__())
    yield server
    asyncio.run(server.__aexit__(None, None, None))


def test_b8_migrate_without_createrole_says_so(
    place: Make, bare: EmbeddedPostgres, capsys: pytest.CaptureFixture[str]
) -> None:
    async def prepare() -> None:
        connection = await asyncpg.connect(bare.dsn())
        try:
            await connection.execute("CREATE ROLE poor LOGIN")
            await connection.execute("CREATE DATABASE theirs OWNER poor")
        finally:
            await connection.close()

    asyncio.run(prepare())
    at = place(bare.dsn("theirs", "poor"))
    assert run(at, ["migrate"]) == 1
    (line,) = told(capsys).splitlines()
    assert "permission denied to create role" in line
    assert "CREATEROLE" in line


def test_b8_migrate_of_a_database_that_is_another_s_says_so(
    place: Make, postgres: EmbeddedPostgres, empty: str, guest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at = place(postgres.dsn(empty, guest))
    assert run(at, ["migrate"]) == 1
    (line,) = told(capsys).splitlines()
    assert f"permission denied for database {empty}" in line
    assert "postgres.migrate_dsn" in line


@pytest.mark.parametrize("command", ["console", "sandbox"])
def test_an_address_that_is_taken_is_no_server_that_is_away(
    place: Make,
    postgres: EmbeddedPostgres,
    recorded: tuple[str, Path, int],
    command: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """asyncio raises the same OSError for both. Who is told that PostgreSQL is away looks in the wrong place."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        at = place(postgres.dsn(recorded[0], "chartwire"))
        at.config.write_text(re.sub(r"(?m)^listen = .*$", f'listen = "127.0.0.1:{port}"', at.config.read_text()))
        code = main(["sandbox", "--elation-port", str(port)]) if command == "sandbox" else run(at, [command])
    *_, line = told(capsys).splitlines()
    assert code == 1
    assert "PostgreSQL" not in line
    assert f"127.0.0.1:{port} cannot be listened at" in line
    assert f"ss -ltnp 'sport = :{port}'" in line
    assert command == "sandbox" or line.startswith("console.listen: ")


async def test_the_workers_own_address_that_is_taken_is_told_by_its_key() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        runner = web.AppRunner(web.Application())
        await runner.setup()
        try:
            with pytest.raises(NotListening) as raised:
                await Site(runner, "127.0.0.1", taken.getsockname()[1]).start()
        finally:
            await runner.cleanup()
    said = failure(ExceptionGroup("worker", [raised.value]), Namespace(command="run", config=None))
    assert (said.code, said.text.partition(": ")[0]) == (1, "http.listen")
    assert "another process does" in said.text


def test_b8_a_role_that_is_not_let_in_and_a_database_that_is_not_there(
    place: Make, postgres: EmbeddedPostgres, capsys: pytest.CaptureFixture[str]
) -> None:
    at = place(postgres.dsn("nowhere", "chartwire"))
    assert run(at, ["history", str(PRACTICE), CHART]) == 1
    (line,) = told(capsys).splitlines()
    assert "database nowhere: there is no such database" in line
    at.config.write_text(at.config.read_text().replace("//chartwire@", "//stranger@"))
    assert run(at, ["history", str(PRACTICE), CHART]) == 1
    (line,) = told(capsys).splitlines()
    assert "role stranger is not let in" in line
