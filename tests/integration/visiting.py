"""The console as people visit it: served from a configuration, with users of each role, and a browser of few words."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from daemon.config import load, without_secrets
from daemon.console.app import ROUTES, serving
from daemon.console.asked import Console
from daemon.console.passwords import HASHER
from daemon.demo.embedded import EmbeddedPostgres, free_port
from daemon.sandbox.clinic import Clinic
from daemon.tables import access, accounts
from daemon.vendors.sections import SECTIONS
from events.codec import Keyring
from events.ids import PatientKey
from events.store import Store
from tests.conftest import PRACTICE, TEMPLATE
from tests.integration.recorder_driver import RecorderDriver, insured
from tests.integration.scripted import CHART, PATIENT, THERE, bodies
from tests.unit.records import ADA_THERE, BLUE

PASSWORD = "four words nobody says"
KEPT = HASHER.hash(PASSWORD)
ADA = PatientKey(f"K:{ADA_THERE.id}")
SCRIPTED = PatientKey(f"K:{THERE}")
ROLES = ("viewer", "front-desk", "biller", "operator", "auditor", "admin")
TOKEN = re.compile(r'name="token" value="([0-9a-f]+)"')
ONCE = re.compile(r'name="once" value="([\w-]+)"')


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    headers: Mapping[str, str]
    path: str

    @property
    def goes_to(self) -> str:
        return self.headers.get("Location", "")


@dataclass
class Browser:
    """Keeps cookies as a browser does on loopback, follows nothing by itself, and remembers the last page's form token."""

    url: str
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, data: object = None, **headers: str) -> Answer:
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given = {"Cookie": jar} | self.headers | headers if jar else self.headers | headers
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(method, self.url + path, data=data, headers=given, allow_redirects=False) as response,
        ):  # of a stream the first words are read
            streamed = response.content_type == "text/event-stream" and method == "GET"
            text = (await response.content.readuntil(b"\n\n")).decode() if streamed else await response.text()
            for one in response.headers.getall("Set-Cookie", []):
                for name, morsel in SimpleCookie(one).items():
                    self.cookies[name] = morsel.value
                    if not morsel.value:
                        del self.cookies[name]
            if found := TOKEN.search(text):
                self.token = found[1]
            return Answer(response.status, text, response.headers.copy(), path)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, **headers)

    async def post(self, path: str, fields: Mapping[str, str], *, token: str | None = None, **headers: str) -> Answer:
        return await self.call("POST", path, {"token": self.token if token is None else token, **fields}, **headers)

    async def sign_in(self, name: str, password: str = PASSWORD, code: str = "") -> Answer:
        await self.get("/sign-in")
        return await self.post("/sign-in", {"name": name, "password": password, "code": code})


@dataclass(frozen=True)
class Site:
    console: Console
    url: str

    def browser(self) -> Browser:
        return Browser(self.url)

    async def of(self, name: str) -> Browser:
        """A browser in which this user is signed in."""
        browser = self.browser()
        answer = await browser.sign_in(name)
        assert (answer.status, answer.goes_to) == (303, "/"), answer.text
        await browser.get("/p/elm/help")
        return browser


@asynccontextmanager
async def site(file: Path, **pace: float) -> AsyncIterator[Site]:
    """The console of a configuration, with a user of each role in practice elm, named as the role; `pace` as of `serving`."""
    config = load(file, without_secrets(SECTIONS))
    assert config.console is not None
    async with serving(config, file, **pace) as console:
        for role in ROLES:
            if await accounts.add(console.store.pool, role, KEPT):
                await accounts.set_role(console.store.pool, role, "elm", role, held=True)
        yield Site(console, config.console.url)


NUMBERS = itertools.count(1)


def configured(postgres: EmbeddedPostgres, folder: Path, name: str) -> Path:
    """A configuration with a console on this database. Kafka is away, and so are the vendors."""
    made = Clinic().write_config(
        folder,
        dsn=postgres.dsn(name, "chartwire"),
        bootstrap_servers=f"127.0.0.1:{free_port()}",
        listen="127.0.0.1:8440",
        migrate_dsn=postgres.dsn(name),
        console=(postgres.dsn(name, "console"), f"127.0.0.1:{free_port()}"),
    )
    vendor = r'\1 = "https://vendor.example/"'
    made.write_text(re.sub(r'^(base_url|wsdl|endpoint) = ".*"$', vendor, made.read_text(), flags=re.MULTILINE))
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visited_file(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration of two practices; in elm a linked patient was recorded. Kafka is away, and no vendor's secret is there."""
    folder = tmp_path_factory.mktemp("visited")
    name = f"visited_{next(NUMBERS)}"
    await postgres.create_database(name, template=TEMPLATE)
    made = configured(postgres, folder, name)
    for one in (*folder.glob("*.elation"), *folder.glob("*.kareo*")):
        one.unlink()
    keyring = Keyring.from_directory(folder / "keys")
    store = await Store.open(postgres.dsn(name, "chartwire"), keyring)
    desk = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
    await desk.open()
    await desk.link(there=insured(BLUE))
    await desk.link(CHART, PATIENT)
    await desk.see(*bodies())
    await store.close()
    return made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visited(visited_file: Path) -> AsyncIterator[Site]:
    async with site(visited_file) as opened:
        yield opened


@pytest.fixture
def visited_owner(visited_file: Path) -> str:
    """As the owner of the visited database connects."""
    config = load(visited_file, without_secrets(SECTIONS))
    return config.postgres.migrate_dsn


async def log_of(at: Site, practice: str = "elm") -> list[access.AccessRecord]:
    return await access.last(at.console.store.pool, practice)


def filled(at: Site, path: str, practice: str = "elm", patient: PatientKey = ADA) -> str:
    """A route's path with what its parts can be; a part that nobody has thought of is an error."""
    parts = {"practice": practice, "patient": at.console.handles.of(PRACTICE, patient), "field": "last_name"}
    parts |= {"event": OTHER_EVENT, "name": "console.css", "link": "x" * 43, "standing": "sent"}
    return path.format_map(parts)


def paths(at: Site, method: str) -> list[str]:
    """Every route of this method, with what its parts can be."""
    return [filled(at, one.path) for one in ROUTES if one.method == method]


@asynccontextmanager
async def beside(file: Path, settings: str = "", **pace: float) -> AsyncIterator[Site]:
    """Another console of the same configuration, at a port of its own; `settings` are lines of its section."""
    config = load(file, without_secrets(SECTIONS))
    assert config.console is not None
    port = free_port()
    other = file.with_name(f"{port}.toml")
    text = file.read_text().replace(config.console.listen, f"127.0.0.1:{port}")
    other.write_text(text.replace("[console]\n", f"[console]\n{settings}\n"))
    other.chmod(0o600)
    async with site(other, **pace) as opened:
        yield opened


@asynccontextmanager
async def waits(owner_dsn: str, rows: list[tuple[str, str, str, str]]) -> AsyncIterator[None]:
    """These items (practice, patient, slot, code) wait within the context."""
    owner = await asyncpg.connect(owner_dsn)
    await owner.executemany(
        "INSERT INTO chartwire.waiting (practice, patient_key, slot, code, since) VALUES ($1, $2, $3, $4, now())", rows
    )
    try:
        yield
    finally:
        await owner.executemany("DELETE FROM chartwire.waiting WHERE slot = $1", [(slot,) for _, _, slot, _ in rows])
        await owner.close()


OTHER_EVENT = "00000000-0000-0000-0000-000000000000"
