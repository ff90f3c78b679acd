"""Settings as people see them: every key of the configuration, its value, where it comes from; never a secret; and what people have set."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from daemon.__main__ import main
from daemon.config import keys_given, load
from daemon.demo.embedded import EmbeddedPostgres
from daemon.operator.settings import Setting, address_alone, host_alone, settings_of, without_password
from daemon.sections import Section
from daemon.vendors.registry import SECTIONS
from events.commands import HoldRequested, KeepOutRequested, MapRequested
from events.ids import Charts
from events.maps import MapKind
from events.writes import Resource
from tests.conftest import PRACTICE
from tests.integration.place import Make, Place, recording
from tests.integration.recorder_driver import ask
from tests.integration.visiting import Site, site
from tests.unit.records import ADA, GREY, KAREO_LOCUM

SECRETS = ("hunter2", "secret-elm", "password-elm", "T0KEN")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recorded(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, int]:
    async with recording(postgres, tmp_path_factory, "settings") as (desk, name, folder):
        await desk.link()
        for body, charts in (
            (HoldRequested(who="ann", reason="an audit", resource=Resource.BILL), Charts()),
            (MapRequested(kind=MapKind.PROVIDER, id=GREY, to=str(KAREO_LOCUM), who="ben", reason="she left"), Charts()),
            (KeepOutRequested(who="cleo", reason="a test"), Charts(ehr=ADA.id)),
        ):
            assert await ask(desk, body, charts) == ""
    return name, folder, 0


@pytest.fixture
def at(place: Make, postgres: EmbeddedPostgres, recorded: tuple[str, Path, int]) -> Place:
    made = place(postgres.dsn(recorded[0], "chartwire"))
    text = made.config.read_text()
    text = text.replace("[postgres]\n", "[postgres]\npool = 8\n").replace("chartwire@", "chartwire:hunter2@")
    (made.folder / "hook").write_text("T0KEN\n")
    (made.folder / "hook").chmod(0o600)
    notify = '[notify]\nwebhook = "https://u:hunter2@chat.example/T0KEN?x=T0KEN"\nwebhook_secret_file = "hook"\n'
    rules = "[practice.maps.providers]\n7 = 501\n"
    made.config.write_text(notify + text.replace("[practice.elation]", f"{rules}[practice.elation]", 1))
    made.config.chmod(0o600)
    return made


@pytest_asyncio.fixture
async def opened(at: Place) -> AsyncIterator[Site]:
    async with site(at.config) as found:
        yield found


def found_in(at: Place) -> dict[str, Setting]:
    config = load(at.config, SECTIONS)
    practice = next(one for one in config.practice if one.id == PRACTICE)
    settings = settings_of(config, practice, keys_given(at.config), at.folder)
    return {one.key: one for one in (*settings.practice, *settings.daemon)}


def leaves(value: Any, key: str) -> Iterator[str]:
    """The keys of every value of a configuration, found another way: through its plain form."""
    if isinstance(value, Section):
        for name in value.__struct_fields__:
            yield from leaves(getattr(value, name), f"{key}.{name}" if key else name)
    else:
        yield key


def test_no_setting_is_left_out(at: Place) -> None:
    config, found = load(at.config, SECTIONS), found_in(at)
    keys = set(leaves(msgspec.structs.replace(config, practice=()), "")) - {"practice"}
    practice = set(leaves(config.practice[0], "practice[1]"))
    practice = {one.replace(".ehr.", ".elation.").replace(".billing.", ".kareo.") for one in practice}
    shown = {key.partition("[")[0] if not key.startswith("practice[") else key for key in found}
    missing = {one for one in keys | practice if not any(key == one or key.startswith(f"{one}.") for key in shown)}
    assert missing == set()
    assert not [key for key in found if key.startswith("practice[2]")], "another practice is nobody's business here"


def test_each_says_where_it_comes_from(at: Place) -> None:
    found = found_in(at)
    told = {key: (one.value, one.source.value) for key, one in found.items()}
    assert told["postgres.pool"] == ("8", "file"), "what the file says is the file's, also where it is the default"
    assert told["kafka.feed"] == ("yes", "default")
    assert told["practice[1].maps.providers.7"] == ("501", "file")
    assert told["practice[1].maps.default_physician"] == ("none", "default")
    assert told["practice[1].overrides.insurance"] == ("kareo->elation", "profile")
    assert told["practice[1].overrides.preference"] == ("kareo", "profile")
    assert told["practice[1].overrides.case_name"] == ("Primary", "default")
    assert found["practice[1].elation.client_secret_file"].more == "the file is there"
    config = load(at.config, SECTIONS)
    (at.folder / "elm.elation").unlink()
    settings = settings_of(config, config.practice[0], keys_given(at.config), at.folder)
    (secret,) = [one for one in settings.practice if one.key.endswith(".client_secret_file")]
    assert secret.more == "the file is not there, or not for this process"


@pytest.mark.parametrize(
    ("dsn", "shown"),
    [
        ("postgresql://a:hunter2@db.example:5433/c?sslmode=require", "postgresql://a@db.example:5433/c?sslmode=require"),
        ("postgresql://db/c?user=a&password=hunter2&sslkey=x", "postgresql://db/c?user=a"),
        ("host=db password=hunter2", "not shown"),
        ("postgresql://[::1/c", "not shown"),
    ],
)
def test_of_a_database_no_password_is_shown(dsn: str, shown: str) -> None:
    assert without_password(dsn) == shown


def test_of_an_address_nothing_is_shown_that_lets_somebody_in() -> None:
    assert address_alone("https://u:hunter2@x.example:8/a/b?k=T0KEN#y") == "https://x.example:8/a/b"
    assert host_alone("https://u:hunter2@x.example/T0KEN") == "https://x.example/..."
    assert address_alone("https://[x") == host_alone("https://[x") == "not shown"


def test_the_command_says_all_of_it_and_no_secret(at: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", str(PRACTICE), "--json", "--config", str(at.config)]) == 0
    out = capsys.readouterr().out
    told = [json.loads(line) for line in out.splitlines()]
    assert {one["key"] for one in told} > set(found_in(at))
    by = {one["who"]: (one["key"], one["value"], one.get("more", "")) for one in told if "who" in one}
    assert by["ann"] == ("hold", "bill writes", "an audit")
    assert by["ben"] == ("map", "Elation provider 11: Kareo provider 509", "she left")
    assert by["cleo"][1] == "1 patient is kept out"
    assert not [one for one in SECRETS if one in out]
    assert main(["settings", str(PRACTICE), "--set", "--config", str(at.config)]) == 0
    text = capsys.readouterr().out
    assert "hold = bill writes (an audit)  [ann since " in text
    assert "kafka.feed" not in text


@pytest.mark.parametrize("role", ["viewer", "front-desk", "operator", "admin"])
async def test_the_page_shows_to_each_what_is_theirs(opened: Site, role: str) -> None:
    page = await (await opened.of(role)).get("/p/elm/settings")
    assert page.status == 200
    assert "practice[1].time_zone" in page.text
    assert ("postgres.dsn" in page.text) is (role in ("operator", "admin"))
    assert ("she left" in page.text) is (role in ("front-desk", "operator"))
    assert ('href="/p/elm/maps"' in page.text) is (role in ("front-desk", "operator"))
    assert not [one for one in SECRETS if one in page.text]
