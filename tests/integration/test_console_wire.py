"""What comes in over the wire as no browser sends it: headers with line ends, paths that climb, too much, and too slowly."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from daemon.console.guard import BODY_BYTES, HEADERS
from daemon.tables import access
from tests.conftest import PRACTICE
from tests.integration.visiting import Browser, Site, beside

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Wire:
    """The console, byte by byte; it waits half a second for a head and a fifth for a form."""

    site: Site

    @property
    def host(self) -> str:
        return urlsplit(self.site.url).netloc

    async def say(self, sent: bytes) -> bytes:
        """All that is answered until the connection is closed."""
        name, _, port = self.host.partition(":")
        reader, writer = await asyncio.open_connection(name, int(port))
        writer.write(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        return answer

    async def get(self, path: bytes, *lines: bytes) -> bytes:
        head = b"GET " + path + b" HTTP/1.1\r\nHost: " + self.host.encode() + b"\r\nConnection: close\r\n"
        return await self.say(head + b"".join(one + b"\r\n" for one in lines) + b"\r\n")

    def form(self, browser: Browser, length: str, body: bytes) -> bytes:
        """A form of a signed-in user, whose length is as it claims."""
        jar = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        head = (
            f"POST /p/elm/find HTTP/1.1\r\nHost: {self.host}\r\nCookie: {jar}\r\nConnection: close\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\n{length}\r\n\r\n"
        )
        return head.encode() + body

    async def last(self, practice: str = access.NOWHERE) -> access.AccessRecord:
        """The last record of a practice's log, or of what was asked for outside of all of them."""
        (found,) = await access.last(self.site.console.store.pool, practice, most=1)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wire(visited_file: Path) -> AsyncIterator[Wire]:
    async with beside(visited_file, head_seconds=0.5, body_seconds=0.2) as opened:
        yield Wire(opened)


CLIMBING = (
    b"/static/../app.py", b"/static/..%2f..%2fapp.py", b"/static/%2e%2e/app.py", b"/static//etc/passwd", b"/static/console.css%00",
    b"/p/elm/../oak", b"/p/elm/%2e%2e/oak", b"//evil.example/", b"/p/elm%0d%0aX-Planted:%201", b"/%0d%0aX-Planted:%201",
    b"/p/elm/patient/%00", b"/p/elm?x=%0d%0aX-Planted:%201", b"/p/" + b"e" * 3000,
)  # fmt: skip


@pytest.mark.parametrize("path", CLIMBING)
async def test_a_path_leads_nowhere_but_where_a_route_is(wire: Wire, path: bytes) -> None:
    answer = await wire.get(path)
    status = answer.split(b"\r\n")[0].split(b" ")[1]
    assert status in (b"303", b"400", b"404"), answer
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"x-planted" not in head
    if status == b"303":
        assert b"\r\nlocation: /sign-in\r\n" in head
    assert b"import" not in answer


@pytest.mark.parametrize(
    "line",
    [
        b"Cookie: chartwire_session=a\rX-Planted: 1",
        b"X-Forwarded-For: 1\x00",
        b"Cookie: chartwire_session=\xff\xfe; chartwire_form=" + b"x" * 43,
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Host: evil.example",
        b"No colon",
        b"Cookie: " + b"x" * 20_000,
    ],
)
async def test_a_header_that_is_none_plants_nothing(wire: Wire, line: bytes) -> None:
    answer = await wire.get(b"/sign-in", line)
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert b"x-planted" not in head
    assert answer.split(b" ")[1] in (b"200", b"400", b"404"), answer
    assert b"Traceback" not in answer


async def test_a_forwarded_address_is_taken_from_nobody(wire: Wire) -> None:
    browser = wire.site.browser()
    browser.headers["X-Forwarded-For"] = "203.0.113.9"
    await browser.sign_in("nobody-here")
    assert (await wire.last()).address == "127.0.0.1"


async def test_a_redirect_never_leads_away(wire: Wire) -> None:
    for path in (b"/", b"/p/elm", b"/p/elm?next=https://evil.example", b"/sign-in?next=//evil.example"):
        answer = await wire.get(path, b"Referer: https://evil.example/", b"X-Forwarded-Host: evil.example")
        assert b"evil.example" not in answer


@pytest.mark.parametrize(
    "sent", [b"", b"GET /sign-in", b"GET /sign-in HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "a word", "half a head"]
)
async def test_who_sends_no_whole_head_is_cut_off(wire: Wire, sent: bytes) -> None:
    assert await wire.say(sent) == b""


async def test_a_form_that_does_not_come_is_refused_and_recorded(wire: Wire) -> None:
    browser = await wire.site.of("operator")
    answer = await wire.say(wire.form(browser, "Content-Length: 500", b"token="))
    assert answer.startswith(b"HTTP/1.1 400")
    last = await wire.last(PRACTICE)
    assert (last.who, last.what, last.detail) == ("operator", "refused", "POST /p/{practice}/find: 400")


@pytest.mark.parametrize(
    "length", [f"Content-Length: {BODY_BYTES + 2}", "Transfer-Encoding: chunked"], ids=["told", "not told"]
)
async def test_a_form_that_is_too_long_is_refused_and_recorded(wire: Wire, length: str) -> None:
    browser = await wire.site.of("operator")
    body = b"x" * (BODY_BYTES + 2)
    if "chunked" in length:
        body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    answer = await wire.say(wire.form(browser, length, body))
    assert answer.startswith(b"HTTP/1.1 413")
    last = await wire.last(PRACTICE)
    assert (last.who, last.what, last.detail) == ("operator", "refused", "POST /p/{practice}/find: 413")


async def test_other_methods_are_refused_with_the_same_headers(wire: Wire) -> None:
    browser = await wire.site.of("operator")
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
        answer = await browser.call(method, "/p/elm/deed")
        assert answer.status in (400, 405), method
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        if answer.status == 405:
            assert (await wire.last()).detail == "other no page: 405"
    assert not re.search("Python|aiohttp", answer.headers["Server"])
