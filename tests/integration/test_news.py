"""Live updates: a stream tells how far a practice has come and nothing else, ends with its session, and is one of a bounded number."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from daemon.console.guard import HEADERS
from daemon.console.news import MOST_OF_SESSION, News, NoRoom, Stream
from daemon.tables import accounts
from tests.conftest import PRACTICE, until
from tests.integration.visiting import ADA, KEPT, Browser, Site, beside

pytestmark = pytest.mark.asyncio(loop_scope="module")
STATIC = Path(__file__).parents[2] / "daemon" / "console" / "static"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at(visited_file: Path) -> AsyncIterator[Site]:
    """A console that looks for news all the time."""
    async with beside(visited_file) as opened:
        opened.console.news.look_seconds = 0.05
        yield opened


@dataclass
class Listening:
    """An open stream."""

    response: aiohttp.ClientResponse

    async def next(self) -> str:
        """The next event that says something."""
        async with asyncio.timeout(10):
            while True:
                text = (await self.response.content.readuntil(b"\n\n")).decode().strip()
                if text.startswith("event:"):
                    return text

    async def over(self) -> bool:
        """Whether the stream ends."""
        async with asyncio.timeout(10):
            return await self.response.content.read() == b""


@asynccontextmanager
async def listening(browser: Browser, practice: str = "elm") -> AsyncIterator[Listening]:
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.get(f"{browser.url}/p/{practice}/news", headers=headers, allow_redirects=False) as response,
    ):
        yield Listening(response)


async def moved(owner_dsn: str) -> int:
    """The practice has come on by one event, as far as its head says."""
    owner = await asyncpg.connect(owner_dsn)
    await owner.execute("ALTER TABLE chartwire.practice_head DISABLE TRIGGER USER")
    found = await owner.fetchval(
        "UPDATE chartwire.practice_head SET sequence = sequence + 1 WHERE practice = 'elm' RETURNING sequence"
    )
    await owner.execute("ALTER TABLE chartwire.practice_head ENABLE TRIGGER USER")
    await owner.close()
    return int(found)


async def test_a_stream_says_how_far_its_practice_has_come_and_nothing_else(at: Site, visited_owner: str) -> None:
    browser = await at.of("viewer")
    async with listening(browser) as stream:
        assert stream.response.status == 200
        assert stream.response.content_type == "text/event-stream"
        assert {name: stream.response.headers[name] for name in HEADERS} == HEADERS
        head = await at.console.store.head(PRACTICE)
        assert await stream.next() == f"event: head\ndata: {head}"
        head = await moved(visited_owner)
        assert await stream.next() == f"event: head\ndata: {head}"


@pytest.mark.parametrize("how", ["signed out", "disabled", "another role", "idle", "over"])
async def test_a_stream_ends_with_its_session(at: Site, visited_owner: str, how: str) -> None:
    pool, name = at.console.store.pool, f"listener-{how.replace(' ', '-')}"
    await accounts.add(pool, name, KEPT)
    await accounts.set_role(pool, name, "elm", "viewer", held=True)
    browser, other = await at.of(name), await at.of("viewer")
    async with listening(browser) as stream, listening(other) as beside_it:
        await stream.next()
        await beside_it.next()
        if how == "signed out":
            await browser.post("/sign-out", {})
        elif how == "disabled":
            await accounts.set_disabled(pool, name, disabled=True)
        elif how == "another role":
            await accounts.set_role(pool, name, "oak", "viewer", held=True)
        else:
            column = "seen_at" if how == "idle" else "ends_at"
            owner = await asyncpg.connect(visited_owner)
            await owner.execute(
                f"UPDATE chartwire_console.session SET {column} = {column} - interval '13 h' WHERE name = $1", name
            )
            await owner.close()
        assert await stream.next() == "event: ended\ndata:"
        assert await stream.over()
        head = await moved(visited_owner)
        assert await beside_it.next() == f"event: head\ndata: {head}", "another's stays"


async def test_looking_for_news_keeps_no_session_from_growing_idle(at: Site, visited_owner: str) -> None:
    browser = await at.of("viewer")
    owner = await asyncpg.connect(visited_owner)
    await owner.execute("UPDATE chartwire_console.session SET seen_at = seen_at - interval '20 min' WHERE name = 'viewer'")

    async def idle() -> float:
        found = await accounts.session(at.console.store.pool, browser.cookies["chartwire_session"])
        assert found is not None
        return found.idle

    async with listening(browser) as stream:
        await stream.next()
    assert (await browser.get("/p/elm", **{"X-Live": "1"})).status == 200
    assert await idle() > 1000
    assert (await browser.get("/p/elm")).status == 200
    assert await idle() < 1000
    await owner.close()


async def test_streams_are_bounded_by_session_and_by_process(at: Site) -> None:
    browser, other = await at.of("viewer"), await at.of("operator")
    news = at.console.news
    streams = [listening(browser) for _ in range(MOST_OF_SESSION)]
    for one in streams:
        assert (await one.__aenter__()).response.status == 200
    assert (await browser.get("/p/elm/news")).status == 204
    assert (await browser.get("/p/elm")).status == 200, "the page works without"
    async with listening(other) as stream:
        assert stream.response.status == 200
    for one in streams:
        await one.__aexit__(None, None, None)
    news.most = 0
    try:
        assert (await other.get("/p/elm/news")).status == 204
    finally:
        news.most = 256


async def test_a_page_that_was_closed_leaves_its_room(at: Site, visited_owner: str) -> None:
    browser = await at.of("auditor")
    for _ in range(MOST_OF_SESSION + 2):
        async with listening(browser) as stream:
            await stream.next()
        await moved(visited_owner)

        async def left() -> bool:
            return len(at.console.news._streams) < MOST_OF_SESSION

        await until(left, 30)


async def test_a_stream_is_refused_as_its_page_is(at: Site) -> None:
    nobody, viewer = at.browser(), await at.of("viewer")
    assert (await nobody.get("/p/elm/news")).goes_to == "/sign-in"
    assert (await viewer.get("/p/oak/news")).status == 404


async def test_stopping_the_console_ends_its_streams(visited_file: Path) -> None:
    async with beside(visited_file) as opened:
        context = listening(await opened.of("viewer"))
        stream = await context.__aenter__()
        assert (await stream.response.content.readuntil(b"\n\n")).startswith(b"retry:")
    async with asyncio.timeout(10):
        rest = await stream.response.content.read()
    assert rest.endswith(b"event: ended\ndata: \n\n")
    await context.__aexit__(None, None, None)


async def test_a_quiet_stream_beats_and_heads_that_nobody_read_are_one(at: Site) -> None:
    stream = Stream(PRACTICE, b"", beat_seconds=0.01)
    texts = stream.texts()
    assert await anext(texts) == b": \n\n"
    for head in (3, 3, 4, 5):
        stream.tell(head)
    assert await anext(texts) == b"event: head\ndata: 5\n\n"
    assert await anext(texts) == b": \n\n"
    stream.end()
    assert await anext(texts) == b"event: ended\ndata: \n\n"
    assert [one async for one in texts] == []
    news = News(at.console.store.pool, 60)
    news.most = 1
    news.join(PRACTICE, "one")
    with pytest.raises(NoRoom):
        news.join(PRACTICE, "another")


async def test_the_script_is_small_ours_alone_and_names_no_other_place(at: Site) -> None:
    text = (STATIC / "console.js").read_text()
    assert len(text.splitlines()) <= 200
    assert "http:" not in text
    assert "https:" not in text
    assert not {"eval(", "innerHTML", "document.write"} & {
        one for one in ("eval(", "innerHTML", "document.write") if one in text
    }
    assert [one.name for one in STATIC.iterdir() if one.suffix == ".js"] == ["console.js"]
    answer = await at.browser().get("/static/console.js")
    assert (answer.status, answer.text) == (200, text)
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"


async def test_pages_that_show_patients_are_never_made_anew_by_themselves(at: Site) -> None:
    """Each time one is shown it is recorded: somebody has to want it."""
    browser = await at.of("operator")
    for path, live in (("/p/elm", "replace"), ("/p/elm/work", "tell")):
        page = (await browser.get(path)).text
        assert f'data-live="{live}" data-news="/p/elm/news" data-at="{await at.console.store.head(PRACTICE)}"' in page
    patient = await browser.get(f"/p/elm/patient/{at.console.handles.of(PRACTICE, ADA)}")
    assert "data-live" not in patient.text
