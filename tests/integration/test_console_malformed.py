"""What no form of ours and no browser sends: other alphabets, zeros, fields twice, origins that are none. Refused and recorded, and no fault."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

import pytest

from daemon.console.guard import HEADERS
from daemon.console.rules import path_of
from daemon.tables import access
from events.commands import HoldRequested
from events.ids import Charts
from events.store import Store
from tests.conftest import PRACTICE
from tests.integration.recorder_driver import RecorderDriver
from tests.integration.test_console_security import routed, stated
from tests.integration.test_console_wire import Wire
from tests.integration.test_duplicates import ask
from tests.integration.visiting import Browser, Site, beside, filled

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORM = "application/x-www-form-urlencoded"


async def refused(at: Site) -> str:
    (last,) = await access.last(at.console.store.pool, PRACTICE, most=1)
    assert last.what == "refused"
    return last.detail


@pytest.mark.parametrize("charset", ["utf-7", "punycode", "unicode_escape", "utf-16", "rot13", "nothing-known"])
async def test_a_form_in_another_alphabet_is_refused(visited: Site, charset: str) -> None:
    """utf-7 hides what it says and makes lone surrogates; punycode takes the square of a form's length."""
    browser = await visited.of("operator")
    body = urlencode({"token": browser.token, "id": "1"})
    answer = await browser.call("POST", "/p/elm/find", body.encode(), **{"Content-Type": f"{FORM}; charset={charset}"})
    assert answer.status == 400
    assert await refused(visited) == "POST /p/{practice}/find: 400"
    plain = await browser.call("POST", "/p/elm/find", body.encode(), **{"Content-Type": f"{FORM}; charset=UTF-8"})
    assert plain.status == 200


@pytest.mark.parametrize("extra", ["id=2", "token=0", "who=a%00b", "%00=1"])
async def test_a_field_twice_or_with_a_zero_is_refused(visited: Site, extra: str) -> None:
    browser = await visited.of("auditor")
    for path in ("/p/elm/find", "/p/elm/audit/search", "/sign-in"):
        body = urlencode({"token": browser.token, "id": "1"})
        answer = await browser.call("POST", path, f"{body}&{extra}".encode(), **{"Content-Type": FORM})
        assert answer.status == 400, path
        assert (await refused(visited)).endswith(": 400")


async def test_a_name_with_a_zero_is_answered_as_any_other_form_that_is_none(visited: Site) -> None:
    assert (await visited.browser().sign_in("vie\0wer")).status == 400


async def test_an_origin_is_ours_as_a_whole(visited: Site) -> None:
    browser = await visited.of("operator")
    host = visited.url.removeprefix("http://")
    for origin in (f"https://{host}", f"ftp://{host}", "http://[", "http://[::1", f"http://{host}@evil.example", ""):
        assert (await browser.post("/p/elm/find", {"id": "1"}, Origin=origin)).status == 400, origin
        assert await refused(visited) == "POST /p/{practice}/find: 400"
    assert (await browser.post("/p/elm/find", {"id": "1"}, Origin=visited.url)).status == 200


STRANGE = (
    "0001-01-01",
    "9999-12-31",
    "%00",
    "%ff",
    "%ED%A0%80",
    "9" * 17,
    "9" * 3000,
    "-1",
    "9999-12-31T23:59",
    "%D9%A3",
    "month",
)
ASKED = (
    "page",
    "as-of",
    "step",
    "on",
    "by",
    "code",
    "for",
    "asked",
    "look",
    "before",
    "patient",
    "provider",
    "state",
    "iss",
)


async def test_nothing_in_an_address_is_a_fault(visited: Site) -> None:
    """Whatever is asked for there is a page, nothing that is there, or said to be misunderstood."""
    who = {role: await visited.of(role) for role in ("operator", "auditor")}
    for one in routed(visited):
        if one.method == "GET" and not path_of(one).endswith("/news"):
            browser = who["operator" if "operator" in stated(one) else "auditor"]
            for strange in STRANGE:
                query = "&".join(f"{name}={strange}" for name in ASKED)
                for path in (
                    f"{filled(visited, path_of(one))}?{query}",
                    f"{filled(visited, path_of(one))}?by=month&on={strange}",
                ):
                    assert (await browser.get(path)).status < 500, path
            for query in ("as-of=never", *(f"step={strange}" for strange in STRANGE)):
                path = f"{filled(visited, path_of(one))}?{query}"
                assert (await browser.get(path)).status < 500, path


TYPED = (
    "first", "last", "born", "phone", "id", "ehr", "billing", "field", "who", "since", "until", "before", "sequence", "chain", "code",
    "count", "slot", "kind", "to", "deed", "bill", "patient", "resource", "system", "one", "other", "source", "target",
)  # fmt: skip
"""What our forms have, but for what only a broker that is there would take."""


@pytest.mark.parametrize(
    "typed", ["9" * 18, "0001-01-01", "12/31/9999", "1/1/1", "9999-12-31T23:59", "\u0663", "x" * 2000, "\ufffd"]
)
async def test_nothing_that_is_typed_is_a_fault(visited: Site, typed: str) -> None:
    who = {role: await visited.of(role) for role in ("operator", "auditor")}
    for one in routed(visited):
        if one.method == "POST" and path_of(one) not in ("/sign-out", "/sign-in", "/enter/{link}"):
            browser = who["operator" if "operator" in stated(one) else "auditor"]
            for name in TYPED:
                answer = await browser.post(filled(visited, path_of(one)), {name: typed, "once": "x" * 22})
                assert answer.status < 500, (path_of(one), name)


async def test_a_day_that_is_none_is_said_to_be_none(visited: Site) -> None:
    browser = await visited.of("operator")
    found = await browser.post("/p/elm/find", {"born": "somewhen"})
    assert (found.status, "birth date is not a day" in found.text) == (200, True)
    page = await browser.get(filled(visited, "/p/{practice}/patient/{patient}") + "?as-of=somewhen")
    assert (page.status, "neither an event" in page.text) == (400, True)


async def test_behind_a_proxy_the_last_line_names_who_asks(visited_file: Path) -> None:
    """A proxy that adds a line of its own leaves the client's before it: tries are counted, and recorded, by what the proxy says."""
    async with beside(visited_file, "behind_proxy = true") as opened:
        wire = Wire(opened)
        browser = Browser(opened.url)
        await browser.get("/sign-in")
        body = urlencode({"token": browser.token, "name": "nobody-here", "password": "x"})
        jar = f"chartwire_form={browser.cookies['chartwire_form']}"
        head = (
            f"POST /sign-in HTTP/1.1\r\nHost: {wire.host}\r\nConnection: close\r\nCookie: {jar}\r\nContent-Type: {FORM}\r\n"
            f"X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 203.0.113.9\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )
        assert (await wire.say(head.encode())).startswith(b"HTTP/1.1 401")
        assert (await wire.last()).address == "203.0.113.9"


async def test_what_the_server_itself_refuses_has_the_headers_too(visited: Site) -> None:
    browser = visited.browser()
    answer = await browser.get("/sign-in", Expect="something else")
    assert answer.status == 417
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    garbage = await Wire(visited).say(b"GARBAGE\r\n\r\n")
    assert b"\r\nServer: chartwire\r\n" in garbage
    assert b"aiohttp" not in garbage


async def test_where_the_address_is_https_no_neighbour_can_plant_a_cookie(visited_file: Path) -> None:
    """A browser takes __Host- from this very host alone, over https; what is planted by the plain name is not looked at."""
    async with beside(visited_file, 'public_url = "https://console.example"') as opened:
        config = opened.console.config.console
        assert config is not None
        browser = Browser(f"http://{config.listen}")
        answer = await browser.sign_in("viewer")
        assert answer.status == 303
        cookies = answer.headers.getall("Set-Cookie")  # type: ignore[attr-defined]
        assert {"__Host-chartwire_session", "__Host-chartwire_form", "__Host-chartwire_known"} == {
            one.partition("=")[0] for one in cookies
        }
        assert all("Secure" in one and "Path=/" in one and "Domain" not in one for one in cookies)
        assert (await browser.get("/p/elm")).status == 200
        planted = Browser(browser.url, {"chartwire_session": browser.cookies["__Host-chartwire_session"]})
        assert (await planted.get("/p/elm")).goes_to == "/sign-in"


async def test_no_page_obeys_what_people_type_of_a_practice(visited_file: Path) -> None:
    """A practice's name, and the reason and the name of whoever holds it, are scripts."""
    named = visited_file.with_name("named.toml")
    script = "<script>alert(1)</script>"
    text = re.sub(r'^name = ".*"$', f'name = "{script}"', visited_file.read_text(), flags=re.MULTILINE)
    named.write_text(text)
    named.chmod(0o600)
    async with beside(named) as at:
        keyring = at.console.store.keyring
        store = await Store.open(at.console.config.postgres.dsn, keyring)
        desk = RecorderDriver(store, keyring, await store.take_over(PRACTICE))
        await desk.open()
        assert await ask(desk, HoldRequested(who=f"{script}ann", reason=f"{script}'\"></td>"), Charts()) == ""
        await store.close()
        shown: set[str] = set()
        for role in ("operator", "auditor"):
            browser = await at.of(role)
            for one in routed(at):
                if one.method == "GET" and role in stated(one):
                    answer = await browser.get(filled(at, path_of(one)))
                    assert "<script>" not in answer.text, answer.path
                    shown |= {path_of(one)} if "&lt;script&gt;alert(1)" in answer.text else set()
            assert "<script>" not in (await browser.get("/")).text
    assert {"/p/{practice}", "/p/{practice}/holds", "/p/{practice}/settings", "/p/{practice}/work"} <= shown
